package key

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"embedseal/domain/secret"
)

const (
	// SecretSize is the length of an embed secret's value: 32 ASCII characters,
	// whose bytes are the key of A256GCM (RFC 7518 section 5.3) as they stand,
	// not decoded from base64 or hex.
	SecretSize = 32
	// SecretEntropy is how many random bytes a value of our own making holds.
	SecretEntropy = 24
)

// Secret is the value of an embed secret. It never prints. The zero value has
// no material: the key is destroyed, or lives in a custody that keeps it.
type Secret struct{ secret.Text }

// ParseSecret refuses a value that is not 32 printable ASCII characters. The
// error wraps [ErrInvalid] and does not hold the value.
func ParseSecret(value string) (Secret, error) {
	if err := checkValue(value); err != nil {
		return Secret{}, err
	}
	return Secret{secret.New(value)}, nil
}

// TrimSecret is [ParseSecret] of a value that was pasted: white space around it is
// left off, byte order marks and zero-width spaces included, and trimmed says
// that there was some. No value can begin or end with any.
func TrimSecret(text string) (s Secret, trimmed bool, err error) {
	value := strings.TrimFunc(text, func(c rune) bool { return unicode.IsSpace(c) || c == '\ufeff' || c == '\u200b' })
	s, err = ParseSecret(value)
	return s, err == nil && value != text, err
}

// NewSecret makes the value that 24 random bytes stand for: their base64url
// text, 192 bits in 32 characters.
func NewSecret(random [SecretEntropy]byte) Secret {
	return Secret{secret.New(base64.RawURLEncoding.EncodeToString(random[:]))}
}

// Equal compares two values in constant time.
func (s Secret) Equal(other Secret) bool { return s.Text.Equal(other.Text) }

func checkValue(value string) error {
	if len(value) != SecretSize {
		return fmt.Errorf("%w: a value has exactly %d characters, this one has %d bytes", ErrInvalid, SecretSize, len(value))
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return fmt.Errorf("%w: a value is printable ASCII without spaces; byte %d is not", ErrInvalid, i)
		}
	}
	return nil
}
