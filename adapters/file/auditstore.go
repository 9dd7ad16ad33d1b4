package file

import (
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

var _ ports.AuditStore = (*AuditStore)(nil)

// AuditStore is a ports.AuditStore.
type AuditStore struct{ *sealed.AuditStore }

// NewAuditStore returns the audit store of s.
func NewAuditStore(s *Store) *AuditStore { return &AuditStore{sealed.NewAuditStore(s.records)} }
