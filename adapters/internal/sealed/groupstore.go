package sealed

import (
	"context"
	"fmt"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/records"
	"embedseal/domain/group"
	"embedseal/ports"
)

var _ ports.GroupStore = (*GroupStore)(nil)

// GroupStore is a ports.GroupStore: one record for each group.
type GroupStore struct{ store *records.Store }

// NewGroupStore returns the group store that lies in s.
func NewGroupStore(s *records.Store) *GroupStore { return &GroupStore{store: s} }

// Group implements ports.GroupStore.
func (s *GroupStore) Group(ctx context.Context, id group.ID) (group.Group, error) {
	if err := checkID(ctx, id); err != nil {
		return group.Group{}, err
	}
	doc, err := s.store.Get(records.KindGroup, string(id))
	if err != nil {
		return group.Group{}, err
	}
	return decodeGroup(id, doc)
}

// Groups implements ports.GroupStore.
func (s *GroupStore) Groups(ctx context.Context) ([]group.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := s.store.IDs(records.KindGroup)
	if err != nil {
		return nil, err
	}
	ids := make([]group.ID, len(names))
	for i, n := range names {
		if ids[i], err = group.ParseID(n); err != nil {
			return nil, fmt.Errorf("sealed: list groups: %w: an id breaks the rules of ids", ports.ErrCorrupt)
		}
	}
	return ids, nil
}

// CreateGroup implements ports.GroupStore.
func (s *GroupStore) CreateGroup(ctx context.Context, g group.Group) error {
	doc, err := codec.EncodeGroup(g)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *records.Tx) error {
		old, err := tx.Get(records.KindGroup, string(g.ID))
		if err != nil {
			return err
		}
		if old != nil {
			return fmt.Errorf("sealed: create group %s: %w", g.ID, ports.ErrExists)
		}
		if err := tx.Delete(records.KindRing, string(g.ID)); err != nil {
			return err
		}
		if err := forgetRevocations(tx, g.ID); err != nil {
			return err
		}
		return tx.Put(records.KindGroup, string(g.ID), doc)
	})
}

// UpdateGroup implements ports.GroupStore.
func (s *GroupStore) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	if err := checkID(ctx, id); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *records.Tx) error {
		doc, err := tx.Get(records.KindGroup, string(id))
		if err != nil {
			return err
		}
		g, err := decodeGroup(id, doc)
		if err != nil {
			return err
		}
		if g, err = change(g); err != nil {
			return err
		}
		g.ID = id
		if doc, err = codec.EncodeGroup(g); err != nil {
			return err
		}
		return tx.Put(records.KindGroup, string(id), doc)
	})
}

// DeleteGroup implements ports.GroupStore.
func (s *GroupStore) DeleteGroup(ctx context.Context, id group.ID) error {
	if err := checkID(ctx, id); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *records.Tx) error {
		doc, err := tx.Get(records.KindGroup, string(id))
		if err != nil {
			return err
		}
		if doc == nil {
			return absent(id)
		}
		if err := tx.Delete(records.KindRing, string(id)); err != nil {
			return err
		}
		if err := forgetRevocations(tx, id); err != nil {
			return err
		}
		return tx.Delete(records.KindGroup, string(id))
	})
}

// decodeGroup turns a record into a group; nil is none.
func decodeGroup(id group.ID, doc []byte) (group.Group, error) {
	if doc == nil {
		return group.Group{}, absent(id)
	}
	return codec.DecodeGroup(id, doc)
}

func absent(id group.ID) error { return fmt.Errorf("%w: group %s", ports.ErrNotFound, id) }
