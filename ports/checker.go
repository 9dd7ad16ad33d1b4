package ports

import (
	"context"
	"time"
)

// Checker says whether a backend can be used now.
type Checker interface {
	// Check asks the backend itself, past every cache, and changes nothing. nil
	// says that it answers, is open, and takes this service's credentials.
	//
	// Errors: ErrUnavailable (and those that wrap it: ErrSealed, ErrDenied, …),
	// ErrCorrupt.
	Check(ctx context.Context) error
}

// Reserve says how long minting can go on without the backend.
type Reserve interface {
	// LastsUntil is when the last answer that may be given again will be too old
	// for that; zero when there is none.
	LastsUntil() time.Time
}
