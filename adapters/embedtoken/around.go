package embedtoken

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"embedseal/adapters/internal/gcm"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/ports"
)

// fixed is a ports.KeyStore of one ring, which nothing changes.
type fixed struct{ ring key.Ring }

func (f fixed) Ring(context.Context, group.ID) (key.Ring, error) { return f.ring, nil }

func (fixed) UpdateRing(context.Context, group.ID, func(key.Ring) (key.Ring, error)) error {
	return ports.ErrReadOnly
}

// opener is a ports.TokenCipher that seals nothing.
type opener struct{}

func (opener) Seal(context.Context, group.ID, *key.Sealer, []byte) ([]byte, error) {
	return nil, ports.ErrCustody
}

func (opener) Open(_ context.Context, _ group.ID, k key.Key, t jwe.Compact) ([]byte, error) {
	claims, err := gcm.Open(k, t)
	if err != nil {
		return nil, fmt.Errorf("open with key %s: %w", k.ID, err)
	}
	return claims, nil
}

// revocations is app.Revocations that ask the caller.
type revocations struct{ revoked func(Token) bool }

func (r revocations) Revoked(_ context.Context, _ group.ID, f token.Fingerprint, c token.Claims, id key.ID) (bool, error) {
	return r.revoked != nil && r.revoked(tokenOf(f, c, id)), nil
}

// clock is the system's, or the caller's.
type clock struct{ now func() time.Time }

func (c clock) Now() time.Time {
	if c.now != nil {
		return c.now()
	}
	return time.Now()
}

// chance is the system's.
type chance struct{}

// Fill implements ports.Random. The error of rand.Read is documented to be nil.
func (chance) Fill(p []byte) { _, _ = rand.Read(p) }
