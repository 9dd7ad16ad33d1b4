package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/policy"
)

func (s *Tokens) pinnable(ctx context.Context, id group.ID, r policy.Restriction) error {
	if r.PinnedKey == "" {
		return nil
	}
	ring, err := readRing(ctx, s.keys, id)
	if err != nil {
		return err
	}
	return pinnable(ring, r.PinnedKey, s.clock.Now())
}

// narrower refuses a restriction that promises what the group does not allow. The
// error is a [*policy.Invalid].
func narrower(g group.Group, r policy.Restriction) error {
	if faults := g.Policy.Widened(r); faults != nil {
		return &policy.Invalid{Faults: faults}
	}
	return nil
}

// mayGrant asks whether the actor may hand out a value of t, as the record that is
// about to be written has the two of them.
func (s *Tokens) mayGrant(by Actor, g group.Group, t apitoken.Token) error {
	by, err := by.in(g, ToWrite, s.clock.Now())
	if err != nil {
		return err
	}
	return by.mayGrant(t)
}

// mayGrant returns nil if the actor may hand out a value of t. The error wraps
// [ErrScope].
func (a Actor) mayGrant(t apitoken.Token) error {
	if a.IsOperator() {
		if t.Scopes.Has(apitoken.Reveal) {
			return a.may(ToReveal)
		}
		return nil
	}
	own := a.Caller.Token()
	switch {
	case !own.Scopes.Has(t.Scopes):
		return fmt.Errorf("%w %s, and hands out no scope that it lacks", ErrScope, t.Scopes&^own.Scopes)
	case !own.ExpiresAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(own.ExpiresAt)):
		return fmt.Errorf("%w: it expires, and hands out no token that outlives it", ErrScope)
	case !within(own.Networks, t.Networks):
		return fmt.Errorf("%w: it is bound to networks, and hands out no token for others", ErrScope)
	case !own.Restriction.IsZero() && TagOf(sightOfRestriction(own.Restriction)) != TagOf(sightOfRestriction(t.Restriction)):
		return fmt.Errorf("%w: it has a restriction, and hands out no token with another", ErrScope)
	}
	return nil
}

// within reports whether every network of inner lies in one of outer; empty is
// every address.
func within(outer, inner []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(in netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(out netip.Prefix) bool { return out.Bits() <= in.Bits() && out.Contains(in.Addr()) })
	})
}
