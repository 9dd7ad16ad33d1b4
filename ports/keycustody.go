package ports

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/key"
)

// KeyCustody makes and destroys the material of keys. The ring only keeps what
// Create returned: whoever creates writes the ring afterwards, and whoever
// destroys does so before the ring forgets.
type KeyCustody interface {
	// Create makes material for a new key of g. The key it returns is active, has
	// in Ref what its cipher and Destroy find it by, and its CreatedAt is left to
	// the caller.
	//
	// Errors: ErrExists, ErrUnavailable (ErrReadOnly among it), ErrUnknownOutcome.
	Create(ctx context.Context, g group.ID, id key.ID) (key.Key, error)

	// Destroy removes what Create made outside the ring. A key that is not there
	// is no error, so that it can be tried again.
	//
	// Errors: ErrUnavailable, ErrUnknownOutcome.
	Destroy(ctx context.Context, g group.ID, k key.Key) error
}
