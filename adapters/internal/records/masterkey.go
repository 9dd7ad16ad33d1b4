package records

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"embedseal/domain/secret"
)

// MasterKeySize is the length of a master key, in bytes.
const MasterKeySize = 32

// ErrMasterKey is wrapped by the refusal of a text that is no master key.
var ErrMasterKey = errors.New("invalid master key")

// MasterKey is what a store is sealed under. It never prints. The zero value
// is no key, and nothing opens with it.
type MasterKey struct{ raw secret.Text }

// NewMasterKey makes the key of those random bytes.
func NewMasterKey(random [MasterKeySize]byte) MasterKey {
	return MasterKey{raw: secret.New(string(random[:]))}
}

// ParseMasterKey reads 32 bytes in base64 (either alphabet, padded or not) or
// in hex; white space around them is dropped. The error wraps [ErrMasterKey]
// and does not hold the text.
func ParseMasterKey(text string) (MasterKey, error) {
	raw, ok := decodeMasterKey(strings.TrimSpace(text))
	if !ok {
		return MasterKey{}, fmt.Errorf("%w: it is %d bytes in base64 (43 or 44 characters) or hex (64 characters)", ErrMasterKey, MasterKeySize)
	}
	if strings.Count(string(raw), string(raw[:1])) == len(raw) {
		return MasterKey{}, fmt.Errorf("%w: all its bytes are the same", ErrMasterKey)
	}
	return MasterKey{raw: secret.New(string(raw))}, nil
}

// decodeMasterKey tells the encodings apart by their length.
func decodeMasterKey(text string) ([]byte, bool) {
	if len(text) == hex.EncodedLen(MasterKeySize) {
		raw, err := hex.DecodeString(text)
		return raw, err == nil
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	raw, err := encoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
	// The decoder skips line breaks; a key is on one line.
	return raw, err == nil && len(raw) == MasterKeySize && !strings.ContainsAny(text, "\r\n")
}

// Text is the key in base64, as [ParseMasterKey] reads it.
func (k MasterKey) Text() secret.Text {
	return secret.New(base64.StdEncoding.EncodeToString([]byte(k.raw.Reveal())))
}

// IsZero reports whether there is no key.
func (k MasterKey) IsZero() bool { return k.raw.IsZero() }

// bytes is the key itself.
func (k MasterKey) bytes() []byte { return []byte(k.raw.Reveal()) }
