package audit

import (
	"errors"
	"fmt"

	"embedseal/domain/charset"
	"embedseal/domain/secret"
)

// KeySize is the length of the key of a log, in bytes.
const KeySize = 32

// MAC is the HMAC-SHA-256 of a record and of the MAC before it; zero stands
// before the first.
type MAC [32]byte

// Head is a record of a log by its number, which counts from 1, and its MAC. The
// zero value stands before the first record.
type Head struct {
	Seq uint64
	MAC MAC
}

// State is what a store keeps of one log, so that whoever can change the file
// can neither forge a record of it nor cut off its end unnoticed. The zero value
// is that of a log that nobody has opened.
type State struct {
	// Key is what the log is chained with: KeySize bytes, or none.
	Key secret.Text
	// Head is a record that is on the disk for certain. Later ones may be there.
	Head Head
}

// MaxLog is the longest name of a log, in bytes.
const MaxLog = 40

// ErrLog is wrapped by the refusal of a name that no log can have.
var ErrLog = errors.New("invalid name of an audit log")

var ofLog = charset.Of(charset.Lower + charset.Digits + "-")

// ParseLog returns the name of a log: 1 to 40 characters of [a-z0-9-].
func ParseLog(name string) (string, error) {
	if name == "" || len(name) > MaxLog || !ofLog.HasAll(name) {
		return "", fmt.Errorf("%w: want 1 to %d of a-z, 0-9 and -", ErrLog, MaxLog)
	}
	return name, nil
}

// LogOf makes the name of a log from that of a host: what no name can hold
// becomes a hyphen, and what is too long is cut off.
func LogOf(host string) string {
	name := []byte(host)
	name = name[:min(len(name), MaxLog)]
	for i, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			name[i] = c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		default:
			name[i] = '-'
		}
	}
	if len(name) == 0 {
		return "unnamed"
	}
	return string(name)
}

// Check refuses a state that no log can have.
func (s State) Check() error {
	if n := len(s.Key.Reveal()); n != KeySize && (n != 0 || s.Head != Head{}) {
		return fmt.Errorf("%w: its key has %d bytes, want %d", ErrState, n, KeySize)
	}
	if (s.Head.Seq == 0) != (s.Head.MAC == MAC{}) {
		return fmt.Errorf("%w: its head contradicts itself", ErrState)
	}
	return nil
}

// ErrState is wrapped by the refusal of a state that no log can have.
var ErrState = errors.New("invalid state of an audit log")
