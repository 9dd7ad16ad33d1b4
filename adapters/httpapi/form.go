package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"embedseal/domain/iso8601"
	"embedseal/domain/strictjson"
	"embedseal/domain/token"
)

// form is a JSON object with a closed list of members, on its way into values.
// What is wrong with single members is collected, so that all of it is reported
// at once: see [form.faulty].
type form struct {
	// prefix stands before the members' names in faults: "policy." for the members
	// of an object in an object.
	prefix string
	values map[string]strictjson.Value
	faults *faultList
}

// faultList is what is wrong with a body: known members first, in the order in
// which they are looked at.
type faultList struct{ known, unknown []token.Fault }

// form reads a body that must be there.
func (x *exchange) form(members ...string) (*form, error) {
	body, err := readBody(x.Writer, x.Request)
	if err != nil {
		return nil, err
	}
	x.body = body
	return newForm(body, members)
}

// optionalForm reads a body that may be left out, which is the same as an empty
// object.
func (x *exchange) optionalForm(members ...string) (*form, error) {
	if x.Request.ContentLength == 0 && len(x.Request.Header["Content-Type"]) == 0 {
		return emptyForm(), nil
	}
	return x.form(members...)
}

// emptyForm has no members, and takes faults.
func emptyForm() *form { return &form{faults: &faultList{}} }

func newForm(body []byte, members []string) (*form, error) {
	f := emptyForm()
	err := f.read(body, members)
	var detailed *strictjson.Error
	if errors.As(err, &detailed) {
		return nil, jsonFailure(detailed, members)
	}
	return f, err
}

// read takes the members of an object.
func (f *form) read(object []byte, members []string) error {
	f.values = map[string]strictjson.Value{}
	unknown := 0
	err := strictjson.Object(object, func(name string, v strictjson.Value) error {
		if slices.Contains(members, name) {
			f.values[name] = v
			return nil
		}
		if unknown++; unknown <= maxUnknown {
			fault := unknownMember(name, members)
			if fault.Field != notShown {
				fault.Field = f.prefix + fault.Field
			}
			f.faults.unknown = append(f.faults.unknown, fault)
		}
		return nil
	})
	if unknown > maxUnknown {
		f.faults.unknown = append(f.faults.unknown, moreUnknown(unknown-maxUnknown))
	}
	return err
}

// faulty is everything that was wrong, or nil.
func (f *form) faulty() error { return f.faults.err() }

func (l *faultList) err() error {
	if all := slices.Concat(l.known, l.unknown); len(all) > 0 {
		return &token.Invalid{Faults: all}
	}
	return nil
}

// fault says that a member is wrong.
func (f *form) fault(name, code, detail string) {
	f.faults.known = append(f.faults.known, token.Fault{Field: f.prefix + name, Code: code, Detail: detail})
}

// check takes the verdict of a constructor. Those of the domain repeat nothing of
// what they refuse.
func (f *form) check(name string, err error) {
	if err != nil {
		f.fault(name, token.FaultMalformed, err.Error())
	}
}

// given reports whether the member is there, as null or as a value.
func (f *form) given(name string) bool {
	_, there := f.values[name]
	return there
}

// null reports whether the member is there as null: in a patch, back to what it
// is without.
func (f *form) null(name string) bool {
	v, there := f.values[name]
	return there && v.Kind() == strictjson.Null
}

// text is a member that is a string; nil when it is absent or null.
func (f *form) text(name string) *string {
	return new(kept).keep(text(&f.faults.known, f.prefix+name, f.values[name]))
}

// words is text for people: no place for a token. Absent and null are empty.
func (f *form) words(name string, check func(string) error) string {
	s := f.text(name)
	if s == nil {
		return ""
	}
	if err := check(*s); err != nil {
		f.check(name, err)
	} else if what := misplaced(*s); what != "" {
		f.fault(name, token.FaultMalformed, what)
	}
	return *s
}

// required is text that has to be there.
func (f *form) required(name string) string {
	before := len(f.faults.known)
	s := f.text(name)
	if s != nil && *s != "" {
		return *s
	}
	if len(f.faults.known) == before {
		f.fault(name, token.FaultRequired, "a string is required")
	}
	return ""
}

// flag is a member that is true or false; nil when it is absent or null.
func (f *form) flag(name string) *bool {
	return flag(&f.faults.known, f.prefix+name, f.values[name])
}

// texts is a member that is a list of strings; nil when it is absent or null.
func (f *form) texts(name string, most int) []string {
	list := texts(&f.faults.known, f.prefix+name, f.values[name])
	if len(list) > most {
		f.fault(name, token.FaultTooLong, fmt.Sprintf("has %d elements, at most %d are allowed", len(list), most))
		return nil
	}
	return list
}

// each makes values of the strings of a list, and names the element that is wrong.
func each[T any](f *form, name string, most int, parse func(string) (T, error)) []T {
	var list []T
	for i, s := range f.texts(name, most) {
		v, err := parse(s)
		if err != nil {
			f.check(fmt.Sprintf("%s[%d]", name, i), err)
			continue
		}
		list = append(list, v)
	}
	return list
}

// duration is a member that is an ISO 8601 duration; zero when it is absent or
// null, or wrong.
func (f *form) duration(name string) iso8601.Duration {
	s := f.text(name)
	if s == nil {
		return iso8601.Duration{}
	}
	d, err := iso8601.Parse(*s)
	if err != nil {
		f.fault(name, token.DurationFault(err), err.Error())
	}
	return d
}

// A time of RFC 3339 is no longer than this.
const maxTime = 40

const notATime = "not a time such as 2026-01-31T10:00:00Z"

// time is a member that is a time with a zone (RFC 3339), in UTC to the second;
// zero when it is absent or null, or wrong.
func (f *form) time(name string) time.Time {
	s := f.text(name)
	if s == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil || len(*s) > maxTime {
		f.fault(name, token.FaultMalformed, notATime)
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// object is a member that is an object with those members; nil when it is absent
// or null, or wrong.
func (f *form) object(name string, members ...string) *form {
	v := f.values[name]
	if v.Kind() == strictjson.Null {
		return nil
	}
	if v.Kind() != strictjson.Map {
		wrongType(&f.faults.known, f.prefix+name, v, "an object or null")
		return nil
	}
	inner := &form{prefix: f.prefix + name + ".", faults: f.faults}
	if err := inner.read(v.Raw(), members); err != nil { // it was proved with what is around it
		f.check(name, err)
		return nil
	}
	return inner
}

// inField answers an error of that kind as the fault of one member.
func inField(name string, kind, err error) error {
	if !errors.Is(err, kind) {
		return err
	}
	return &failure{kind: kindInvalid, faults: []token.Fault{{Field: name, Code: token.FaultMalformed, Detail: kind.Error()}}, err: err}
}

// canonical is what was asked for, written in one way: whatever a client sends
// twice in different order or with other white space is the same request. The
// body was proved to be one object without ambiguity.
func canonical(body []byte) ([]byte, error) {
	v := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil && len(body) > 0 {
		return nil, fmt.Errorf("httpapi: read a body again: %w", err)
	}
	return encoded(v)
}
