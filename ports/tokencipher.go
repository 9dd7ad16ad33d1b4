package ports

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
)

// TokenCipher seals claims into a compact JWE with `alg=dir`, `enc=A256GCM`
// (RFC 7516 section 7.1, RFC 7518 section 5.3), and opens one.
//
// It looks at the key's custody and not at its state: whether a key may be
// used, the ring says. It is safe for concurrent use.
type TokenCipher interface {
	// Seal encrypts claims, a JSON object, under a fresh random 12-byte IV. The
	// header is {"alg":"dir","enc":"A256GCM","kid":"<k.ID()>"} and nothing else.
	// The text is the caller's to keep, and claims are the caller's again.
	//
	// Errors: ErrCustody, ErrUnavailable (and those that wrap it, such as
	// ErrCustodyUnavailable).
	Seal(ctx context.Context, g group.ID, k *key.Sealer, claims []byte) ([]byte, error)

	// Open returns the claims of a token that was sealed with k: 12- and 16-byte
	// IVs. It does not compare the token's kid with the key's id: the caller
	// found the key by it.
	//
	// Errors: ErrBadTag, ErrCustody (a custody that cannot open a 16-byte IV),
	// ErrUnavailable (and those that wrap it).
	Open(ctx context.Context, g group.ID, k key.Key, token jwe.Compact) ([]byte, error)
}
