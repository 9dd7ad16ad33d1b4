package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/ports"
)

// ErrUnrecorded is wrapped by the error of a change that was made and whose
// outcome could not be recorded: the audit log has its intent.
var ErrUnrecorded = errors.New("done, and the audit log does not have its outcome")

// Changes makes changes that are recorded twice: what is about to be done, on the
// disk before the store is asked, and what came of it.
type Changes struct {
	auditor ports.Auditor
	clock   ports.Clock
	random  ports.Random
	code    Coder
}

// Coder is the stable code that an error is answered with.
type Coder func(error) string

// NewChanges returns a Changes.
func NewChanges(auditor ports.Auditor, clock ports.Clock, random ports.Random, code Coder) *Changes {
	return &Changes{auditor: auditor, clock: clock, random: random, code: code}
}

// Run records the intent, does the change, and records its outcome. what names
// the action and what it is about; Run fills in the rest. do may fill in more of
// the event it is given, such as the id of what was made, for the outcome.
//
// Errors: [ErrAudit] when nothing was done, because the intent could not be
// recorded; [ErrUnrecorded] when it was done and that could not be recorded;
// otherwise what do returns. Of an error with a record [Recorded] is true: nobody
// needs to record it again.
func (c *Changes) Run(ctx context.Context, call Call, by Actor, what audit.Event, do func(ctx context.Context, e *audit.Event) error) error {
	var seed [8]byte
	c.random.Fill(seed[:])
	event := by.event(call, what)
	event.Change = hex.EncodeToString(seed[:])
	event.Time, event.Outcome = c.clock.Now(), audit.Intent
	if err := c.auditor.Record(ctx, event); err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	err := do(ctx, &event)
	event.Time, event.Outcome = c.clock.Now(), outcomeOf(err)
	if err != nil {
		event.Code = c.code(err)
	}
	// Whoever gave up waiting does not take the outcome out of the log.
	if recordErr := c.auditor.Record(context.WithoutCancel(ctx), event); recordErr != nil {
		if err == nil {
			return fmt.Errorf("%w: %w", ErrUnrecorded, recordErr)
		}
		return errors.Join(err, fmt.Errorf("record the outcome: %w", recordErr))
	}
	if err != nil {
		return &recorded{err}
	}
	return nil
}

// recorded is an error that the audit log has already.
type recorded struct{ err error }

func (r *recorded) Error() string { return r.err.Error() }
func (r *recorded) Unwrap() error { return r.err }

// Recorded reports whether the audit log has the outcome that err stands for.
func Recorded(err error) bool {
	var r *recorded
	return errors.As(err, &r) || errors.Is(err, ErrUnrecorded)
}

// outcomeOf is what an error of a change means to the log.
func outcomeOf(err error) audit.Outcome {
	switch {
	case err == nil:
		return audit.Granted
	case errors.Is(err, ports.ErrUnknownOutcome):
		return audit.Unknown
	case errors.Is(err, ports.ErrUnavailable), errors.Is(err, ports.ErrCorrupt), errors.Is(err, ports.ErrConflict),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return audit.Failed
	}
	return audit.Refused
}

// event is what with the call and the actor in it. The group is the one acted
// in, and the actor's own where what names none.
func (a Actor) event(call Call, what audit.Event) audit.Event {
	what.RequestID, what.Remote = call.RequestID, call.Remote
	what.Operator, what.TokenID = a.Operator, a.Caller.TokenID()
	if what.Group == "" {
		what.Group = string(a.Caller.GroupID())
	}
	return what
}
