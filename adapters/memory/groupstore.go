package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/group"
	"embedseal/ports"
)

var _ ports.GroupStore = (*GroupStore)(nil)

// GroupStore is a ports.GroupStore.
type GroupStore struct{ store *Store }

// NewGroupStore returns the group store of s.
func NewGroupStore(s *Store) *GroupStore { return &GroupStore{store: s} }

// Group implements ports.GroupStore.
func (s *GroupStore) Group(ctx context.Context, id group.ID) (group.Group, error) {
	if err := check(ctx, id); err != nil {
		return group.Group{}, err
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	g, found := s.store.groups[id]
	if !found {
		return group.Group{}, absent(id)
	}
	return clone(g), nil
}

// Groups implements ports.GroupStore.
func (s *GroupStore) Groups(ctx context.Context) ([]group.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.store.groups)), nil
}

// CreateGroup implements ports.GroupStore.
func (s *GroupStore) CreateGroup(ctx context.Context, g group.Group) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := codec.CheckGroup(g); err != nil {
		return err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if _, found := s.store.groups[g.ID]; found {
		return fmt.Errorf("memory: create group %s: %w", g.ID, ports.ErrExists)
	}
	delete(s.store.rings, g.ID)
	delete(s.store.revoked, g.ID)
	s.store.groups[g.ID] = clone(g)
	return nil
}

// UpdateGroup implements ports.GroupStore.
func (s *GroupStore) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	if err := check(ctx, id); err != nil {
		return err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	old, found := s.store.groups[id]
	if !found {
		return absent(id)
	}
	next, err := change(clone(old))
	if err != nil {
		return err
	}
	next.ID = old.ID
	if err := codec.CheckGroup(next); err != nil {
		return err
	}
	s.store.groups[id] = clone(next)
	return nil
}

// DeleteGroup implements ports.GroupStore.
func (s *GroupStore) DeleteGroup(ctx context.Context, id group.ID) error {
	if err := check(ctx, id); err != nil {
		return err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if _, found := s.store.groups[id]; !found {
		return absent(id)
	}
	delete(s.store.groups, id)
	delete(s.store.rings, id)
	delete(s.store.revoked, id)
	return nil
}

func absent(id group.ID) error { return fmt.Errorf("%w: group %s", ports.ErrNotFound, id) }
