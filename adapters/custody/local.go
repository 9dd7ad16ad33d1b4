// Package custody answers: who makes a key's material when it is kept in the
// ring?
package custody

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Local makes keys of the custody [key.Material]: 24 random bytes, that the
// ring keeps and nobody else. It implements ports.KeyCustody and is safe for
// concurrent use.
type Local struct{ random ports.Random }

// NewLocal takes its bytes from random.
func NewLocal(random ports.Random) *Local { return &Local{random: random} }

// Create makes an active key with a value of its own. Nothing is written, so it
// never fails: that the id is new, the ring checks when the key is put in.
func (l *Local) Create(_ context.Context, _ group.ID, id key.ID) (key.Key, error) {
	var random [key.SecretEntropy]byte
	l.random.Fill(random[:])
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.NewSecret(random)}, nil
}

// Destroy does nothing: Create made nothing outside the ring, so the material
// is gone as soon as the ring forgets it.
func (l *Local) Destroy(context.Context, group.ID, key.Key) error { return nil }
