package vault

import (
	"context"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/ports"
)

var _ ports.AuditStore = (*AuditStore)(nil)

// AuditStore is a ports.AuditStore: one secret for each log.
type AuditStore struct{ b *Backend }

// NewAuditStore returns the audit store that lies in b.
func NewAuditStore(b *Backend) *AuditStore { return &AuditStore{b} }

// AuditState implements ports.AuditStore.
func (s *AuditStore) AuditState(ctx context.Context, log string) (audit.State, error) {
	if err := ctx.Err(); err != nil {
		return audit.State{}, err
	}
	if _, err := audit.ParseLog(log); err != nil {
		return audit.State{}, nil //nolint:nilerr // no log has this name, so that it has no state
	}
	state, _, err := s.state(ctx, log)
	return state, explain(ctx, "read the state of the audit log "+log, err)
}

// UpdateAuditState implements ports.AuditStore.
func (s *AuditStore) UpdateAuditState(ctx context.Context, log string, change func(audit.State) (audit.State, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := audit.ParseLog(log); err != nil {
		return err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	return race(ctx, within, "update the state of the audit log "+log, func() error {
		state, old, err := s.state(within, log)
		if err != nil {
			return err
		}
		if state, err = change(state); err != nil {
			return &refusal{err}
		}
		if ctx.Err() != nil {
			return &refusal{ctx.Err()}
		}
		doc, err := codec.EncodeAudit(log, state)
		if err != nil {
			return &refusal{err}
		}
		_, err = s.b.put(within, folderAudit, group.ID(log), old, doc, false)
		return err
	})
}

// state reads the state of a log, whose name has the grammar of a group's id.
func (s *AuditStore) state(ctx context.Context, log string) (audit.State, record, error) {
	r, err := s.b.read(ctx, folderAudit, group.ID(log))
	if err != nil || !r.found {
		return audit.State{}, r, err
	}
	state, err := codec.DecodeAudit(log, []byte(r.Document))
	return state, r, err
}
