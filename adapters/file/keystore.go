package file

import (
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

var _ ports.KeyStore = (*KeyStore)(nil)

// KeyStore is a ports.KeyStore.
type KeyStore struct{ *sealed.KeyStore }

// NewKeyStore returns the key store of s.
func NewKeyStore(s *Store) *KeyStore { return &KeyStore{sealed.NewKeyStore(s.records)} }
