package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"embedseal/ports"
)

// format is the "v" of every document.
const format = 1

// ErrInvalid is wrapped by the refusal of a value that cannot be stored as it
// is, and that no constructor of the domain has refused.
var ErrInvalid = errors.New("cannot be stored")

// encode writes the document d. what names it in errors.
func encode(what string, d any) ([]byte, error) {
	doc, err := json.Marshal(d)
	if err != nil { // a year that RFC 3339 cannot write
		return nil, fmt.Errorf("codec: encode %s: %w: %w", what, ErrInvalid, err)
	}
	return doc, nil
}

// decode reads the JSON of doc into d, the pointer to a document. No error
// repeats what was read.
func decode(what string, doc []byte, d any) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return unreadable(what, "it is not a document of this format")
	}
	return nil
}

// canonical refuses a document that is not what its value is encoded as.
func canonical(what string, doc, again []byte, err error) error {
	if err != nil || !bytes.Equal(doc, again) {
		return unreadable(what, "it is not written the one way that it is written")
	}
	return nil
}

// unreadable does not wrap the refusal of a constructor: to the caller a
// damaged record is not an invalid argument.
func unreadable(what, why string) error {
	return fmt.Errorf("codec: decode %s: %w: %s", what, ports.ErrCorrupt, why)
}

// text refuses what JSON would change silently.
func text(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("codec: encode %s: %w: a text is not UTF-8", what, ErrInvalid)
	}
	return nil
}

// instant is how documents write a time: in UTC; never is left out.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// fromInstant is the inverse of instant.
func fromInstant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
