package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
)

// ErrTag is wrapped by the refusal of a change to something that is no longer as
// its sender saw it.
var ErrTag = errors.New("changed since it was read")

// Tag names one state of a resource: a strong entity tag (RFC 9110, section
// 8.8.3) of 16 hexadecimal digits in quotes.
type Tag string

// TagOf is the tag of v, which is what an administrator sees of a record and a
// store keeps: nothing that depends on the time, and no secret. v must have a
// JSON form.
func TagOf(v any) Tag {
	doc, err := json.Marshal(v)
	if err != nil { // no type that is handed in has none; a tag of nothing matches nothing
		return ""
	}
	sum := sha256.Sum256(doc)
	return Tag(`"` + hex.EncodeToString(sum[:8]) + `"`)
}

// Match is the condition of a change: the value of If-Match (RFC 9110, section
// 13.1.1), tags between commas. Empty and "*" let every state through.
type Match string

// Check returns [ErrTag] if the condition does not name the present state.
func (m Match) Check(present Tag) error {
	if m == "" || m == "*" {
		return nil
	}
	for tag := range strings.SplitSeq(string(m), ",") {
		// A weak tag never matches: it starts with W/.
		if present != "" && strings.Trim(tag, " \t") == string(present) {
			return nil
		}
	}
	return ErrTag
}
