package ports

import (
	"context"

	"embedseal/domain/group"
)

// GroupStore keeps the groups: their names, policies and API tokens.
//
// It is safe for concurrent use. What it returns is the caller's to keep, and
// is not changed in place by either side.
type GroupStore interface {
	// Group returns the group of that id.
	//
	// Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	Group(ctx context.Context, id group.ID) (group.Group, error)

	// Groups lists the ids of all groups, in ascending order of their bytes.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Groups(ctx context.Context) ([]group.ID, error)

	// CreateGroup writes a new group, durable when it returns nil. Its ring is
	// empty: one that an earlier group of that id left is removed first.
	//
	// Errors: ErrExists, ErrUnavailable (ErrReadOnly among it), ErrCorrupt,
	// ErrUnknownOutcome (ErrNotPurged among it: the group is made).
	CreateGroup(ctx context.Context, g group.Group) error

	// UpdateGroup replaces the group with what change returns, under the rules
	// of [KeyStore.UpdateRing]. The id is immutable: a change of it is undone.
	//
	// Errors: ErrNotFound, ErrConflict, ErrUnavailable, ErrCorrupt,
	// ErrUnknownOutcome.
	UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error

	// DeleteGroup removes the group and its ring, earlier stored versions of
	// both included.
	//
	// Errors: ErrNotFound, ErrUnavailable, ErrCorrupt, ErrUnknownOutcome.
	DeleteGroup(ctx context.Context, id group.ID) error
}
