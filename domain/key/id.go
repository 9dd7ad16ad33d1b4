// Package key answers: which embed secret may seal or open a token, and which
// one does when the caller names none?
package key

import (
	"encoding/hex"
	"errors"
	"fmt"

	"embedseal/domain/jwe"
)

// ErrInvalid is wrapped by every refusal of a constructor of this package.
var ErrInvalid = errors.New("invalid key")

// ID names an embed secret. It is the `kid` of the tokens sealed with it
// (RFC 7516 section 4.1.6): 1 to 128 characters of [A-Za-z0-9._-], and neither
// "." nor "..", so that it stands in a header, a path and a log line without
// being escaped.
type ID string

// ParseID refuses what is not an [ID]. The error wraps [ErrInvalid].
func ParseID(s string) (ID, error) {
	if !jwe.ValidKeyID(s) {
		return "", fmt.Errorf("%w: an id has 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', and is not '.' or '..'", ErrInvalid)
	}
	return ID(s), nil
}

// NewID makes the id that 16 random bytes stand for: a UUID of version 4
// (RFC 9562 section 5.4).
func NewID(random [16]byte) ID {
	random[6] = random[6]&0x0f | 0x40
	random[8] = random[8]&0x3f | 0x80
	text := hex.EncodeToString(random[:])
	return ID(text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:])
}
