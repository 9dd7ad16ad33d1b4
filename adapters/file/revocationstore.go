package file

import (
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

var _ ports.RevocationStore = (*RevocationStore)(nil)

// RevocationStore is a ports.RevocationStore.
type RevocationStore struct{ *sealed.RevocationStore }

// NewRevocationStore returns the revocation store of s.
func NewRevocationStore(s *Store) *RevocationStore {
	return &RevocationStore{sealed.NewRevocationStore(s.records)}
}
