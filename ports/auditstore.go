package ports

import (
	"context"

	"embedseal/domain/audit"
)

// AuditStore keeps the state of each audit log by the log's name: the key of its
// chain, and a record that is known to be in it. It is safe for concurrent use.
type AuditStore interface {
	// AuditState returns the state of the log, the zero one if it has none. A name
	// that audit.ParseLog refuses has none.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	AuditState(ctx context.Context, log string) (audit.State, error)

	// UpdateAuditState replaces the state of the log with what change returns, and
	// is durable when it returns nil. Of two concurrent updates one sees the
	// other's result. change may run more than once, so it has no side effects,
	// and it does not call the store. If change fails nothing is written and its
	// error comes back as it was. A state that audit.State.Check refuses is not
	// written, nor one of a name that audit.ParseLog refuses.
	//
	// Errors: ErrConflict after a few lost races, ErrUnavailable (ErrReadOnly among
	// it), ErrCorrupt, ErrUnknownOutcome; audit.ErrState, audit.ErrLog.
	UpdateAuditState(ctx context.Context, log string, change func(audit.State) (audit.State, error)) error
}
