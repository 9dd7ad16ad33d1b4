package strictjson

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is which of the six kinds of JSON value (RFC 8259 section 3) a Value is.
type Kind uint8

// The kinds. An object is called Map here, because Object is the function that reads one.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Map
)

// String gives words that fit after "is": "a string", "null".
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Array:
		return "an array"
	case Map:
		return "an object"
	}
	return "an unknown kind"
}

// Value is one value inside a text that was proved well formed. The zero Value is null.
type Value struct {
	raw  []byte // a view into the caller's data
	text string // the same bytes, in a copy that cannot change
}

// Kind says what the value is.
func (v Value) Kind() Kind {
	if v.text == "" {
		return Null
	}
	switch v.text[0] {
	case '{':
		return Map
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// Text gives the decoded string, and false for a value that is not a string.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return unquote(v.text), true
}

// Bool gives the boolean, and ok = false for a value that is not one.
func (v Value) Bool() (value, ok bool) {
	return v.text == "true", v.Kind() == Bool
}

// Raw gives the exact bytes of the value, without white space around it. They are a view into the data that Object was given: they are
// for reading only, and good for as long as that data stays as it is.
func (v Value) Raw() []byte { return v.raw }

// Elements gives the elements of an array in order, not nil when it is empty, and nil for a value that is not an array.
func (v Value) Elements() []Value {
	if v.Kind() != Array {
		return nil
	}
	elements := make([]Value, 0, 4)
	for at := skipSpace(v.text, 1); v.text[at] != ']'; {
		end := valueEnd(v.text, at)
		elements = append(elements, Value{raw: v.raw[at:end:end], text: v.text[at:end]})
		if at = skipSpace(v.text, end); v.text[at] == ',' {
			at = skipSpace(v.text, at+1)
		}
	}
	return elements
}

// valueEnd is where the value that begins at start ends, in text that was proved.
func valueEnd(text string, start int) int {
	open := 0
	for at := start; ; at++ {
		switch text[at] {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			if open == 0 {
				return at + 1
			}
		case '[', '{':
			open++
		case ']', '}':
			if open--; open == 0 {
				return at + 1
			}
			if open < 0 {
				return at
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if open == 0 {
				return at
			}
		}
	}
}

// unquote decodes a proved string with its quotes (RFC 8259 section 7).
func unquote(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	escape := strings.IndexByte(inner, '\\')
	if escape < 0 {
		return inner
	}
	decoded := make([]byte, 0, len(inner))
	for escape >= 0 {
		decoded = append(decoded, inner[:escape]...)
		c := inner[escape+1]
		inner = inner[escape+2:]
		switch c {
		case 'b':
			decoded = append(decoded, '\b')
		case 'f':
			decoded = append(decoded, '\f')
		case 'n':
			decoded = append(decoded, '\n')
		case 'r':
			decoded = append(decoded, '\r')
		case 't':
			decoded = append(decoded, '\t')
		case 'u':
			r, _ := hex4(inner)
			inner = inner[4:]
			if utf16.IsSurrogate(r) {
				low, _ := hex4(inner[2:])
				r, inner = utf16.DecodeRune(r, low), inner[6:]
			}
			decoded = utf8.AppendRune(decoded, r)
		default: // a quote, a backslash or a slash stands for itself
			decoded = append(decoded, c)
		}
		escape = strings.IndexByte(inner, '\\')
	}
	return string(append(decoded, inner...))
}

// hex4 reads the four hexadecimal digits that text begins with.
func hex4(text string) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[:4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
