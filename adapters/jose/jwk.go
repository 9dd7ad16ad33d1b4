package jose

import (
	"encoding/json"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"

	"embedseal/domain/key"
	"embedseal/ports"
)

// maxJWK is the longest JSON Web Key that ImportJWK reads, in bytes. One of ours
// has about a hundred.
const maxJWK = 4096

// ImportJWK reads an embed secret from a symmetric JSON Web Key (RFC 7517,
// RFC 7518 section 6.4): `kty` is oct and the bytes of `k` are the value. `alg`
// may be absent, A256GCM or dir, `use` absent or enc. The id is empty when there
// is no `kid`. The error wraps [key.ErrInvalid] and holds nothing of the value.
func ImportJWK(data []byte) (key.ID, key.Secret, error) {
	if len(data) > maxJWK {
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w: %d bytes, at most %d", key.ErrInvalid, len(data), maxJWK)
	}
	var jwk gojose.JSONWebKey
	// What go-jose says is left out: it quotes from its input.
	if json.Unmarshal(data, &jwk) != nil {
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w: not a JSON Web Key", key.ErrInvalid)
	}
	value, symmetric := jwk.Key.([]byte)
	switch {
	case !symmetric:
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w: kty must be oct", key.ErrInvalid)
	case jwk.Algorithm != "" && jwk.Algorithm != string(gojose.A256GCM) && jwk.Algorithm != string(gojose.DIRECT):
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w: alg must be absent, A256GCM or dir", key.ErrInvalid)
	case jwk.Use != "" && jwk.Use != "enc":
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w: use must be absent or enc", key.ErrInvalid)
	}
	secret, err := key.ParseSecret(string(value))
	if err != nil {
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w", err)
	}
	if jwk.KeyID == "" {
		return "", secret, nil
	}
	id, err := key.ParseID(jwk.KeyID)
	if err != nil {
		return "", key.Secret{}, fmt.Errorf("jose: import JWK: %w", err)
	}
	return id, secret, nil
}

// ExportJWK writes k as a symmetric JSON Web Key with `kty`, `kid` and `k`, the
// value in the clear. There is no `alg`: the `jose` command takes a key with none
// or A256GCM, and refuses "dir". The error wraps ports.ErrCustody for a key
// whose material is not in hand.
func ExportJWK(k key.Key) ([]byte, error) {
	if k.Custody != key.Material || k.Secret.IsZero() {
		return nil, fmt.Errorf("jose: export key %s: %w: its material is not in hand", k.ID, ports.ErrCustody)
	}
	data, err := gojose.JSONWebKey{Key: []byte(k.Secret.Reveal()), KeyID: string(k.ID)}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("jose: export key %s: %w", k.ID, err)
	}
	return data, nil
}
