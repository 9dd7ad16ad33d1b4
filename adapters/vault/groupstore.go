package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.GroupStore = (*GroupStore)(nil)

// GroupStore is a ports.GroupStore: one secret for each group.
type GroupStore struct{ b *Backend }

// NewGroupStore returns the group store that lies in b.
func NewGroupStore(b *Backend) *GroupStore { return &GroupStore{b} }

// Group implements ports.GroupStore.
func (s *GroupStore) Group(ctx context.Context, id group.ID) (group.Group, error) {
	if err := checkID(ctx, id); err != nil {
		return group.Group{}, err
	}
	r, err := s.b.read(ctx, folderGroups, id)
	if err == nil {
		var g group.Group
		if g, err = decodeGroup(id, r); err == nil {
			return g, nil
		}
	}
	return group.Group{}, explain(ctx, "read the group "+string(id), err)
}

// Groups implements ports.GroupStore.
func (s *GroupStore) Groups(ctx context.Context) ([]group.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	resp, err := s.b.call(ctx, methodList, s.b.path("metadata", folderGroups, ""), nil)
	if err != nil {
		return nil, explain(ctx, "list the groups", err)
	}
	if resp.Secret == nil {
		return nil, nil
	}
	names, isList := resp.Data["keys"].([]any)
	if !isList {
		return nil, explain(ctx, "list the groups", notVault())
	}
	ids := make([]group.ID, 0, len(names))
	for _, n := range names {
		name, _ := n.(string)
		if strings.HasSuffix(name, "/") {
			continue // a folder, of somebody else
		}
		id, err := group.ParseID(name)
		if err != nil {
			return nil, explain(ctx, "list the groups", corrupt("an id breaks the rules of ids"))
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// CreateGroup implements ports.GroupStore.
func (s *GroupStore) CreateGroup(ctx context.Context, g group.Group) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	doc, err := codec.EncodeGroup(g)
	if err != nil {
		return err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	return race(ctx, within, "create the group "+string(g.ID), func() error {
		old, err := s.absent(within, g.ID)
		if err != nil {
			return err
		}
		// A ring that is emptied and not purged yet says so of itself: the group is
		// made all the same, and the answer tells.
		unpurged := s.emptyRing(within, g.ID)
		if unpurged != nil && !errors.Is(unpurged, ports.ErrNotPurged) {
			return unpurged
		}
		if err := s.emptyLog(within, g.ID); err != nil {
			return err
		}
		if _, err = s.b.put(within, folderGroups, g.ID, old, doc, false); err != nil {
			return err
		}
		return unpurged
	})
}

// absent reads the group, which must not be there.
func (s *GroupStore) absent(ctx context.Context, id group.ID) (record, error) {
	old, err := s.b.read(ctx, folderGroups, id)
	if err == nil && old.found {
		err = ports.ErrExists
	}
	return old, err
}

// emptyRing removes the keys that an earlier group left. The group is looked
// for once more after its ring was read: with a check-and-set on that ring no
// key is lost that a group made in the meantime has got.
func (s *GroupStore) emptyRing(ctx context.Context, id group.ID) error {
	ring, old, err := s.b.readRing(ctx, id)
	if err != nil || ring.Len() == 0 && !old.Purge {
		return err
	}
	if _, err := s.absent(ctx, id); err != nil {
		return err
	}
	doc, err := codec.EncodeRing(id, key.Ring{})
	if err != nil {
		return &refusal{err}
	}
	return s.b.putRing(ctx, id, old, doc, true)
}

// emptyLog removes the revocations that an earlier group left, if there still is no
// group once its log was found not to be empty.
func (s *GroupStore) emptyLog(ctx context.Context, id group.ID) error {
	l, _, err := s.b.readLedger(ctx, id)
	if err != nil || l.Seq == 0 {
		return err
	}
	if _, err := s.absent(ctx, id); err != nil {
		return err
	}
	return s.b.emptyLedger(ctx, id)
}

// UpdateGroup implements ports.GroupStore.
func (s *GroupStore) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	if err := checkID(ctx, id); err != nil {
		return err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	return race(ctx, within, "update the group "+string(id), func() error {
		old, err := s.b.read(within, folderGroups, id)
		if err != nil {
			return err
		}
		g, err := decodeGroup(id, old)
		if err != nil {
			return err
		}
		if g, err = change(g); err != nil {
			return &refusal{err}
		}
		if ctx.Err() != nil {
			return &refusal{ctx.Err()}
		}
		g.ID = id
		doc, err := codec.EncodeGroup(g)
		if err != nil {
			return &refusal{err}
		}
		_, err = s.b.put(within, folderGroups, id, old, doc, false)
		return err
	})
}

// DeleteGroup implements ports.GroupStore. The ring goes first: a group without
// keys can be deleted again, and keys without a group would stay for ever.
func (s *GroupStore) DeleteGroup(ctx context.Context, id group.ID) error {
	if err := checkID(ctx, id); err != nil {
		return err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	return explain(ctx, "delete the group "+string(id), s.delete(within, id))
}

func (s *GroupStore) delete(ctx context.Context, id group.ID) error {
	old, err := s.b.read(ctx, folderGroups, id)
	if err != nil {
		return err
	}
	if _, err := decodeGroup(id, old); err != nil {
		return err
	}
	_, ring, err := s.b.readRing(ctx, id)
	if err != nil {
		return err
	}
	if ring.version > 0 {
		if err := s.b.erase(ctx, folderRings, id, ring, false); err != nil {
			return err
		}
	}
	log, revoked, err := s.b.readLedger(ctx, id)
	if err != nil {
		return err
	}
	if revoked.version > 0 {
		if err := s.b.erase(ctx, folderRevocations, id, revoked, ring.version > 0); err != nil {
			return err
		}
	}
	begun := ring.version > 0 || revoked.version > 0
	if err := s.b.erase(ctx, folderGroups, id, old, begun); err != nil {
		if begun {
			return fmt.Errorf("%w: its keys are deleted, and the group may be or not: %s", ports.ErrUnknownOutcome, err.Error())
		}
		return err
	}
	// Whoever updated the ring while the group was deleted has made it anew. A
	// group of that id that was made in the meantime keeps its own.
	_ = s.emptyRing(ctx, id)
	s.b.erasePages(ctx, id, log.Pages)
	return nil
}

// decodeGroup turns a secret into a group.
func decodeGroup(id group.ID, r record) (group.Group, error) {
	if !r.found {
		return group.Group{}, fmt.Errorf("%w: group %s", ports.ErrNotFound, id)
	}
	return codec.DecodeGroup(id, []byte(r.Document))
}
