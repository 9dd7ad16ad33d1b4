// Package secret answers: how does a value travel through the program without
// ever being printed?
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Redacted is what every printing of a secret shows.
const Redacted = "[redacted]"

// Text is a secret that never prints: every verb of fmt,
// encoding/json and log/slog shows [Redacted]. The zero value holds nothing.
//
// The value lies behind a pointer, because fmt calls no method on what it
// reaches through an unexported field: there it shows an address.
type Text struct{ value *string }

// New wraps value. An empty value gives the zero Text.
func New(value string) Text {
	if value == "" {
		return Text{}
	}
	return Text{value: &value}
}

// Reveal returns the value. Every call of it is a place to audit.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether there is no value.
func (t Text) IsZero() bool { return t.value == nil }

// Equal compares in constant time, but for the length.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String implements fmt.Stringer.
func (t Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (t Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, for the verbs that ask no Stringer.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler; log/slog asks it too.
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
