// Package strictjson answers: is this text exactly one JSON object, with nothing in it that two readers could read differently?
//
// It reads RFC 8259 without any leniency, and refuses what RFC 7493 (I-JSON) calls a danger to interoperability: a member name that
// occurs twice at any depth (section 2.3), text that is not UTF-8 and an escape that is half a surrogate pair (section 2.1). Nesting is
// limited to MaxDepth.
//
// # Caveats
//
// The size of the text is for the caller to limit. The magnitude and the precision of a number are not judged: Raw gives its exact
// spelling. Unicode noncharacters such as U+FFFE are let through, because every reader reads them alike.
package strictjson

import (
	"strings"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may be open at once, the outermost object included.
const MaxDepth = 32

// Object proves that the whole of data is one JSON object (RFC 8259 section 4) with white space around it at most, and then calls member
// for each of its own members in the order of the text, with the decoded name. Before the last byte was proved nothing is reported. An
// error from member ends the walk and is returned as it is.
//
// A refusal is an *Error that wraps exactly one of ErrSyntax, ErrNotObject, ErrDuplicate, ErrTrailing, ErrUTF8, ErrDepth. Invalid UTF-8
// is named before any other fault, then the first fault in reading order.
//
// Time is linear in the length of data. Names and strings without escapes share one copy of data: keep strings.Clone of a small piece that
// has to outlive a large text. Value.Raw alone looks into data itself.
func Object(data []byte, member func(name string, v Value) error) error {
	if at := firstInvalid(data); at >= 0 {
		return &Error{Offset: at, err: ErrUTF8}
	}
	s := scanner{text: string(data)}
	if err := s.document(); err != nil {
		return err
	}
	return report(data, s.text, member)
}

// report walks over the members of the proved object that text, the copy of data, consists of.
func report(data []byte, text string, member func(name string, v Value) error) error {
	for at := skipSpace(text, skipSpace(text, 0)+1); text[at] != '}'; {
		end := valueEnd(text, at)
		name := unquote(text[at:end])
		start := skipSpace(text, skipSpace(text, end)+1)
		end = valueEnd(text, start)
		if err := member(name, Value{raw: data[start:end:end], text: text[start:end]}); err != nil {
			return err
		}
		if at = skipSpace(text, end); text[at] == ',' {
			at = skipSpace(text, at+1)
		}
	}
	return nil
}

const byteOrderMark = "\ufeff"

// firstInvalid is the offset of the first byte that is not UTF-8, 0 for a byte order mark (RFC 8259 section 8.1), -1 when there is none.
func firstInvalid(data []byte) int {
	if strings.HasPrefix(string(data[:min(len(data), len(byteOrderMark))]), byteOrderMark) {
		return 0
	}
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
}
