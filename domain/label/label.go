// Package label answers: may this text stand beside an id, for people to read?
//
// Labels are kept byte for byte as they were given. What is refused is what
// would deceive whoever reads a list or a log of them.
package label

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// ErrInvalid is wrapped by every refusal. No error repeats the text.
var ErrInvalid = errors.New("invalid text")

// The longest texts, in bytes.
const (
	MaxName = 100
	MaxNote = 1000
)

// CheckName refuses what is no name: more than [MaxName] bytes, not UTF-8, or
// with a character that controls a terminal, a line or the direction of writing.
// The empty text is a name. The error wraps [ErrInvalid].
func CheckName(s string) error { return check(s, MaxName, "") }

// CheckNote is [CheckName] for a text of up to [MaxNote] bytes, in lines.
func CheckNote(s string) error { return check(s, MaxNote, "\n\t") }

func check(s string, longest int, allowed string) error {
	if len(s) > longest {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalid, len(s), longest)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: it is not UTF-8", ErrInvalid)
	}
next:
	for i, r := range s {
		for _, a := range allowed {
			if r == a {
				continue next
			}
		}
		if controls(r) {
			return fmt.Errorf("%w: the character at byte %d is a control character", ErrInvalid, i)
		}
	}
	return nil
}

// controls reports whether r changes how the text around it is shown: C0 and C1
// (Unicode's Cc), line and paragraph separators (Zl, Zp), and what embeds,
// overrides or isolates a direction (UAX #9, section 2).
func controls(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
