package records

import (
	"strings"

	"embedseal/domain/charset"
)

// Kind is a class of records: 1 to 20 characters of [a-z], and not one of the
// words that the layout uses itself.
type Kind string

// The kinds.
const (
	KindGroup Kind = "group"
	KindRing  Kind = "ring"
	KindAudit Kind = "audit"
	// KindRevocation are the ledgers of revocations, KindRevoked their pages.
	KindRevocation Kind = "revocation"
	KindRevoked    Kind = "revoked"
)

const (
	kindIndex = "index"
	maxKind   = 20
	maxID     = 49 // the id of a group, a hyphen and eight digits
)

// name is where a sealed blob lies.
type name struct{ kind, id string }

// String is the name that a medium knows.
func (n name) String() string {
	if n.id == "" {
		return n.kind
	}
	return n.kind + "/" + n.id
}

// before orders names as the index does.
func (n name) before(other name) int {
	if c := strings.Compare(n.kind, other.kind); c != 0 {
		return c
	}
	return strings.Compare(n.id, other.id)
}

// The bytes of a name that is safe.
var (
	ofKind = charset.Of(charset.Lower)
	ofID   = charset.Of(charset.Lower + charset.Digits + "-")
)

// safe reports whether a record may have that name: whatever a medium makes of
// it, nothing escapes, and no two names are one.
func (n name) safe() bool {
	switch n.kind {
	case kindIndex, headerName, rootName:
		return false
	}
	return n.kind != "" && len(n.kind) <= maxKind && ofKind.HasAll(n.kind) &&
		n.id != "" && len(n.id) <= maxID && ofID.HasAll(n.id)
}
