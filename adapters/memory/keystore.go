package memory

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.KeyStore = (*KeyStore)(nil)

// KeyStore is a ports.KeyStore.
type KeyStore struct{ store *Store }

// NewKeyStore returns the key store of s.
func NewKeyStore(s *Store) *KeyStore { return &KeyStore{store: s} }

// Ring implements ports.KeyStore.
func (s *KeyStore) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if err := check(ctx, g); err != nil {
		return key.Ring{}, err
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return s.store.rings[g], nil
}

// UpdateRing implements ports.KeyStore.
func (s *KeyStore) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	if err := check(ctx, g); err != nil {
		return err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	next, err := change(s.store.rings[g])
	if err != nil {
		return err
	}
	s.store.rings[g] = next
	return nil
}
