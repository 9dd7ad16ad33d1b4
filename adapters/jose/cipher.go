// Package jose answers: how is a token sealed and opened by a process that has
// the key's material in hand?
//
// The strict gate is jwe.ParseCompact; what has passed it is opened with the
// standard library, for both lengths of IV. go-jose reads and writes JSON Web
// Keys here, and is the oracle of the differential fuzz test.
package jose

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"

	"embedseal/adapters/internal/gcm"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Cipher seals and opens with keys of the custody [key.Material]. It implements
// ports.TokenCipher and is safe for concurrent use.
//
// It keeps nothing itself from one call to the next. What it makes of the value of a
// default key, the expanded AES key, stays with the key.Sealer, and goes with the value.
type Cipher struct{ scratch sync.Pool }

// New returns a cipher.
func New() *Cipher {
	return &Cipher{scratch: sync.Pool{New: func() any { return new([]byte) }}}
}

// Seal implements ports.TokenCipher.
func (c *Cipher) Seal(_ context.Context, _ group.ID, k *key.Sealer, claims []byte) ([]byte, error) {
	aead, err := gcm.ForSealing(k)
	if err != nil {
		return nil, fmt.Errorf("jose: seal with key %s: %w", k.ID(), err)
	}
	header, err := k.Header()
	if err != nil {
		return nil, fmt.Errorf("jose: seal with key %.20q: %w: its id is not a kid", k.ID(), ports.ErrCustody)
	}
	// One buffer for header (the associated data), IV, ciphertext and tag: all of it
	// ends up in the token, so that nothing secret stays in it for the next.
	scratch := c.scratch.Get().(*[]byte) //nolint:errcheck // New makes nothing else
	defer c.scratch.Put(scratch)
	start := len(header) + gcm.IVSize
	end := start + len(claims)
	*scratch = slices.Grow((*scratch)[:0], end+gcm.TagSize)
	buffer := (*scratch)[:start]
	copy(buffer, header)
	iv := buffer[len(header):]
	// Its error is documented to be nil always: https://pkg.go.dev/crypto/rand#Read
	_, _ = rand.Read(iv)
	buffer = aead.Seal(buffer, iv, claims, buffer[:len(header)])

	text := make([]byte, 0, len(header)+len("....")+
		base64Len(gcm.IVSize)+base64Len(len(claims))+base64Len(gcm.TagSize))
	return jwe.AppendCompact(text, header, iv, buffer[start:end], buffer[end:]), nil
}

// Open implements ports.TokenCipher.
func (c *Cipher) Open(_ context.Context, _ group.ID, k key.Key, token jwe.Compact) ([]byte, error) {
	claims, err := gcm.Open(k, token)
	if err != nil {
		return nil, fmt.Errorf("jose: open with key %s: %w", k.ID, err)
	}
	return claims, nil
}

func base64Len(n int) int { return base64.RawURLEncoding.EncodedLen(n) }
