// Package jose answers: how is a token sealed and opened by a process that has
// the key's material in hand?
//
// The strict gate is jwe.ParseCompact; what has passed it is opened with the
// standard library, for both lengths of IV. go-jose reads and writes JSON Web
// Keys here, and is the oracle of the differential fuzz test.
package jose

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

const (
	// ivSize is what RFC 7518 section 5.3 demands of every A256GCM token.
	ivSize = 12
	// longIVSize is what python-jose up to 3.3.0 writes instead:
	// https://github.com/mpdavis/python-jose/blob/3.3.0/jose/backends/cryptography_backend.py
	longIVSize = 16
	tagSize    = 16
)

// Cipher seals and opens with keys of the custody [key.Material]. It implements
// ports.TokenCipher and is safe for concurrent use.
//
// It keeps nothing from one call to the next: expanding an AES key takes a
// fraction of a microsecond, and so no copy of a destroyed key outlives it here.
type Cipher struct{}

// New returns a cipher.
func New() *Cipher { return &Cipher{} }

// Seal implements ports.TokenCipher.
func (c *Cipher) Seal(_ context.Context, _ group.ID, k key.Key, claims []byte) ([]byte, error) {
	aead, err := newAEAD(k, ivSize)
	if err != nil {
		return nil, fmt.Errorf("jose: seal with key %s: %w", k.ID, err)
	}
	header, err := jwe.EncodeHeader(string(k.ID))
	if err != nil {
		return nil, fmt.Errorf("jose: seal with key %.20q: %w: its id is not a kid", k.ID, ports.ErrCustody)
	}
	// One buffer for header (the associated data), IV, ciphertext and tag.
	start := len(header) + ivSize
	end := start + len(claims)
	buffer := make([]byte, start, end+tagSize)
	copy(buffer, header)
	iv := buffer[len(header):]
	// Its error is documented to be nil always: https://pkg.go.dev/crypto/rand#Read
	_, _ = rand.Read(iv)
	buffer = aead.Seal(buffer, iv, claims, buffer[:len(header)])

	text := make([]byte, 0, len(header)+len("....")+
		base64Len(ivSize)+base64Len(len(claims))+base64Len(tagSize))
	return jwe.AppendCompact(text, header, iv, buffer[start:end], buffer[end:]), nil
}

// Open implements ports.TokenCipher.
func (c *Cipher) Open(_ context.Context, _ group.ID, k key.Key, token jwe.Compact) ([]byte, error) {
	iv := token.IV()
	// The gate has looked at the length; the zero Compact has not been there, and
	// AEAD.Open panics on an IV of another length than its own.
	if len(iv) != ivSize && len(iv) != longIVSize {
		return nil, fmt.Errorf("jose: open with key %s: %w: no token has an IV of %d bytes", k.ID, ports.ErrBadTag, len(iv))
	}
	aead, err := newAEAD(k, len(iv))
	if err != nil {
		return nil, fmt.Errorf("jose: open with key %s: %w", k.ID, err)
	}
	claims, err := aead.Open(nil, iv, token.Sealed(), []byte(token.EncodedHeader()))
	if err != nil {
		return nil, fmt.Errorf("jose: open with key %s: %w", k.ID, ports.ErrBadTag)
	}
	return claims, nil
}

// newAEAD is AES-256-GCM under the bytes of the key's value as they stand. A
// key without material (destroyed, or read without it) is refused like one of
// another custody: there is nothing here to seal with.
func newAEAD(k key.Key, nonceSize int) (cipher.AEAD, error) {
	if k.Custody != key.Material {
		return nil, fmt.Errorf("%w: its custody is %s", ports.ErrCustody, k.Custody)
	}
	value := k.Secret.Reveal()
	if len(value) != key.SecretSize {
		return nil, fmt.Errorf("%w: its value has %d bytes, must have %d", ports.ErrCustody, len(value), key.SecretSize)
	}
	block, err := aes.NewCipher([]byte(value))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ports.ErrCustody, err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, nonceSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ports.ErrCustody, err)
	}
	return aead, nil
}

func base64Len(n int) int { return base64.RawURLEncoding.EncodedLen(n) }
