// Package group answers: which API tokens, rules and keys belong together and
// see nothing of any other?
package group

import (
	"errors"
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/charset"
	"embedseal/domain/iso8601"
	"embedseal/domain/label"
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

var ofID = charset.Of(charset.Lower + charset.Digits + "-")

// ParseID refuses what is not an [ID]. The error wraps [ErrInvalid].
func ParseID(s string) (ID, error) {
	if s == "" || len(s) > MaxID || !ofID.HasAll(s) {
		return "", fmt.Errorf("%w: an id has 1 to %d characters of a-z, 0-9 and '-'", ErrInvalid, MaxID)
	}
	return ID(s), nil
}

// Group is a data visibility group, without its keys. What each request reads of it
// stands first, and near together.
type Group struct {
	ID ID
	// Tokens are the group's API tokens. A group that was handed out is never
	// changed in place: whoever adds a token makes a new slice.
	Tokens []apitoken.Token
	Policy policy.Policy
	// Name is for people; it may change.
	Name string
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

// Check refuses a group whose name, rotation, policy or tokens no operator may
// set. A stored group may break a rule that is younger than itself, so stores do
// not ask. The error wraps [ErrInvalid] or the one of the part that is refused.
func (g Group) Check() error {
	if _, err := ParseID(string(g.ID)); err != nil {
		return err
	}
	if err := label.CheckName(g.Name); err != nil {
		return fmt.Errorf("%w: its name: %w", ErrInvalid, err)
	}
	if err := g.checkRotation(); err != nil {
		return err
	}
	return g.Policy.Check()
}

// Named is the group with another name. The error wraps [ErrInvalid].
func (g Group) Named(name string) (Group, error) {
	g.Name = name
	if err := label.CheckName(name); err != nil {
		return Group{}, fmt.Errorf("%w: its name: %w", ErrInvalid, err)
	}
	return g, nil
}

// Under is the group under another policy. What the one before allowed stays in
// its horizon. The error wraps [policy.ErrInvalid].
func (g Group) Under(p policy.Policy) (Group, error) {
	if err := p.Check(); err != nil {
		return Group{}, err
	}
	before := g.LongestLifetime()
	g.Policy = p
	g.Horizon = max(before, g.LongestLifetime())
	return g, nil
}

// LongestLifetime bounds the life of every token that the group's keys can have
// sealed: no policy that it ever had allowed a longer one.
func (g Group) LongestLifetime() time.Duration {
	return max(g.Horizon, g.Policy.MaxLifetime.UpperBound())
}
