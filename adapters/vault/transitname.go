package vault

import (
	"fmt"
	"strconv"
	"strings"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

// keyName is where a key of g is in Transit: its ring says so.
//
// The error wraps ports.ErrCustody: for a key of another custody, one that was
// destroyed, and one whose reference is not that of this key of this group.
func (b *Backend) keyName(g group.ID, k key.Key) (name string, version int, err error) {
	if k.Custody != key.VaultTransit {
		return "", 0, fmt.Errorf("%w: its custody is %s", ports.ErrCustody, k.Custody)
	}
	if k.State == key.Destroyed {
		return "", 0, fmt.Errorf("%w: it was destroyed", ports.ErrCustody)
	}
	return parseRef(g, k)
}

// ref is what the ring keeps of a Transit key. A kid names one material: a key
// that somebody rotates goes on with the version that was made with it.
func ref(name string) string { return name + ":" + strconv.Itoa(firstVersion) }

// parseRef takes a reference apart, and refuses that of another key. The prefix
// may be one that was configured before.
func parseRef(g group.ID, k key.Key) (name string, version int, err error) {
	name, number, found := strings.Cut(k.Ref, ":")
	version, numberErr := strconv.Atoi(number)
	if !found || numberErr != nil || version < 1 {
		return "", 0, fmt.Errorf("%w: its ring does not say where in Transit it is", ports.ErrCustody)
	}
	prefix, ours := strings.CutSuffix(name, "."+string(g)+"."+string(k.ID))
	if _, err := nameInTransit(prefix, g, k.ID); err != nil {
		return "", 0, err
	}
	if !ours {
		return "", 0, fmt.Errorf("%w: its ring names another key", ports.ErrCustody)
	}
	return name, version, nil
}

// nameInTransit is the name of a new key. Neither a prefix nor a group's id has
// a dot in it, so that no two keys of whatever prefixes have one name, and a
// policy for the keys of one prefix covers those of no other.
//
// The error wraps ports.ErrCustody: for an id that Transit takes for no name
// (framework.GenericNameRegex: it ends with a letter, a digit or "_"; nor may
// ".." stand in it).
func nameInTransit(prefix string, g group.ID, id key.ID) (string, error) {
	_, groupErr := group.ParseID(string(g))
	switch {
	case groupErr != nil:
		return "", fmt.Errorf("%w: %.50q is no group", ports.ErrCustody, g)
	case !jwe.ValidKeyID(string(id)):
		return "", fmt.Errorf("%w: its id is not a kid", ports.ErrCustody)
	case strings.HasSuffix(string(id), ".") || strings.HasSuffix(string(id), "-") || strings.Contains("."+string(id), ".."):
		return "", fmt.Errorf("%w: Transit takes no key whose id begins or ends with a dot, ends with a hyphen, or has two dots in a row", ports.ErrCustody)
	case !FitsTransit(prefix):
		return "", fmt.Errorf("%w: Transit takes no key for the prefix %.50q, which must begin with a letter, a digit or '_' and have neither '/' nor '.'", ports.ErrCustody, prefix)
	}
	name := prefix + "." + string(g) + "." + string(id)
	if len(name) > maxName {
		return "", fmt.Errorf("%w: prefix, group and id together have %d characters, and at most %d can be the name of a Transit key here", ports.ErrCustody, len(name), maxName)
	}
	return name, nil
}

// maxName is the longest name, so that a ring takes the reference to it.
const maxName = 240

// FitsTransit reports whether the names of Transit keys can begin with prefix.
func FitsTransit(prefix string) bool {
	return prefix != "" && !strings.ContainsAny(prefix, "/.") && !strings.HasPrefix(prefix, "-")
}

// shownID is the id where it is one, and the beginning of what is none.
func shownID(id key.ID) string {
	if jwe.ValidKeyID(string(id)) {
		return string(id)
	}
	return fmt.Sprintf("%.20q", id)
}
