package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/ports"
)

// NewGroup is what a group is made of.
type NewGroup struct {
	ID group.ID
	// Name is for people; empty is the id.
	Name string
	// Policy is the first one; nil is [policy.Default].
	Policy *policy.Policy
	// RotateEvery and Overlap are as in [group.Group].
	RotateEvery, Overlap iso8601.Duration
	// Mark is that of the request; zero when it has no idempotency key.
	Mark replay.Mark
}

// Create makes a group with its default key. When a key cannot be made now the
// group is there without one, and the first mint makes it. replayed says that
// this very request made the group before.
//
// Errors: [group.ErrInvalid], [*policy.Invalid], ports.ErrExists,
// [replay.ErrOther], those of [Changes.Run], or what the stores answer.
func (s *Groups) Create(ctx context.Context, call Call, by Actor, n NewGroup) (view GroupView, replayed bool, err error) {
	if err := by.MayEverywhere(ToWrite); err != nil {
		return GroupView{}, false, err
	}
	g, err := n.group(s.clock.Now())
	if err != nil {
		return GroupView{}, false, err
	}
	if before, made, err := s.made(ctx, n); made || err != nil {
		return before, made, err
	}
	event := audit.Event{Action: audit.ActionCreateGroup, Group: string(g.ID)}
	err = s.changes.Run(ctx, call, by, event, func(ctx context.Context, _ *audit.Event) error {
		err := s.groups.CreateGroup(ctx, g)
		s.revoked.Forget(g.ID)               // whatever came of it
		if errors.Is(err, ports.ErrExists) { // the same request may have been sent twice at once
			var repeated error
			if view, replayed, repeated = s.made(ctx, n); replayed || repeated != nil {
				return repeated
			}
		}
		if err != nil {
			return fmt.Errorf("create group %s: %w", g.ID, err)
		}
		return nil
	})
	if err != nil || replayed {
		return view, replayed, err
	}
	view = GroupView{Group: g, Tag: tagOfGroup(g)}
	switch _, _, err := s.defaults.ensure(ctx, call, by, g.ID); {
	case err == nil:
		view.Keys = 1
	case errors.Is(err, ErrUnrecorded):
		return GroupView{}, false, err
	}
	return view, false, nil
}

// group is the group to be made at now.
func (n NewGroup) group(now time.Time) (group.Group, error) {
	g := group.Group{ID: n.ID, Name: n.Name, CreatedAt: now.UTC().Truncate(time.Second), Creation: n.Mark}
	if g.Name == "" {
		g.Name = string(n.ID)
	}
	rules := policy.Default()
	if n.Policy != nil {
		rules = *n.Policy
	}
	g, err := g.Rotating(n.RotateEvery, n.Overlap)
	if err != nil {
		return group.Group{}, err
	}
	if g, err = ruled(g, rules, now); err != nil {
		return group.Group{}, err
	}
	if err := pinnable(key.Ring{}, rules.PinnedKey, now); err != nil {
		return group.Group{}, err
	}
	return g, g.Check()
}

// made looks for the group that this very request made before.
func (s *Groups) made(ctx context.Context, n NewGroup) (GroupView, bool, error) {
	if n.Mark.IsZero() {
		return GroupView{}, false, nil
	}
	g, err := readGroup(ctx, s.groups, n.ID)
	if errors.Is(err, ports.ErrNotFound) {
		return GroupView{}, false, nil
	}
	if err != nil {
		return GroupView{}, false, err
	}
	if made, err := n.Mark.Made(g.Creation); !made || err != nil {
		return GroupView{}, false, err
	}
	view, err := s.viewOf(ctx, g)
	return view, err == nil, err
}
