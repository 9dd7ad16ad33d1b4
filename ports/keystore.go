package ports

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/key"
)

// KeyStore keeps the key ring of each group.
//
// It is safe for concurrent use. What it returns is the caller's to keep: a
// later write does not change it. A group's id that no constructor made, such
// as "../x", is answered with [ErrNotFound] by Ring and refused by UpdateRing.
type KeyStore interface {
	// Ring returns the keys of g. A group that never had a key, or does not
	// exist, has an empty ring and no error; whether a group exists, only
	// [GroupStore] says.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Ring(ctx context.Context, g group.ID) (key.Ring, error)

	// UpdateRing replaces the ring of g with what change returns, and is durable
	// when it returns nil. Of two concurrent updates one sees the other's
	// result. change may run more than once, so it has no side effects, and it
	// does not call the store. If change fails nothing is written and its error
	// comes back as it was.
	//
	// Errors: ErrConflict after a few lost races, ErrUnavailable (ErrReadOnly among
	// it), ErrCorrupt, ErrUnknownOutcome (ErrNotPurged among it).
	UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error
}
