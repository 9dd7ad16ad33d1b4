package token

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"embedseal/domain/jwe"
)

// Fingerprint is the SHA-256 of a token's one canonical text. It names a token
// in audit records and on deny-lists, and says nothing of what is in it.
type Fingerprint [sha256.Size]byte

// FingerprintOf takes a token that passed every textual check, so that two
// spellings of one token cannot have two fingerprints.
func FingerprintOf(c jwe.Compact) Fingerprint { return sha256.Sum256([]byte(c.Text())) }

// FingerprintOfSealed takes the text that a cipher of ours has just made.
func FingerprintOfSealed(text []byte) Fingerprint { return sha256.Sum256(text) }

// String is the fingerprint in lower-case hex.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint is the inverse of [Fingerprint.String]. No error repeats the text.
func ParseFingerprint(text string) (Fingerprint, error) {
	var f Fingerprint
	raw, err := hex.DecodeString(text)
	if err == nil && len(raw) == len(f) {
		copy(f[:], raw)
	}
	if f.IsZero() || f.String() != text {
		return Fingerprint{}, fmt.Errorf("a fingerprint has %d digits of lower-case hex", 2*len(f))
	}
	return f, nil
}

// IsZero reports whether there is no fingerprint.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }
