package app

import (
	"context"
	"errors"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// Policy returns a group's policy and its tag. The error can be
// ports.ErrNotFound.
func (s *Groups) Policy(ctx context.Context, by Actor, id group.ID) (policy.Policy, Tag, error) {
	if err := by.May(ToRead, id); err != nil {
		return policy.Policy{}, "", err
	}
	g, err := readGroup(ctx, s.groups, id)
	if err != nil {
		return policy.Policy{}, "", err
	}
	return g.Policy, tagOfPolicy(g.Policy), nil
}

// SetPolicy replaces a group's policy with what next makes of it. next may run
// more than once. It counts for the next token that is minted; what the policy
// before allowed stays in the group's horizon.
//
// Errors: what next returns, [*policy.Invalid], [ErrTag], ports.ErrNotFound,
// those of [Changes.Run], or what the stores answer.
func (s *Groups) SetPolicy(ctx context.Context, call Call, by Actor, id group.ID, match Match,
	next func(policy.Policy) (policy.Policy, error)) (policy.Policy, Tag, error) {
	if err := by.May(ToWrite, id); err != nil {
		return policy.Policy{}, "", err
	}
	ring, err := readRing(ctx, s.keys, id)
	if err != nil {
		return policy.Policy{}, "", err
	}
	g, err := s.change(ctx, call, by, id, audit.ActionUpdatePolicy, func(g group.Group) (group.Group, error) {
		if err := match.Check(tagOfPolicy(g.Policy)); err != nil {
			return g, err
		}
		p, err := next(g.Policy)
		if err != nil {
			return g, err
		}
		if p.PinnedKey != g.Policy.PinnedKey {
			if err := pinnable(ring, p.PinnedKey, s.clock.Now()); err != nil {
				return g, err
			}
		}
		return ruled(g, p, s.clock.Now())
	})
	if err != nil {
		return policy.Policy{}, "", err
	}
	return g.Policy, tagOfPolicy(g.Policy), nil
}

// ruled is the group under a policy that is written at now. One whose maximum
// lifetime ends after the year 9999 is refused: nothing can be minted under it.
// The error wraps [policy.ErrInvalid].
func ruled(g group.Group, p policy.Policy, now time.Time) (group.Group, error) {
	if _, err := p.MaxLifetime.AddTo(now); p.MaxLifetime != g.Policy.MaxLifetime && errors.Is(err, iso8601.ErrOverflow) {
		return group.Group{}, &policy.Invalid{Faults: []token.Fault{{
			Field: policy.FieldMaxLifetime, Code: token.FaultOverflow, Detail: "ends after the year 9999",
		}}}
	}
	return g.Under(p)
}

// pinnable refuses to pin to a key that cannot seal now; an empty id pins to
// none. The error is a [*policy.Invalid].
func pinnable(ring key.Ring, id key.ID, now time.Time) error {
	if k, found := ring.Find(id); id == "" || found && k.CanSeal(now) {
		return nil
	}
	return &policy.Invalid{Faults: []token.Fault{{
		Field: policy.FieldPinnedKey, Code: token.FaultUnknown, Detail: "must be a key of the group that new tokens can be sealed with",
	}}}
}
