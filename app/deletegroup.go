package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

// ErrGroupInUse is wrapped by the refusal to delete a group whose keys can still
// open tokens.
var ErrGroupInUse = errors.New("the group has keys that can still open tokens")

// Delete removes a group with its API tokens and its keys; their material goes
// first, where it lies in a custody of its own. Nothing of the group can be minted
// or opened afterwards. It is for operators.
//
// Errors: [ErrGroupInUse] unless forced, [ErrTag], ports.ErrNotFound, those of
// [Changes.Run], or what the stores and the custody answer.
func (s *Groups) Delete(ctx context.Context, call Call, by Actor, id group.ID, match Match, force bool) error {
	if err := by.May(ToWrite, id); err != nil {
		return err
	}
	if err := by.MayEverywhere(ToWrite); err != nil {
		return err
	}
	if _, err := readGroup(ctx, s.groups, id); err != nil { // before an intent has its id: see [Keys.there]
		return err
	}
	return s.changes.Run(ctx, call, by, audit.Event{Action: audit.ActionDeleteGroup, Group: string(id)}, func(ctx context.Context, _ *audit.Event) error {
		g, err := readGroup(ctx, s.groups, id)
		if err != nil {
			return err
		}
		if err := match.Check(tagOfGroup(g)); err != nil {
			return err
		}
		ring, err := readRing(ctx, s.keys, id)
		if err != nil {
			return err
		}
		keys := ring.Keys()
		if open := s.open(keys, g.LongestLifetime()); open > 0 && !force {
			return fmt.Errorf("%w: %d of them", ErrGroupInUse, open)
		}
		for _, k := range keys {
			if k.State == key.Destroyed {
				continue
			}
			if err := s.custody.Destroy(ctx, id, k); err != nil {
				return fmt.Errorf("destroy key %s of %s: %w", k.ID, id, err)
			}
		}
		err = s.groups.DeleteGroup(ctx, id)
		s.revoked.Forget(id) // whatever came of it
		if err != nil {
			return fmt.Errorf("delete group %s: %w", id, err)
		}
		return nil
	})
}

// open counts the keys that tokens can still be opened with now.
func (s *Groups) open(keys []key.Key, horizon time.Duration) int {
	now := s.clock.Now()
	return len(slices.DeleteFunc(slices.Clone(keys), func(k key.Key) bool {
		safe := k.SafeAt(horizon)
		return !k.CanOpen(now) || !safe.IsZero() && !now.Before(safe)
	}))
}
