// Package group answers: which API tokens, rules and keys belong together and
// see nothing of any other?
package group

import (
	"errors"
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
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
	// RotateEvery is how old the default key gets before the next one replaces
	// it; zero is for ever.
	RotateEvery iso8601.Duration
	// Overlap is how long a key that was replaced goes on sealing for requests
	// that name it; zero is [DefaultOverlap].
	Overlap iso8601.Duration
	// Horizon is the longest lifetime that the policy ever allowed, as an upper
	// bound. It only grows. Zero in a group that is older than this field:
	// [Group.LongestLifetime] is what to ask.
	Horizon time.Duration
	// Creation marks the request that made the group.
	Creation replay.Mark
}

// MaxTokens is how many API tokens a group may hold, expired ones included.
const MaxTokens = 1000

// DefaultOverlap is how long a replaced key goes on sealing, in a group that
// does not say.
func DefaultOverlap() iso8601.Duration {
	week, err := iso8601.Parse("P7D")
	if err != nil { // a constant that a test parses
		return iso8601.Duration{}
	}
	return week
}

// OverlapOrDefault is the overlap of the group's rotations.
func (g Group) OverlapOrDefault() iso8601.Duration {
	if g.Overlap.IsZero() {
		return DefaultOverlap()
	}
	return g.Overlap
}

// LongestLifetime bounds the life of every token that the group's keys can have
// sealed: no policy that it ever had allowed a longer one.
func (g Group) LongestLifetime() time.Duration {
	return max(g.Horizon, g.Policy.MaxLifetime.UpperBound())
}

// Token returns the API token whose value has that digest at now: its own, or
// the one before a refresh while that is still good. It looks at every token,
// and compares each in constant time, so that how long it takes says nothing.
// Whether the token itself has expired is not looked at.
func (g Group) Token(d apitoken.Digest, now time.Time) (apitoken.Token, bool) {
	found := -1
	for i := range g.Tokens {
		if g.Tokens[i].Matches(d, now) {
			found = i
		}
	}
	if found < 0 {
		return apitoken.Token{}, false
	}
	return g.Tokens[found], true
}
