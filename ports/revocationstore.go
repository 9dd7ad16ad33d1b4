package ports

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/revocation"
)

// Recent is how many of the latest entries of a group a [RevocationStore] compares
// ids with.
const Recent = 8

// RevocationStore keeps the revocations of each group as a log that only grows at
// its end. It is safe for concurrent use, and does not ask whether the group
// exists. [GroupStore.CreateGroup] and [GroupStore.DeleteGroup] leave the group
// with none.
type RevocationStore interface {
	// Revoke adds e to the log of g under the next number, and is durable when it
	// returns nil. What it returns is where the log ends now: the cursor's Seq is
	// the number of e. Entries that are dead at e.CreatedAt are removed sooner or
	// later; those that are removed later count until then.
	//
	// An entry whose id is that of one of the last [Recent] is not added, nor one for
	// which there is no room: that is how many entries the log may hold.
	//
	// Errors: ErrExists, ErrNotFound (of such an id), ErrConflict after a few lost
	// races, ErrUnavailable (ErrReadOnly among it), ErrCorrupt, ErrUnknownOutcome;
	// revocation.ErrFull, revocation.ErrInvalid.
	Revoke(ctx context.Context, g group.ID, e revocation.Entry, room int) (revocation.Cursor, error)

	// Changes returns what came after since, as much as can be read at once. Whoever
	// goes on from Next until there is no More has read every entry that was there
	// at the beginning and is not dead. A log that nobody wrote to is empty.
	//
	// Errors: ErrUnavailable, ErrCorrupt, ErrNotFound of an id that no constructor
	// made.
	Changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error)
}
