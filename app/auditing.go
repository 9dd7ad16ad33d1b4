package app

import (
	"context"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/ports"
)

// Auditing shows the audit log and looks whether it is whole.
type Auditing struct {
	reader  ports.AuditReader
	auditor ports.Auditor
	clock   ports.Clock
}

// NewAuditing returns an Auditing.
func NewAuditing(reader ports.AuditReader, auditor ports.Auditor, clock ports.Clock) *Auditing {
	return &Auditing{reader: reader, auditor: auditor, clock: clock}
}

// Search returns the records that q asks for, as they stand in the log. An
// operator sees all of them, an API token those of its own group: a query for
// another one is answered as for a group that does not exist.
//
// Errors: [ErrScope], ports.ErrNotFound, or what the log answers.
func (a *Auditing) Search(ctx context.Context, by Actor, q audit.Query, w audit.Window) (audit.Found, error) {
	if !by.IsOperator() && q.Group == "" {
		q.Group = string(by.Caller.GroupID())
	}
	may := by.MayEverywhere(ToRead)
	if q.Group != "" || !by.IsOperator() {
		may = by.May(ToRead, group.ID(q.Group))
	}
	if may != nil {
		return audit.Found{}, may
	}
	found, err := a.reader.Search(ctx, q, w)
	if err != nil {
		return audit.Found{}, fmt.Errorf("search the audit log: %w", err)
	}
	if !by.IsOperator() {
		found.Seq = 0 // how much others do is none of its business
	}
	return found, nil
}

// Verify looks at the whole log. It is for operators, and is recorded before it
// begins.
//
// Errors: [ErrScope], [ErrAudit], or what the log answers.
func (a *Auditing) Verify(ctx context.Context, call Call, by Actor) (audit.Report, error) {
	if err := by.MayEverywhere(ToRead); err != nil {
		return audit.Report{}, err
	}
	if err := a.record(ctx, call, by, audit.ActionAuditVerify); err != nil {
		return audit.Report{}, err
	}
	report, err := a.reader.Verify(ctx)
	if err != nil {
		return audit.Report{}, fmt.Errorf("verify the audit log: %w", err)
	}
	return report, nil
}

// Key gives out what the log is chained with. Whoever has it can verify archived
// files, and forge them: it is for operators who may reveal, and the record of it
// is on the disk first.
//
// Errors: [ErrScope], [ErrAudit], or what the log answers.
func (a *Auditing) Key(ctx context.Context, call Call, by Actor) (audit.ChainKey, error) {
	if err := by.MayEverywhere(ToReveal); err != nil {
		return audit.ChainKey{}, err
	}
	k, err := a.reader.Key(ctx)
	if err != nil {
		return audit.ChainKey{}, fmt.Errorf("read the key of the audit log: %w", err)
	}
	if err := a.record(ctx, call, by, audit.ActionRevealAuditKey); err != nil {
		return audit.ChainKey{}, err
	}
	return k, nil
}

// Status says how the log is. It is for operators.
//
// Errors: [ErrScope].
func (a *Auditing) Status(by Actor) (audit.Status, error) {
	if err := by.MayEverywhere(ToRead); err != nil {
		return audit.Status{}, err
	}
	return a.reader.Status(), nil
}

func (a *Auditing) record(ctx context.Context, call Call, by Actor, action audit.Action) error {
	event := by.event(call, audit.Event{Action: action, Outcome: audit.Granted})
	event.Time = a.clock.Now()
	if err := a.auditor.Record(ctx, event); err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return nil
}
