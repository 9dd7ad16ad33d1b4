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
		view, err := s.Show(ctx, by, by.Caller.GroupID())
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
	g, err := readGroup(ctx, s.groups, id)
	if err != nil {
		return GroupView{}, err
	}
	return s.viewOf(ctx, g)
}

func (s *Groups) viewOf(ctx context.Context, g group.Group) (GroupView, error) {
	ring, err := readRing(ctx, s.keys, g.ID)
	if err != nil {
		return GroupView{}, err
	}
	view := GroupView{Group: g, Tag: tagOfGroup(g)}
	for _, k := range ring.Keys() {
		if k.State != key.Destroyed {
			view.Keys++
		}
	}
	return view, nil
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
	if _, err := readGroup(ctx, s.groups, id); err != nil { // before an intent has its id: see [Keys.there]
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
