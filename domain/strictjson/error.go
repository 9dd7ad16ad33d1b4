package strictjson

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Why a text is refused. Every *Error wraps exactly one of these.
var (
	// ErrSyntax says that the text does not follow the grammar of RFC 8259.
	ErrSyntax = errors.New("text is not well-formed JSON")
	// ErrNotObject says that the text begins with a value of another kind.
	ErrNotObject = errors.New("outermost value is not an object")
	// ErrDuplicate says that one object has two members of the same decoded name (RFC 7493 section 2.3).
	ErrDuplicate = errors.New("member name occurs twice in one object")
	// ErrTrailing says that something other than white space follows the object.
	ErrTrailing = errors.New("something follows the object")
	// ErrUTF8 says that the text is not UTF-8, begins with a byte order mark, or escapes half a surrogate pair (RFC 7493 section 2.1).
	ErrUTF8 = errors.New("text is not Unicode in UTF-8")
	// ErrDepth says that more than MaxDepth objects and arrays are open at once.
	ErrDepth = errors.New("objects and arrays are nested too deeply")
)

// maxName caps, in bytes, how much of a hostile name an error carries.
const maxName = 64

// Error is the refusal of a text.
type Error struct {
	// Offset is the position, in bytes from 0, of the first byte that is wrong; the length of the text when it ends too early; the
	// opening quote of the second name for ErrDuplicate; the opening bracket that is one too many for ErrDepth.
	Offset int
	// Name is the decoded member name for ErrDuplicate, cut after at most 64 bytes, and empty otherwise. It is text that a stranger
	// wrote: quote it before it is shown.
	Name string

	err error
}

// Error says what is wrong and where. It quotes the name in ASCII and nothing else of the text.
func (e *Error) Error() string {
	text := "strictjson: " + e.err.Error() + " at byte " + strconv.Itoa(e.Offset)
	if e.Name != "" {
		text += ": " + strconv.QuoteToASCII(e.Name)
	}
	return text
}

// Unwrap gives the sentinel.
func (e *Error) Unwrap() error { return e.err }

// capped is a copy of the first maxName bytes of name at most, without half a character at the end.
func capped(name string) string {
	if len(name) > maxName {
		end := maxName
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	return strings.Clone(name)
}
