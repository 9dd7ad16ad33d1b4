package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/domain/audit"
)

// refusal is a request, and what it must be answered with.
type refusal struct {
	name string
	request
	status int
	code   string
	// fields are the faults, in the order in which they are reported.
	fields []string
	// says is what the body must hold, beside its members.
	says string
	// header must be among the answer's.
	header http.Header
	// unrecorded marks a request that never reached the minting route.
	unrecorded bool
}

// refusals is every one of them; the tables stand in the files of their
// subjects.
func refusals() []refusal {
	return slices.Concat(bodyRefusals(), fieldRefusals(), callerRefusals(), keyRefusals(), transportRefusals(), queryRefusals())
}

func TestEveryRefusalHasItsStatusCodeAndFields(t *testing.T) {
	s := open(t)
	all := refusals()
	if len(all) < 80 {
		t.Fatalf("only %d refusals are tested", len(all))
	}
	names := map[string]bool{}
	for _, r := range all {
		if names[r.name] {
			t.Fatalf("two refusals are called %q", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			s.audit.take()
			s.clock.advance(time.Second) // strangers are recorded once in each
			got := s.send(t, r.request)
			if got.status != r.status {
				t.Fatalf("status %d, want %d: %s", got.status, r.status, got.body)
			}
			for name, want := range r.header {
				if !slices.Equal(got.header[name], want) {
					t.Errorf("%s is %q, want %q", name, got.header[name], want)
				}
			}
			if got.header.Get("Location") != "" {
				t.Error("it is a redirect")
			}
			if r.method == http.MethodHead {
				return // an answer to HEAD has no body
			}
			p := got.problem(t)
			if p.Code != r.code || !slices.Equal(p.fields(), r.fields) {
				t.Errorf("code %s, fields %q, want %s, %q", p.Code, p.fields(), r.code, r.fields)
			}
			if !strings.Contains(got.body, r.says) {
				t.Errorf("%s does not say %q", got.body, r.says)
			}
			r.checkRecord(t, s.audit.take(), p)
		})
	}
}

// checkRecord: one record for each refusal of the minting route.
func (r refusal) checkRecord(t *testing.T, events []audit.Event, p problem) {
	t.Helper()
	if r.unrecorded {
		if len(events) != 0 {
			t.Errorf("recorded as %+v", events)
		}
		return
	}
	if len(events) != 1 {
		t.Fatalf("recorded %d times, want once", len(events))
	}
	e := events[0]
	if e.Action != audit.ActionMint || e.Outcome != audit.Refused || e.Code != p.Code || e.RequestID != p.RequestID ||
		e.Remote != "127.0.0.1" || e.Time.IsZero() || !e.Fingerprint.IsZero() {
		t.Errorf("the record is %+v", e)
	}
	var rules []string
	for _, f := range p.Errors {
		if f.Code == "unknown_member" {
			rules = append(rules, f.Code)
		} else {
			rules = append(rules, f.Field+":"+f.Code)
		}
	}
	if !slices.Equal(e.Rules, rules) {
		t.Errorf("the record has the rules %q, want %q", e.Rules, rules)
	}
	known := p.Status != http.StatusUnauthorized && p.Code != "browser_refused"
	if known != (e.Group == "acme") || known != (e.TokenID != "") {
		t.Errorf("the record names the caller %s/%s", e.Group, e.TokenID)
	}
}

// bodyRefusals are bodies that are no request at all.
func bodyRefusals() []refusal {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	rows := []struct{ name, body, code, says string }{
		{"no body", "", "malformed_json", "at byte 0"},
		{"white space only", " \n", "malformed_json", ""},
		{"an object cut short", `{"provided_id":"a"`, "malformed_json", "at byte 18"},
		{"single quotes", `{'provided_id':'a','embed_id':'b'}`, "malformed_json", "at byte 1"},
		{"a comma too many", `{"provided_id":"a","embed_id":"b",}`, "malformed_json", ""},
		{"a comment", `{"provided_id":"a"/**/,"embed_id":"b"}`, "malformed_json", ""},
		{"a raw line break in a string", "{\"provided_id\":\"a\n\",\"embed_id\":\"b\"}", "malformed_json", ""},
		{"NaN", `{"provided_id":NaN}`, "malformed_json", ""},
		{"a number with a leading zero", `{"provided_id":01}`, "malformed_json", ""},
		{"an unknown escape", `{"provided_id":"\x41"}`, "malformed_json", ""},
		{"nested too deep", `{"provided_id":` + deep + `}`, "malformed_json", ""},
		{"a form", "provided_id=a&embed_id=b", "malformed_json", ""},
		{"a NUL byte", "{\"provided_id\":\"a\x00\"}", "malformed_json", ""},
		{"an array", `[` + minimal + `]`, "not_an_object", ""},
		{"a string", `"provided_id"`, "not_an_object", ""},
		{"null", `null`, "not_an_object", ""},
		{"a number", `1`, "not_an_object", ""},
		{"a second object", minimal + minimal, "trailing_data", fmt.Sprintf("at byte %d", len(minimal))},
		{"a word after the object", minimal + " x", "trailing_data", ""},
		{"a NUL byte after the object", minimal + "\x00", "trailing_data", ""},
		{"a member twice", `{"provided_id":"a","embed_id":"b","provided_id":"a"}`, "duplicate_member", "provided_id stands there twice"},
		{"a member twice, once escaped", `{"provided_id":"a","embed_id":"b","provided\u005fid":"c"}`, "duplicate_member", "provided_id stands there twice"},
		{"null and a value", `{"provided_id":"a","embed_id":"b","key_id":null,"key_id":"c"}`, "duplicate_member", "key_id"},
		{"an unknown member twice", `{"x":1,"x":2}`, "duplicate_member", "a member of the body stands there twice"},
		{"a member twice further in", `{"provided_id":{"a":1,"a":2}}`, "duplicate_member", ""},
		{"Latin-1", "{\"provided_id\":\"B\xfccher\",\"embed_id\":\"b\"}", "invalid_utf8", "at byte 17"},
		{"an overlong encoding", "{\"provided_id\":\"\xc0\xaf\",\"embed_id\":\"b\"}", "invalid_utf8", ""},
		{"a surrogate in UTF-8", "{\"provided_id\":\"\xed\xa0\x80\",\"embed_id\":\"b\"}", "invalid_utf8", ""},
		{"half a surrogate pair, escaped", `{"provided_id":"\ud83d","embed_id":"b"}`, "invalid_utf8", ""},
		{"a surrogate pair the wrong way round", `{"provided_id":"\ude00\ud83d","embed_id":"b"}`, "invalid_utf8", ""},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", "invalid_utf8", ""},
		{"a byte order mark", "\ufeff" + minimal, "invalid_utf8", "at byte 0"},
		{"UTF-16", "{\x00\"\x00p\x00", "malformed_json", ""},
	}
	var all []refusal
	for _, r := range rows {
		all = append(all, refusal{name: r.name, request: request{body: r.body}, status: http.StatusBadRequest, code: r.code, says: r.says})
	}
	return all
}
