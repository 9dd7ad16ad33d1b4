// Package replay answers: was this very thing made by this very request before?
//
// Whoever creates something may send a key of their own (the header
// Idempotency-Key). Its mark is kept in the record of what was made, so that the
// same request sent again finds it, on every replica and after a restart.
package replay

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxKey is how many characters a key may have.
const MaxKey = 128

const digestSize = 16

var (
	// ErrInvalid is wrapped by the refusal of what is no key, or no mark.
	ErrInvalid = errors.New("invalid idempotency key")
	// ErrOther is the refusal of a key that was used before, for another request.
	ErrOther = errors.New("the idempotency key was used for another request")
)

// Mark is what a record keeps of the request that made it: a digest of the key,
// and one of what was asked for. The zero value matches nothing.
type Mark struct{ key, request [digestSize]byte }

// Of is the mark of a request: key has 1 to 128 characters of printable ASCII,
// scope says what kind of thing is made and where, request is what was asked
// for, written in one way. An empty key gives the zero Mark. The error wraps
// [ErrInvalid] and does not hold the key.
func Of(key, scope string, request []byte) (Mark, error) {
	if key == "" {
		return Mark{}, nil
	}
	if len(key) > MaxKey {
		return Mark{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalid, len(key), MaxKey)
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return Mark{}, fmt.Errorf("%w: it is printable ASCII; byte %d is not", ErrInvalid, i)
		}
	}
	return Mark{key: digest(scope + "\x00" + key), request: digest(string(request))}, nil
}

// IsZero reports whether there is no mark.
func (m Mark) IsZero() bool { return m == Mark{} }

// Equal reports whether both are the same mark.
func (m Mark) Equal(other Mark) bool { return m == other }

// Made reports whether made is the mark of what this request made before. The
// error is [ErrOther] when the key was used for something else.
func (m Mark) Made(made Mark) (bool, error) {
	if m.IsZero() || made.IsZero() || subtle.ConstantTimeCompare(m.key[:], made.key[:]) != 1 {
		return false, nil
	}
	if subtle.ConstantTimeCompare(m.request[:], made.request[:]) != 1 {
		return false, ErrOther
	}
	return true, nil
}

// String is the mark as records keep it: 64 characters of lower-case hex, or
// nothing.
func (m Mark) String() string {
	if m.IsZero() {
		return ""
	}
	return hex.EncodeToString(m.key[:]) + hex.EncodeToString(m.request[:])
}

// Parse is the inverse of [Mark.String]. The error wraps [ErrInvalid].
func Parse(text string) (Mark, error) {
	if text == "" {
		return Mark{}, nil
	}
	raw, err := hex.DecodeString(text)
	m := Mark{}
	if err != nil || len(raw) != 2*digestSize {
		return Mark{}, fmt.Errorf("%w: a mark has %d hexadecimal digits", ErrInvalid, 4*digestSize)
	}
	copy(m.key[:], raw)
	copy(m.request[:], raw[digestSize:])
	if m.IsZero() || m.String() != text {
		return Mark{}, fmt.Errorf("%w: a mark is lower-case and not zero", ErrInvalid)
	}
	return m, nil
}

func digest(text string) (d [digestSize]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(d[:], sum[:])
	return d
}
