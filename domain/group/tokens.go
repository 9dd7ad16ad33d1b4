package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"embedseal/domain/apitoken"
)

// MaxTokens is how many API tokens a group may hold, expired ones included.
const MaxTokens = 1000

// Why a group's tokens stay as they are.
var (
	// ErrUnknownToken: no API token of that id in this group.
	ErrUnknownToken = errors.New("unknown API token")
	// ErrFull: the group holds as many API tokens as it may.
	ErrFull = errors.New("the group is full")
)

// Token returns the API token whose value has that digest at now: its own, or
// the one before a refresh while that is still good. It looks at every token,
// and compares each in constant time, so that how long it takes says nothing.
// Whether the token itself has expired is not looked at. The record is the group's
// own, and nobody changes it; where nothing is found it is the zero one.
func (g *Group) Token(d apitoken.Digest, now time.Time) (*apitoken.Token, bool) {
	found := -1
	for i := range g.Tokens {
		if g.Tokens[i].Matches(&d, now) {
			found = i
		}
	}
	if found < 0 {
		return &apitoken.Token{}, false
	}
	return &g.Tokens[found], true
}

// TokenOf returns the API token of that id.
func (g Group) TokenOf(id string) (apitoken.Token, bool) {
	if i := g.index(id); i >= 0 {
		return g.Tokens[i], true
	}
	return apitoken.Token{}, false
}

// WithToken is the group with one more API token, as its last. The error is
// [ErrFull], or wraps [ErrInvalid] or [apitoken.ErrInvalid].
func (g Group) WithToken(t apitoken.Token) (Group, error) {
	if err := t.Check(); err != nil {
		return Group{}, err
	}
	if g.index(t.ID) >= 0 {
		return Group{}, fmt.Errorf("%w: it has a token of this id already", ErrInvalid)
	}
	if len(g.Tokens) >= MaxTokens {
		return Group{}, fmt.Errorf("%w: it holds at most %d API tokens; revoke those that nobody uses", ErrFull, MaxTokens)
	}
	g.Tokens = append(slices.Clip(slices.Clone(g.Tokens)), t)
	return g, nil
}

// ReplacingToken is the group with t in place of the token of its id. The error
// is [ErrUnknownToken], or wraps [apitoken.ErrInvalid].
func (g Group) ReplacingToken(t apitoken.Token) (Group, error) {
	if err := t.Check(); err != nil {
		return Group{}, err
	}
	i := g.index(t.ID)
	if i < 0 {
		return Group{}, ErrUnknownToken
	}
	g.Tokens = slices.Clone(g.Tokens)
	g.Tokens[i] = t
	return g, nil
}

// WithoutToken is the group without the token of that id. The error is
// [ErrUnknownToken].
func (g Group) WithoutToken(id string) (Group, error) {
	i := g.index(id)
	if i < 0 {
		return Group{}, ErrUnknownToken
	}
	g.Tokens = slices.Delete(slices.Clone(g.Tokens), i, i+1)
	return g, nil
}

func (g Group) index(id string) int {
	return slices.IndexFunc(g.Tokens, func(t apitoken.Token) bool { return t.ID == id })
}
