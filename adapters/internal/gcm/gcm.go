// Package gcm answers: how is a token opened by a process that has the key's
// material in hand?
package gcm

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"reflect"

	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

const (
	// IVSize is what RFC 7518 section 5.3 demands of every A256GCM token.
	IVSize = 12
	// longIVSize is what python-jose up to 3.3.0 writes instead:
	// https://github.com/mpdavis/python-jose/blob/3.3.0/jose/backends/cryptography_backend.py
	longIVSize = 16
	// TagSize is the length of an authentication tag.
	TagSize = 16
)

// Open returns the claims of a token that was sealed with k. Errors:
// ports.ErrBadTag, ports.ErrCustody.
func Open(k key.Key, token jwe.Compact) ([]byte, error) {
	iv := token.IV()
	// The gate has looked at the length; the zero Compact has not been there, and
	// AEAD.Open panics on an IV of another length than its own.
	if len(iv) != IVSize && len(iv) != longIVSize {
		return nil, fmt.Errorf("%w: no token has an IV of %d bytes", ports.ErrBadTag, len(iv))
	}
	aead, err := New(k, len(iv))
	if err != nil {
		return nil, err
	}
	claims, err := aead.Open(nil, iv, token.Sealed(), []byte(token.EncodedHeader()))
	if err != nil {
		return nil, ports.ErrBadTag
	}
	return claims, nil
}

// ofKept is the type of what is kept of a key, which the standard library does not name.
// It is kept as it is, and not within a type of ours: that would be one more place in
// memory for each token. Nobody but [ForSealing] keeps anything.
var ofKept = func() reflect.Type {
	made, err := New(key.Key{Custody: key.Material, Secret: key.NewSecret([key.SecretEntropy]byte{})}, IVSize)
	if err != nil {
		return nil // of nothing: then none is used again
	}
	return reflect.TypeOf(made)
}()

// ForSealing is [New] with IVs of 12 bytes, made once for as long as its key is kept:
// making it takes as long as sealing with it twice, and is half of what a mint would
// leave to the garbage collector.
func ForSealing(k *key.Sealer) (cipher.AEAD, error) {
	if made, ok := k.Made().(cipher.AEAD); ok && reflect.TypeOf(made) == ofKept && made.NonceSize() == IVSize {
		return made, nil
	}
	aead, err := New(*k.Key(), IVSize)
	if err != nil {
		return nil, err
	}
	k.Keep(aead)
	return aead, nil
}

// New is AES-256-GCM under the bytes of the key's value as they stand. A key
// without material (destroyed, or read without it) is refused like one of another
// custody: there is nothing here to seal with. The error wraps ports.ErrCustody.
func New(k key.Key, nonceSize int) (cipher.AEAD, error) {
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
