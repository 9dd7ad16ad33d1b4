package bbolt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"embedseal/adapters/internal/records"
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

// Store is one open file. It is safe for concurrent use.
type Store struct{ records *records.Store }

// Create makes an empty store, unless there is a file already: that is left as
// it is, whatever it holds. Of several processes that create at once one makes
// it. When it returns nil there is a whole and durable file.
//
// Errors: ErrUnavailable, ctx.Err(), or that of a master key that is none.
func Create(ctx context.Context, c Config) (created bool, err error) {
	if c.MasterKey.IsZero() {
		return false, fmt.Errorf("bbolt: create %s: %w: there is none", c.Path, records.ErrMasterKey)
	}
	return createDatabase(ctx, c.Path, func(m *medium) error {
		return records.Create(m, c.MasterKey, func(p []byte) { _, _ = rand.Read(p) }) // never fails
	})
}

// Open opens the store and holds it against every other process until the
// returned function is called. It never creates one.
//
// Errors: ErrNotFound, ErrHeld when another process has it open for longer than
// a second, ErrWrongMasterKey, ErrCorrupt, ErrUnavailable, ctx.Err().
func Open(ctx context.Context, c Config) (*Store, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	sweep(c.Path)
	m, err := openMedium(ctx, c.Path)
	if err != nil {
		return nil, nil, err
	}
	s, err := records.Open(m, c.MasterKey)
	if err != nil {
		m.Close()
		if errors.Is(err, ports.ErrNotFound) {
			return nil, nil, fmt.Errorf("bbolt: open %s: %w: it holds no store", c.Path, ports.ErrCorrupt)
		}
		return nil, nil, fmt.Errorf("bbolt: open %s: %w", c.Path, err)
	}
	return &Store{records: s}, m.Close, nil
}

// KeyStore is the ports.KeyStore of the file.
type KeyStore struct{ *sealed.KeyStore }

// NewKeyStore returns the key store that lies in s.
func NewKeyStore(s *Store) *KeyStore { return &KeyStore{sealed.NewKeyStore(s.records)} }

// GroupStore is the ports.GroupStore of the file.
type GroupStore struct{ *sealed.GroupStore }

// NewGroupStore returns the group store that lies in s.
func NewGroupStore(s *Store) *GroupStore { return &GroupStore{sealed.NewGroupStore(s.records)} }

// AuditStore is the ports.AuditStore of the file.
type AuditStore struct{ *sealed.AuditStore }

// NewAuditStore returns the audit store that lies in s.
func NewAuditStore(s *Store) *AuditStore { return &AuditStore{sealed.NewAuditStore(s.records)} }

// RevocationStore is the ports.RevocationStore of the file.
type RevocationStore struct{ *sealed.RevocationStore }

// NewRevocationStore returns the revocation store that lies in s.
func NewRevocationStore(s *Store) *RevocationStore {
	return &RevocationStore{sealed.NewRevocationStore(s.records)}
}

var (
	_ ports.KeyStore        = (*KeyStore)(nil)
	_ ports.GroupStore      = (*GroupStore)(nil)
	_ ports.AuditStore      = (*AuditStore)(nil)
	_ ports.RevocationStore = (*RevocationStore)(nil)
)
