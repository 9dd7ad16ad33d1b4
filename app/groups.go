package app

import (
	"context"
	"errors"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Groups administers groups and their policies. Every method answers an actor
// who may not do it with what [Actor.May] says.
type Groups struct {
	groups   ports.GroupStore
	keys     ports.KeyStore
	custody  ports.KeyCustody
	defaults *DefaultKeys
	revoked  *Revoked
	changes  *Changes
	clock    ports.Clock
}

// NewGroups returns a Groups. revoked is the copy that this process verifies with.
func NewGroups(groups ports.GroupStore, keys ports.KeyStore, custody ports.KeyCustody,
	defaults *DefaultKeys, revoked *Revoked, changes *Changes, clock ports.Clock) *Groups {
	return &Groups{groups: groups, keys: keys, custody: custody, defaults: defaults, revoked: revoked, changes: changes, clock: clock}
}

// GroupView is a group as an administrator sees it.
type GroupView struct {
	Group group.Group
	// Keys is how many embed secrets it has that are not destroyed.
	Keys int
	Tag  Tag
}

// List returns the groups of a page, in the order of their ids, and after which
// to ask for more; empty when there are none. An API token has its own group.
func (s *Groups) List(ctx context.Context, by Actor, page Page) (views []GroupView, next string, err error) {
	if !by.IsOperator() {
		view, err := s.Show(ctx, by, by.Caller.Group.ID)
		if err != nil || page.After >= string(view.Group.ID) {
			return nil, "", err
		}
		return []GroupView{view}, "", nil
	}
	if err := by.MayEverywhere(ToRead); err != nil {
		return nil, "", err
	}
	ids, err := s.groups.Groups(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("list the groups: %w", err)
	}
	ids, next = cut(page, ids, func(id group.ID) string { return string(id) })
	for _, id := range ids {
		view, err := s.view(ctx, id)
		if errors.Is(err, ports.ErrNotFound) { // deleted since
			continue
		}
		if err != nil {
			return nil, "", err
		}
		views = append(views, view)
	}
	return views, next, nil
}

// Show returns a group. The error can be ports.ErrNotFound.
func (s *Groups) Show(ctx context.Context, by Actor, id group.ID) (GroupView, error) {
	if err := by.May(ToRead, id); err != nil {
		return GroupView{}, err
	}
	return s.view(ctx, id)
}

func (s *Groups) view(ctx context.Context, id group.ID) (GroupView, error) {
	g, err := s.groups.Group(ctx, id)
	if err != nil {
		return GroupView{}, fmt.Errorf("read group %s: %w", id, err)
	}
	return s.viewOf(ctx, g)
}

func (s *Groups) viewOf(ctx context.Context, g group.Group) (GroupView, error) {
	ring, err := s.keys.Ring(ctx, g.ID)
	if err != nil {
		return GroupView{}, fmt.Errorf("read ring of %s: %w", g.ID, err)
	}
	view := GroupView{Group: g, Tag: tagOfGroup(g)}
	for _, k := range ring.Keys() {
		if k.State != key.Destroyed {
			view.Keys++
		}
	}
	return view, nil
}

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
	if g, err = g.Under(rules); err != nil {
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
	g, err := s.groups.Group(ctx, n.ID)
	if errors.Is(err, ports.ErrNotFound) {
		return GroupView{}, false, nil
	}
	if err != nil {
		return GroupView{}, false, fmt.Errorf("read group %s: %w", n.ID, err)
	}
	if made, err := n.Mark.Made(g.Creation); !made || err != nil {
		return GroupView{}, false, err
	}
	view, err := s.viewOf(ctx, g)
	return view, err == nil, err
}

// GroupPatch is what of a group is changed; nil leaves it as it is.
type GroupPatch struct {
	Name *string
	// RotateEvery and Overlap are as in [group.Group]: zero ones are never, and the
	// default.
	RotateEvery, Overlap *iso8601.Duration
}

// Update changes a group's name and rotation.
//
// Errors: [group.ErrInvalid], [ErrTag], ports.ErrNotFound, those of
// [Changes.Run], or what the store answers.
func (s *Groups) Update(ctx context.Context, call Call, by Actor, id group.ID, match Match, patch GroupPatch) (GroupView, error) {
	g, err := s.change(ctx, call, by, id, audit.ActionUpdateGroup, func(g group.Group) (group.Group, error) {
		if err := match.Check(tagOfGroup(g)); err != nil {
			return g, err
		}
		every, overlap := g.RotateEvery, g.Overlap
		if patch.RotateEvery != nil {
			every = *patch.RotateEvery
		}
		if patch.Overlap != nil {
			overlap = *patch.Overlap
		}
		g, err := g.Rotating(every, overlap)
		if err != nil || patch.Name == nil {
			return g, err
		}
		return g.Named(*patch.Name)
	})
	if err != nil {
		return GroupView{}, err
	}
	return s.viewOf(ctx, g)
}

// change runs one recorded change of a group, and returns what was written.
func (s *Groups) change(ctx context.Context, call Call, by Actor, id group.ID, action audit.Action,
	step func(group.Group) (group.Group, error)) (written group.Group, err error) {
	if err := by.May(ToWrite, id); err != nil {
		return group.Group{}, err
	}
	if err := s.there(ctx, id); err != nil {
		return group.Group{}, err
	}
	err = s.changes.Run(ctx, call, by, audit.Event{Action: action, Group: string(id)}, func(ctx context.Context, _ *audit.Event) error {
		return s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			if _, err := by.in(g, ToWrite, s.clock.Now()); err != nil {
				return g, err
			}
			next, err := step(g)
			written = next
			return next, err
		})
	})
	if err != nil {
		return group.Group{}, err
	}
	return written, nil
}

// there answers for a group that is not there, before anything is recorded: an id
// that nothing has may be a secret in the wrong place.
func (s *Groups) there(ctx context.Context, id group.ID) error {
	if _, err := s.groups.Group(ctx, id); err != nil {
		return fmt.Errorf("read group %s: %w", id, err)
	}
	return nil
}

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
	if err := s.there(ctx, id); err != nil {
		return err
	}
	return s.changes.Run(ctx, call, by, audit.Event{Action: audit.ActionDeleteGroup, Group: string(id)}, func(ctx context.Context, _ *audit.Event) error {
		g, err := s.groups.Group(ctx, id)
		if err != nil {
			return fmt.Errorf("read group %s: %w", id, err)
		}
		if err := match.Check(tagOfGroup(g)); err != nil {
			return err
		}
		ring, err := s.keys.Ring(ctx, id)
		if err != nil {
			return fmt.Errorf("read ring of %s: %w", id, err)
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
