package sealed

import (
	"context"
	"fmt"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/records"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.KeyStore = (*KeyStore)(nil)

// KeyStore is a ports.KeyStore: one record for the ring of each group.
type KeyStore struct{ store *records.Store }

// NewKeyStore returns the key store that lies in s.
func NewKeyStore(s *records.Store) *KeyStore { return &KeyStore{store: s} }

// Ring implements ports.KeyStore.
func (s *KeyStore) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if err := checkID(ctx, g); err != nil {
		return key.Ring{}, err
	}
	doc, err := s.store.Get(records.KindRing, string(g))
	if err != nil || doc == nil {
		return key.Ring{}, err
	}
	return codec.DecodeRing(g, doc)
}

// UpdateRing implements ports.KeyStore.
func (s *KeyStore) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	if err := checkID(ctx, g); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *records.Tx) error {
		doc, err := tx.Get(records.KindRing, string(g))
		if err != nil {
			return err
		}
		var ring key.Ring
		if doc != nil {
			if ring, err = codec.DecodeRing(g, doc); err != nil {
				return err
			}
		}
		if ring, err = change(ring); err != nil {
			return err
		}
		if doc, err = codec.EncodeRing(g, ring); err != nil {
			return err
		}
		return tx.Put(records.KindRing, string(g), doc)
	})
}

// checkID answers for a context that is done, and for an id that no
// constructor made, before anything is asked of the store.
func checkID(ctx context.Context, id group.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := group.ParseID(string(id)); err != nil {
		return fmt.Errorf("%w: group %.50q", ports.ErrNotFound, id)
	}
	return nil
}
