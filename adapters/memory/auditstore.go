package memory

import (
	"context"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/audit"
	"embedseal/ports"
)

var _ ports.AuditStore = (*AuditStore)(nil)

// AuditStore is a ports.AuditStore.
type AuditStore struct{ store *Store }

// NewAuditStore returns the audit store of s.
func NewAuditStore(s *Store) *AuditStore { return &AuditStore{store: s} }

// AuditState implements ports.AuditStore.
func (s *AuditStore) AuditState(ctx context.Context, log string) (audit.State, error) {
	if err := ctx.Err(); err != nil {
		return audit.State{}, err
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return s.store.logs[log], nil
}

// UpdateAuditState implements ports.AuditStore.
func (s *AuditStore) UpdateAuditState(ctx context.Context, log string, change func(audit.State) (audit.State, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := audit.ParseLog(log); err != nil {
		return err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	next, err := change(s.store.logs[log])
	if err != nil {
		return err
	}
	if err := codec.CheckAudit(log, next); err != nil {
		return err
	}
	s.store.logs[log] = next
	return nil
}
