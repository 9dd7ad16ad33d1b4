package app

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

// Tokens administers the API tokens of groups. Every method answers an actor who
// may not do it with what [Actor.May] says. Nobody hands out more than they may do
// themselves: an actor with an API token makes, changes and refreshes only such
// whose scopes, networks, expiry and restriction are no wider than their own.
type Tokens struct {
	groups  ports.GroupStore
	keys    ports.KeyStore
	changes *Changes
	uses    *LastUse
	clock   ports.Clock
	random  ports.Random
}

// NewTokens returns a Tokens.
func NewTokens(groups ports.GroupStore, keys ports.KeyStore, changes *Changes, uses *LastUse, clock ports.Clock, random ports.Random) *Tokens {
	return &Tokens{groups: groups, keys: keys, changes: changes, uses: uses, clock: clock, random: random}
}

// TokenView is an API token as an administrator sees it, with its last use as far
// as this process knows it.
type TokenView struct {
	Token apitoken.Token
	Tag   Tag
}

// List returns the tokens of a page, in the order of their ids, and after which
// to ask for more; empty when there are none.
func (s *Tokens) List(ctx context.Context, by Actor, id group.ID, page Page) (views []TokenView, next string, err error) {
	g, err := s.read(ctx, by, id)
	if err != nil {
		return nil, "", err
	}
	tokens := slices.SortedFunc(slices.Values(g.Tokens), func(a, b apitoken.Token) int { return strings.Compare(a.ID, b.ID) })
	tokens, next = cut(page, tokens, func(t apitoken.Token) string { return t.ID })
	for _, t := range tokens {
		views = append(views, s.view(id, t))
	}
	return views, next, nil
}

// Show returns a token. The error can be ports.ErrNotFound, for the group, and
// [group.ErrUnknownToken].
func (s *Tokens) Show(ctx context.Context, by Actor, id group.ID, token string) (TokenView, error) {
	g, err := s.read(ctx, by, id)
	if err != nil {
		return TokenView{}, err
	}
	t, found := g.TokenOf(token)
	if !found {
		return TokenView{}, group.ErrUnknownToken
	}
	return s.view(id, t), nil
}

func (s *Tokens) read(ctx context.Context, by Actor, id group.ID) (group.Group, error) {
	if err := by.May(ToRead, id); err != nil {
		return group.Group{}, err
	}
	return readGroup(ctx, s.groups, id)
}

func (s *Tokens) view(id group.ID, t apitoken.Token) TokenView {
	t, _ = t.UsedAt(s.uses.of(id, t.ID))
	return TokenView{Token: t, Tag: tagOfToken(t)}
}

// TokenPatch is what of a token is changed; nil leaves it as it is.
type TokenPatch struct {
	Name   *string
	Scopes *apitoken.Scopes
	// ExpiresAt may be zero: never.
	ExpiresAt *time.Time
	Networks  *[]netip.Prefix
	// Restrict makes the restriction of the one before; a zero one lets the token do
	// what its group allows. It may run more than once.
	Restrict func(policy.Restriction) policy.Restriction
}

// Update changes what a token may do, from its next use on.
//
// Errors: [apitoken.ErrInvalid], [*policy.Invalid], [ErrScope], [ErrTag],
// [group.ErrUnknownToken], ports.ErrNotFound, those of [Changes.Run], or what the
// store answers.
func (s *Tokens) Update(ctx context.Context, call Call, by Actor, id group.ID, token string, match Match, patch TokenPatch) (TokenView, error) {
	if err := by.May(ToWrite, id); err != nil {
		return TokenView{}, err
	}
	var ring key.Ring
	if patch.Restrict != nil {
		var err error
		if ring, err = readRing(ctx, s.keys, id); err != nil {
			return TokenView{}, err
		}
	}
	if err := s.there(ctx, id, token); err != nil {
		return TokenView{}, err
	}
	event := audit.Event{Action: audit.ActionUpdateToken, Group: string(id), Target: token}
	var updated apitoken.Token
	err := s.changes.Run(ctx, call, by, event, func(ctx context.Context, _ *audit.Event) error {
		return s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			t, err := found(g, token, match)
			if err != nil {
				return g, err
			}
			pinned, now := t.Restriction.PinnedKey, s.clock.Now()
			if t, err = patch.apply(t, now); err != nil {
				return g, err
			}
			if err := s.mayGrant(by, g, t); err != nil {
				return g, err
			}
			if patch.Restrict != nil {
				if err := narrower(g, t.Restriction); err != nil {
					return g, err
				}
			}
			if t.Restriction.PinnedKey != pinned {
				if err := pinnable(ring, t.Restriction.PinnedKey, now); err != nil {
					return g, err
				}
			}
			updated = t
			return g.ReplacingToken(t)
		})
	})
	if err != nil {
		return TokenView{}, err
	}
	return s.view(id, updated), nil
}

func (p TokenPatch) apply(t apitoken.Token, now time.Time) (apitoken.Token, error) {
	if p.Name != nil {
		t.Name = *p.Name
	}
	if p.Scopes != nil {
		t.Scopes = *p.Scopes
	}
	if p.ExpiresAt != nil {
		var err error
		if t.ExpiresAt, err = expiry(*p.ExpiresAt, iso8601.Duration{}, now); err != nil {
			return t, err
		}
	}
	if p.Networks != nil {
		t.Networks = *p.Networks
	}
	if p.Restrict != nil {
		t.Restriction = p.Restrict(t.Restriction)
	}
	return t, nil
}

// Revoke takes a token back, and the value before a refresh with it.
//
// Errors: [ErrTag], [group.ErrUnknownToken], ports.ErrNotFound, those of
// [Changes.Run], or what the store answers.
func (s *Tokens) Revoke(ctx context.Context, call Call, by Actor, id group.ID, token string, match Match) error {
	if err := by.May(ToWrite, id); err != nil {
		return err
	}
	if err := s.there(ctx, id, token); err != nil {
		return err
	}
	event := audit.Event{Action: audit.ActionRevokeToken, Group: string(id), Target: token}
	return s.changes.Run(ctx, call, by, event, func(ctx context.Context, _ *audit.Event) error {
		return s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			if _, err := by.in(g, ToWrite, s.clock.Now()); err != nil {
				return g, err
			}
			if _, err := found(g, token, match); err != nil {
				return g, err
			}
			return g.WithoutToken(token)
		})
	})
}

// there answers for a token that is not there, before anything is recorded: an id
// that nothing has may be a secret in the wrong place.
func (s *Tokens) there(ctx context.Context, id group.ID, token string) error {
	g, err := readGroup(ctx, s.groups, id)
	if err != nil {
		return err
	}
	return has(g, token)
}

func has(g group.Group, token string) error {
	if _, found := g.TokenOf(token); !found {
		return group.ErrUnknownToken
	}
	return nil
}

// found is the token of that id in the state that match names.
func found(g group.Group, id string, match Match) (apitoken.Token, error) {
	t, found := g.TokenOf(id)
	if !found {
		return t, group.ErrUnknownToken
	}
	return t, match.Check(tagOfToken(t))
}
