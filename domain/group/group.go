// Package group answers: which API tokens, rules and keys belong together and
// see nothing of any other?
package group

import (
	"errors"
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/policy"
)

// ErrInvalid is wrapped by every refusal of a constructor of this package.
var ErrInvalid = errors.New("invalid group")

// ID names a data visibility group for ever: 1 to 40 characters of [a-z0-9-].
// It stands in the text of the group's API tokens and in the names of files.
type ID string

// MaxID is the longest id, in characters.
const MaxID = 40

// ParseID refuses what is not an [ID]. The error wraps [ErrInvalid].
func ParseID(s string) (ID, error) {
	ok := s != "" && len(s) <= MaxID
	for i := range len(s) {
		c := s[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return "", fmt.Errorf("%w: an id has 1 to %d characters of a-z, 0-9 and '-'", ErrInvalid, MaxID)
	}
	return ID(s), nil
}

// Group is a data visibility group, without its keys.
type Group struct {
	ID ID
	// Name is for people; it may change.
	Name   string
	Policy policy.Policy
	// Tokens are the group's API tokens. A group that was handed out is never
	// changed in place: whoever adds a token makes a new slice.
	Tokens []apitoken.Token
	// CreatedAt is in UTC, to the second.
	CreatedAt time.Time
}

// Token returns the API token of that digest. It looks at every token, and
// compares each in constant time, so that how long it takes says nothing.
func (g Group) Token(d apitoken.Digest) (apitoken.Token, bool) {
	found := -1
	for i := range g.Tokens {
		if g.Tokens[i].Digest.Equal(d) {
			found = i
		}
	}
	if found < 0 {
		return apitoken.Token{}, false
	}
	return g.Tokens[found], true
}
