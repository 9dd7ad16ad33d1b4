package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apispec"
	"embedseal/domain/token"
)

// peer is what the standard library reads the same body into.
type peer struct {
	ProvidedID     *string   `json:"provided_id"`
	EmbedID        *string   `json:"embed_id"`
	KeyID          *string   `json:"key_id"`
	Expiration     *string   `json:"expiration"`
	ChartID        *string   `json:"chart_id"`
	Features       *[]string `json:"rb_allowed_features"`
	DisableEditing *bool     `json:"disable_editable_section_editing"`
	EmbedOrigin    *string   `json:"embed_origin"`
}

func (p peer) draft() token.Draft {
	d := token.Draft{
		ProvidedID: p.ProvidedID, EmbedID: p.EmbedID, KeyID: p.KeyID, Expiration: p.Expiration, ChartID: p.ChartID,
		EmbedOrigin: p.EmbedOrigin, DisableEditing: p.DisableEditing,
	}
	if p.Features != nil {
		d.Features = append([]string{}, *p.Features...)
	}
	return d
}

// hostile seeds both targets: every body of the refusals and some that pass.
func hostile(f *testing.F) {
	for _, r := range refusals() {
		if len(r.body) < 4096 {
			f.Add([]byte(r.body))
		}
	}
	for _, body := range []string{
		minimal, allEight, everythingWrong,
		`{"rb_allowed_features":null}`, `{"rb_allowed_features":[]}`, `{"rb_allowed_features":[ ]}`, `{"rb_allowed_features":["*"]}`,
		`{"rb_allowed_features":[[]]}`, `{"rb_allowed_features":[null,"flt"]}`, `{"RB_ALLOWED_FEATURES":[]}`, "{\"rb_allowed_feature\u017f\":[]}",
		`{"\u0070rovided_id":"\ud83d\ude00"}`, `{"provided_id":"\u0000\u007f\u2028"}`, `{"provided_id":"\\\"\/\b\f\n\r\t"}`,
		`{"disable_editable_section_editing":null,"key_id":null}`, `{"provided_id":1e999}`, `{"provided_id":-0}`, "\t{ } \r\n",
		`{"embed_id":"` + vector + `","provided_id":"` + apiToken("acme", "rw") + `"}`, `{"":"","":""}`, `{"a":{"b":{"c":[{},[],""]}}}`,
	} {
		f.Add([]byte(body))
	}
}

// What is accepted here, the standard library reads to the same values.
func FuzzDecodeDraft(f *testing.F) {
	hostile(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := httpapi.DecodeDraft(body)
		if err != nil {
			if !cmp.Equal(got, token.Draft{}) {
				t.Errorf("%q: a draft beside the error %v", body, err)
			}
			return
		}
		if len(got.Faults) > 8+17 {
			t.Errorf("%d faults", len(got.Faults))
		}
		if !json.Valid(body) {
			t.Fatalf("%q is no JSON", body)
		}
		if len(got.Faults) > 0 {
			return
		}
		var p peer
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&p); err != nil {
			t.Fatalf("%q: the standard library refuses it: %v", body, err)
		}
		if _, err := decoder.Token(); err != io.EOF {
			t.Fatalf("%q: something follows", body)
		}
		// Equal tells nil from empty: no list is the opposite of an empty one.
		if diff := cmp.Diff(p.draft(), got); diff != "" {
			t.Errorf("%q (-standard library +ours):\n%s", body, diff)
		}
	})
}

// Whatever the body, the answer is a token or a problem, and never ours to
// blame.
func FuzzHandler(f *testing.F) {
	hostile(f)
	var s *site
	f.Fuzz(func(t *testing.T, body []byte) {
		if s == nil {
			s = closed(t)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, route, bytes.NewReader(body))
		r.Header["Content-Type"] = []string{"application/json"}
		r.Header["Explo-Authorization"] = []string{"Token " + apiToken("acme", "rw")}
		spec(t).Handler(t, apispec.Public, s.server.Handler()).ServeHTTP(w, r)
		got := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
		switch w.Code {
		case http.StatusOK:
			got.jwt(t)
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge:
			got.problem(t)
		default:
			t.Fatalf("%q: %d %s", body, w.Code, got.body)
		}
		for _, e := range s.audit.take() {
			for _, rule := range e.Rules {
				if len(rule) > 64 || strings.ContainsAny(rule, " \n\"") {
					t.Errorf("%q: the record has the rule %q", body, rule)
				}
			}
		}
	})
}

// closed is a site that no longer listens, whose handler a fuzz target calls.
func closed(t *testing.T) *site {
	t.Helper()
	s := open(t)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.unwatch() // whoever calls the handler outlives t
	return s
}

// Whatever the batch, it is refused as a whole, or each of the requests that the
// standard library finds in it has an answer of its own.
func FuzzBatch(f *testing.F) {
	for _, r := range batchRefusals() {
		if len(r.body) < 4096 {
			f.Add([]byte(r.body))
		}
	}
	for _, body := range whatIsAsked() {
		f.Add([]byte(batchOf(body, minimal).body))
		f.Add([]byte(batchUnder(body, `{}`, minimal).body))
	}
	var s *site
	f.Fuzz(func(t *testing.T, body []byte) {
		if s == nil {
			s = closed(t)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, batchRoute, bytes.NewReader(body))
		r.Header["Content-Type"] = []string{"application/json"}
		r.Header["Explo-Authorization"] = []string{"Token " + apiToken("acme", "rw")}
		spec(t).Handler(t, apispec.Public, s.server.Handler()).ServeHTTP(w, r)
		got, events := answer{status: w.Code, header: w.Header(), body: w.Body.String()}, s.audit.take()
		if w.Code != http.StatusOK {
			if got.problem(t); w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge || len(events) != 1 {
				t.Fatalf("%q: %d %s, and %d records", body, w.Code, got.body, len(events))
			}
			return
		}
		var asked struct {
			Defaults *peer
			Requests []json.RawMessage
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			t.Fatalf("%q: the standard library refuses it: %v", body, err)
		}
		items := got.items(t)
		if len(items) != len(asked.Requests) || len(events) != len(items) {
			t.Fatalf("%q: %d items and %d records for %d requests", body, len(items), len(events), len(asked.Requests))
		}
		for i, code := range codes(t, items) {
			if e := events[i]; (code == "granted") != (e.Outcome == "granted") || e.Code != "" && e.Code != code {
				t.Errorf("%q: item %d is %s, and recorded as %+v", body, i, code, e)
			}
		}
	})
}
