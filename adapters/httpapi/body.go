package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"embedseal/domain/apitoken"
	"embedseal/domain/jwe"
	"embedseal/domain/strictjson"
	"embedseal/domain/token"
)

// readBody returns the whole body of a request that carries JSON.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return readBodyUpTo(MaxBody, w, r)
}

// readBodyUpTo is readBody with another cap, in bytes.
func readBodyUpTo(most int64, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !isJSON(r.Header) {
		return nil, &failure{kind: kindMediaType}
	}
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	size := 512
	if r.ContentLength > 0 { // a promise: what is larger than MaxBody grows as it comes
		size = int(min(r.ContentLength, MaxBody))
	}
	from := r.Body
	if r.ContentLength < 0 { // else net/http reads no more than that
		from = http.MaxBytesReader(w, r.Body, most)
	}
	body, err := readAll(from, make([]byte, 0, size+1))
	if err != nil {
		return nil, bodyFailure(err, most)
	}
	return body, nil
}

func bodyFailure(err error, most int64) *failure {
	var beyond *http.MaxBytesError
	if errors.As(err, &beyond) {
		return tooLarge(most)
	}
	return &failure{kind: kindUnreadable, err: err}
}

// tooLarge is the refusal of a body of more than so many bytes.
func tooLarge(most int64) *failure {
	return &failure{kind: kindTooLarge, detail: fmt.Sprintf("the body is larger than %d bytes", most)}
}

// readAll is io.ReadAll into a buffer that fits.
func readAll(r io.Reader, into []byte) ([]byte, error) {
	for {
		if len(into) == cap(into) {
			into = append(into, 0)[:len(into)]
		}
		n, err := r.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		if errors.Is(err, io.EOF) {
			return into, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func isJSON(header http.Header) bool {
	if len(header["Content-Type"]) != 1 || len(header["Content-Encoding"]) > 0 {
		return false
	}
	value := header["Content-Type"][0]
	if value == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil || media != "application/json" {
		return false
	}
	for name, v := range params {
		if name != "charset" || !strings.EqualFold(v, "utf-8") {
			return false
		}
	}
	return true
}

// decodeDraft reads the members of a mint request. What is wrong with single
// members is left in the draft's Faults, so that all faults are reported at
// once; an error is a text that has no members to speak of.
func decodeDraft(body []byte) (token.Draft, error) {
	var d token.Draft
	unknown := 0
	room := make(kept, 0, 6)
	err := strictjson.Object(body, func(name string, v strictjson.Value) error {
		switch name {
		case token.FieldProvidedID:
			d.ProvidedID = room.keep(id(&d.Faults, name, v))
		case token.FieldEmbedID:
			d.EmbedID = room.keep(id(&d.Faults, name, v))
		case token.FieldKeyID:
			d.KeyID = room.keep(text(&d.Faults, name, v))
		case token.FieldExpiration:
			d.Expiration = room.keep(text(&d.Faults, name, v))
		case token.FieldChartID:
			d.ChartID = room.keep(id(&d.Faults, name, v))
		case token.FieldEmbedOrigin:
			d.EmbedOrigin = room.keep(text(&d.Faults, name, v))
		case token.FieldFeatures:
			d.Features = texts(&d.Faults, name, v)
		case token.FieldDisableEditing:
			d.DisableEditing = flag(&d.Faults, name, v)
		default:
			if unknown++; unknown <= maxUnknown {
				d.Faults = append(d.Faults, unknownMember(name, token.Fields()))
			}
		}
		return nil
	})
	if unknown > maxUnknown {
		d.Faults = append(d.Faults, moreUnknown(unknown-maxUnknown))
	}
	var detailed *strictjson.Error
	if errors.As(err, &detailed) {
		return token.Draft{}, jsonFailure(detailed, token.Fields())
	}
	return d, err
}

// jsonFailure says where the text is wrong. It repeats nothing of the text: a
// name may be a secret in the wrong place, unless it is a known one.
func jsonFailure(err *strictjson.Error, known []string) *failure {
	f := translate(errors.Unwrap(err))
	f.detail = fmt.Sprintf("%s (at byte %d)", f.kind.detail, err.Offset)
	if f.kind == kindDuplicate && slices.Contains(known, err.Name) {
		f.detail = fmt.Sprintf("%s stands there twice (at byte %d)", err.Name, err.Offset)
	}
	return f
}

// kept is one piece of memory for the optional texts of a body.
type kept []string

// keep is a text where it is given, and nil where it is not.
func (k *kept) keep(s string, given bool) *string {
	if !given {
		return nil
	}
	*k = append(*k, s)
	return &(*k)[len(*k)-1]
}

func wrongType(faults *[]token.Fault, name string, v strictjson.Value, want string) {
	*faults = append(*faults, token.Fault{
		Field: name, Code: token.FaultWrongType, Detail: fmt.Sprintf("is %s, must be %s", v.Kind(), want),
	})
}

// text is a member that is a string; given is false when it is absent, null or wrong.
func text(faults *[]token.Fault, name string, v strictjson.Value) (s string, given bool) {
	if v.Kind() == strictjson.Null {
		return "", false
	}
	s, ok := v.Text()
	if !ok {
		wrongType(faults, name, v, "a string")
	}
	return s, ok
}

// id takes any string but one that is certain to be in the wrong place: what
// passes here is put into tokens and audit records.
func id(faults *[]token.Fault, name string, v strictjson.Value) (s string, given bool) {
	s, given = text(faults, name, v)
	if !given || len(s) > token.MaxID { // refused for that
		return s, given
	}
	if what := misplaced(s); what != "" {
		*faults = append(*faults, token.Fault{Field: name, Code: token.FaultMalformed, Detail: what})
		return "", false
	}
	return s, true
}

// misplaced says what s is, if that has no place in a record.
func misplaced(s string) (what string) {
	if apitoken.In(s) {
		return "is an API token, or holds one; it belongs in a header only"
	}
	const begin = "eyJ" // how every header of a token begins
	for i := strings.Index(s, begin); i >= 0; i = strings.Index(s, begin) {
		s = s[i:]
		end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && r != '_' && r != '-' && !alphanumeric(r) })
		if end < 0 {
			end = len(s)
		}
		if _, err := jwe.ParseCompact(s[:end]); err == nil {
			return "is an embed token, or holds one, and not an id"
		}
		s = s[len(begin):]
	}
	return ""
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func flag(faults *[]token.Fault, name string, v strictjson.Value) *bool {
	if v.Kind() == strictjson.Null {
		return nil
	}
	b, ok := v.Bool()
	if !ok {
		wrongType(faults, name, v, "true, false or null")
		return nil
	}
	return &b
}

func texts(faults *[]token.Fault, name string, v strictjson.Value) []string {
	if v.Kind() == strictjson.Null {
		return nil
	}
	elements := v.Elements()
	if elements == nil {
		wrongType(faults, name, v, "an array of strings or null")
		return nil
	}
	words := make([]string, len(elements))
	for i, e := range elements {
		word, ok := e.Text()
		if !ok {
			wrongType(faults, name, e, "an array of nothing but strings")
			return nil
		}
		words[i] = word
	}
	return words
}
