package sealed

import (
	"context"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/records"
	"embedseal/domain/audit"
	"embedseal/ports"
)

var _ ports.AuditStore = (*AuditStore)(nil)

// AuditStore is a ports.AuditStore: one record for each log.
type AuditStore struct{ store *records.Store }

// NewAuditStore returns the audit store that lies in s.
func NewAuditStore(s *records.Store) *AuditStore { return &AuditStore{store: s} }

// AuditState implements ports.AuditStore.
func (s *AuditStore) AuditState(ctx context.Context, log string) (audit.State, error) {
	if err := ctx.Err(); err != nil {
		return audit.State{}, err
	}
	doc, err := s.store.Get(records.KindAudit, log)
	if err != nil || doc == nil {
		return audit.State{}, err
	}
	return codec.DecodeAudit(log, doc)
}

// UpdateAuditState implements ports.AuditStore.
func (s *AuditStore) UpdateAuditState(ctx context.Context, log string, change func(audit.State) (audit.State, error)) error {
	if _, err := audit.ParseLog(log); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *records.Tx) error {
		doc, err := tx.Get(records.KindAudit, log)
		if err != nil {
			return err
		}
		var state audit.State
		if doc != nil {
			if state, err = codec.DecodeAudit(log, doc); err != nil {
				return err
			}
		}
		if state, err = change(state); err != nil {
			return err
		}
		if doc, err = codec.EncodeAudit(log, state); err != nil {
			return err
		}
		return tx.Put(records.KindAudit, log, doc)
	})
}
