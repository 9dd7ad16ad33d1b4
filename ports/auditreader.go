package ports

import (
	"context"

	"embedseal/domain/audit"
)

// AuditReader reads the audit log that this process writes, beside its writing.
type AuditReader interface {
	// Search returns the records of the log that q asks for, as many as w lets
	// through. It does not verify them.
	//
	// Errors: ErrUnavailable, ErrNotFound when the log is a stream that nobody can
	// read back.
	Search(ctx context.Context, q audit.Query, w audit.Window) (audit.Found, error)

	// Verify looks at every record there was when it was called. What is wrong with
	// the log stands in the report; an error says that it could not be looked at.
	//
	// Errors: ErrUnavailable, ErrNotFound when the log is a stream that nobody can
	// read back.
	Verify(ctx context.Context) (audit.Report, error)

	// Key returns what the log is chained with, for a verification elsewhere.
	//
	// Errors: ErrUnavailable while the store has not given it yet.
	Key(ctx context.Context) (audit.ChainKey, error)

	// Status says how the log is, at no cost.
	Status() audit.Status
}
