package ports

import (
	"context"

	"embedseal/domain/audit"
)

// Auditor keeps the record of what was done.
type Auditor interface {
	// Record writes e before it returns. Whoever gets an error does not do what
	// the record would have said: no record, no token.
	//
	// Errors: ErrUnavailable. A context that is done does not stop it.
	Record(ctx context.Context, e audit.Event) error
}
