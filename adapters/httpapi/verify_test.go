package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/httpapi"
	"embedseal/adapters/jose"
	attack "embedseal/adapters/jose/hostile"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

const verifyRoute = "/api/verify_jwt/"

// verified is an answer to a token, whichever it is.
type verified struct {
	Success   int      `json:"success"`
	Active    bool     `json:"active"`
	Reason    string   `json:"reason"`
	Customer  string   `json:"provided_id"`
	Embed     string   `json:"embed_id"`
	Chart     *string  `json:"chart_id"`
	Features  []string `json:"rb_allowed_features"`
	NoEditing *bool    `json:"disable_editable_section_editing"`
	Origin    *string  `json:"embed_origin"`
	KeyID     string   `json:"key_id"`
	IssuedAt  *string  `json:"issued_at"`
	ExpiresAt string   `json:"expires_at"`
	Left      *int     `json:"expires_in"`
	Print     string   `json:"fingerprint"`
}

func (a answer) verified(t *testing.T) verified {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	a.checkHeaders(t, "application/json")
	var v verified
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if v.Success != 1 || v.Active != (v.Reason == "") {
		t.Errorf("it contradicts itself: %s", a.body)
	}
	return v
}

// presenting is a request to verify; the token and further members.
func presenting(jwt string, members ...string) request {
	text, err := json.Marshal(jwt)
	if err != nil {
		text = []byte(`""`)
	}
	return request{
		path: verifyRoute, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("acme", "ro")},
		body: "{" + strings.Join(append([]string{`"jwt":` + string(text)}, members...), ",") + "}",
	}
}

// sealed is a token with a key of the site.
func sealed(t *testing.T, kid, claims string) string {
	t.Helper()
	value, err := key.ParseSecret(values()[kid])
	if err != nil {
		t.Fatal(err)
	}
	text, err := jose.New().Seal(t.Context(), "", key.NewSealer(key.Key{ID: key.ID(kid), Custody: key.Material, Secret: value}), []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATokenThatWasMintedIsVerified(t *testing.T) {
	s := open(t)
	minted := s.send(t, request{body: `{"provided_id":"cüst \"1\" <b>","embed_id":"abcde","expiration":"PT1H",` +
		`"rb_allowed_features":["core"],"disable_editable_section_editing":true,"embed_origin":"https://a.example"}`}).jwt(t)
	want := `{"success": 1, "active": true, "provided_id": "cüst \"1\" \u003cb\u003e", "embed_id": "abcde", "chart_id": null, ` +
		`"rb_allowed_features": ["core", "crt-view", "fork"], "disable_editable_section_editing": true, "embed_origin": "https://a.example/", ` +
		`"key_id": "` + defaultKey + `", "issued_at": "2026-01-31T10:00:00Z", "expires_at": "2026-01-31T11:00:00Z", "expires_in": 3599, ` +
		`"fingerprint": "` + token.FingerprintOfSealed([]byte(minted)).String() + `"}` + "\n"
	for _, path := range []string{verifyRoute, strings.TrimSuffix(verifyRoute, "/")} {
		r := presenting(minted, `"embed_origin":"HTTPS://A.example:443/"`, `"embed_id":"abcde"`, `"chart_id":null`)
		r.path = path
		got := s.send(t, r)
		got.verified(t)
		if diff := cmp.Diff(want, got.body); diff != "" {
			t.Errorf("%s: -want +got:\n%s", path, diff)
		}
	}
	minted = s.send(t, request{}.with(minimal)).jwt(t)
	got := s.send(t, presenting(minted)).verified(t)
	if got.Origin != nil || got.Chart != nil || *got.NoEditing || len(got.Features) != 5 {
		t.Errorf("what was not said is %+v", got)
	}
	if n := s.meter.verified["active"]; n != 3 || len(s.meter.verified) != 1 {
		t.Errorf("counted %v", s.meter.verified)
	}
}

func (r request) with(body string) request {
	r.body = body
	return r
}

func TestATokenOfSomebodyElseIsVerified(t *testing.T) {
	s := open(t)
	for _, v := range []string{ // docs: python-jose made them, with both lengths of IV and a float
		`{"cst":"c","dsh":"d","exp":1769857200.75,"rb_allowed_features":["flt"]}`,
		`{"exp": 1769857200, "dsh": "d", "cst": "c", "cht": "x", "rbc": [], "nbf": 1769853600}`,
	} {
		got := s.send(t, presenting(sealed(t, namedKey, v))).verified(t)
		if !got.Active || got.Customer != "c" || got.IssuedAt != nil || got.KeyID != namedKey || *got.Left != 3599 && *got.Left != 3600 {
			t.Errorf("%s: %+v", v, got)
		}
	}
}

func TestEveryHostileTokenIsAnsweredWithItsReason(t *testing.T) {
	s := open(t)
	ring, err := attack.Ring(s.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keys.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { return ring, nil }); err != nil {
		t.Fatal(err)
	}
	rows, err := attack.Rows(s.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		var members []string
		for name, given := range map[string]*string{"embed_origin": r.Origin, "embed_id": r.Embed, "chart_id": r.Chart} {
			if given != nil {
				members = append(members, fmt.Sprintf("%q:%q", name, *given))
			}
		}
		if strings.ContainsRune(strings.ToValidUTF8(r.Text, "\ufffd"), '\ufffd') {
			continue // no JSON holds it
		}
		if got := s.send(t, presenting(r.Text, members...)).verified(t); got.Reason != string(r.Reason) {
			t.Errorf("line %d, %s: %q, want %q", r.Line, r.Sentence, got.Reason, r.Reason)
		}
	}
	for _, reason := range verdict.Reasons() {
		if s.meter.verified[string(reason)] == 0 && reason != verdict.Revoked {
			t.Errorf("no %s is counted", reason)
		}
	}
}

type revoked bool

func (r revoked) Revoked(context.Context, group.ID, token.Fingerprint, token.Claims, key.ID) (bool, error) {
	if !r {
		return false, broken(ports.ErrUnavailable)
	}
	return true, nil
}

func TestARevokedTokenIsNotGoodAndUnknownIsNotGranted(t *testing.T) {
	s := open(t, func(s *setup) { s.revocations = revoked(true) })
	minted := s.send(t, request{body: minimal}).jwt(t)
	s.audit.take()
	if got := s.send(t, presenting(minted)).verified(t); got.Reason != "revoked" {
		t.Errorf("got %+v", got)
	}
	events := s.audit.take()
	if len(events) != 1 || events[0].Action != audit.ActionVerify || events[0].Outcome != audit.Refused || events[0].Code != "revoked" ||
		events[0].Fingerprint != token.FingerprintOfSealed([]byte(minted)) {
		t.Errorf("recorded %+v", events)
	}
	s = open(t, func(s *setup) { s.revocations = revoked(false) })
	minted = s.send(t, request{body: minimal}).jwt(t)
	if got := s.send(t, presenting(minted)).problem(t); got.Code != "store_unavailable" {
		t.Errorf("got %+v", got)
	}
}

func TestEveryRefusalOfAVerification(t *testing.T) {
	mint, ro := "Explo-Authorization: Token "+apiToken("acme", "mint"), "Explo-Authorization: Token "+apiToken("acme", "ro")
	body := presenting("x").body
	for _, tt := range []struct {
		name    string
		headers []string
		body    string
		status  int
		code    string
		fields  []string
	}{
		{"no API token", []string{jsonIs}, body, 401, "unauthenticated", nil},
		{"an API token that has expired", []string{jsonIs, "Explo-Authorization: Token " + apiToken("acme", "late")}, body, 401, "unauthenticated", nil},
		{"no scope to verify, whatever the body", []string{jsonIs, mint}, "{", 403, "insufficient_scope", nil},
		{"a browser", []string{jsonIs, ro, "Origin: https://a.example"}, body, 403, "browser_refused", nil},
		{"a browser of the same site", []string{jsonIs, ro, "Sec-Fetch-Site: same-origin"}, body, 403, "browser_refused", nil},
		{"another content type", []string{"Content-Type: text/plain", ro}, body, 415, "unsupported_media_type", nil},
		{"no JSON", []string{jsonIs, ro}, "jwt=x", 400, "malformed_json", nil},
		{"a body that is too large", []string{jsonIs, ro}, `{"jwt":"` + strings.Repeat("a", 64<<10) + `"}`, 413, "body_too_large", nil},
		{"no token", []string{jsonIs, ro}, "{}", 400, "invalid_request", []string{"jwt:required"}},
		{"null for a token", []string{jsonIs, ro}, `{"jwt":null}`, 400, "invalid_request", []string{"jwt:required"}},
		{"a number for a token", []string{jsonIs, ro}, `{"jwt":1}`, 400, "invalid_request", []string{"jwt:wrong_type"}},
		{"a token twice", []string{jsonIs, ro}, `{"jwt":"a","jwt":"b"}`, 400, "duplicate_member", nil},
		{"a member that is mistyped", []string{jsonIs, ro}, `{"jwt":"a","embed_orgin":"https://a.example"}`, 400, "invalid_request", []string{"embed_orgin:unknown_member"}},
		{
			"everything wrong", []string{jsonIs, ro}, `{"jwt":"a","embed_origin":"a.example","embed_id":"","chart_id":["c"]}`, 400, "invalid_request",
			[]string{"chart_id:wrong_type", "embed_origin:malformed", "embed_id:malformed"},
		},
		{"an opaque origin", []string{jsonIs, ro}, `{"jwt":"a","embed_origin":"null"}`, 400, "invalid_request", []string{"embed_origin:malformed"}},
		{"an embed that is too long", []string{jsonIs, ro}, `{"jwt":"a","embed_id":"` + strings.Repeat("e", token.MaxID+1) + `"}`, 400, "invalid_request", []string{"embed_id:too_long"}},
		{"a control character", []string{jsonIs, ro}, `{"jwt":"a","chart_id":"c\n"}`, 400, "invalid_request", []string{"chart_id:malformed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, allowing(t, "https://a.example"))
			got := s.send(t, request{path: verifyRoute, headers: tt.headers, body: tt.body})
			p := got.problem(t)
			if p.Code != tt.code || got.status != tt.status || !slices.Equal(p.fields(), tt.fields) {
				t.Errorf("%d %s %q, want %d %s %q", got.status, p.Code, p.fields(), tt.status, tt.code, tt.fields)
			}
			if corsHeaders(got.header) != nil {
				t.Errorf("CORS headers: %v", got.header)
			}
			events := s.audit.take()
			if len(events) != 1 || events[0].Action != audit.ActionVerify || events[0].Code != tt.code {
				t.Errorf("recorded %+v", events)
			}
			if s.meter.verified[tt.code] != 1 {
				t.Errorf("counted %v", s.meter.verified)
			}
		})
	}
}

func TestOtherMethodsAndQueriesDoNotVerify(t *testing.T) {
	s := open(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		got := s.send(t, request{method: method, path: verifyRoute})
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
}

func TestAStoreThatFailsIsNoVerdict(t *testing.T) {
	for _, f := range storeFaults() {
		if f.status == http.StatusConflict { // of writes only
			continue
		}
		s := open(t)
		minted := s.send(t, request{body: minimal}).jwt(t)
		s = open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, fail: broken(f.err)} })
		got := s.send(t, presenting(minted))
		if p := got.problem(t); p.Code != f.code || strings.Contains(got.body, errBroken.Error()) {
			t.Errorf("%v: %s", f.err, got.body)
		}
	}
	s := open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, panics: "canary"} })
	if got := s.send(t, presenting(sealed(t, namedKey, "{}"))).problem(t); got.Code != "internal_error" || s.meter.verified["internal_error"] != 1 {
		t.Errorf("a panic: %+v, counted %v", got, s.meter.verified)
	}
	s = open(t)
	s.audit.fail = errors.New("disk full")
	if got := s.send(t, presenting("x")).problem(t); got.Code != "audit_unavailable" {
		t.Errorf("a verdict that cannot be recorded: %+v", got)
	}
}

// An outsider of the group learns nothing of it: a key of others, one of nobody, and
// one that was destroyed are the same, byte for byte.
func TestAForeignKeyIsAnUnknownKey(t *testing.T) {
	s := open(t)
	ids, dates := regexp.MustCompile(`[a-z2-7]{16}`), regexp.MustCompile(`Date: [^\r]*`)
	ask := func(r request) string {
		r.headers = []string{jsonIs, "Explo-Authorization: Token " + apiToken("other", "ro")}
		return dates.ReplaceAllString(ids.ReplaceAllString(s.whole(t, r.String()), "<id>"), "Date: <now>")
	}
	good := sealed(t, namedKey, `{"cst":"c","dsh":"d","exp":1769857200}`)
	foreign := ask(presenting(good))
	tampered := []byte(good)
	if at := len(tampered) - 3; tampered[at] == 'A' {
		tampered[at] = 'B'
	} else {
		tampered[at] = 'A'
	}
	header := strings.Index(good, "..")
	nobodys := sealed(t, namedKey, `{"cst":"c","dsh":"d","exp":1769857200}`)
	unknown := "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYmIxMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0" + nobodys[header:]
	for what, text := range map[string]string{"of nobody": unknown, "of others, with a bad tag": string(tampered)} {
		if diff := cmp.Diff(foreign, ask(presenting(text))); diff != "" {
			t.Errorf("a key of others and one %s differ:\n%s", what, diff)
		}
	}
	if cmp.Diff(foreign, ask(presenting("x"))) == "" {
		t.Error("the comparison sees no difference where there is one")
	}
	for _, e := range s.audit.take() {
		if e.KeyID != "" {
			t.Errorf("the record names a key: %+v", e)
		}
	}
}

func TestRefusedVerificationsAreCountedTogether(t *testing.T) {
	s := open(t)
	for range 5 {
		s.send(t, presenting("x")).verified(t)
	}
	s.clock.advance(2 * time.Second)
	s.send(t, presenting("x")).verified(t)
	events := s.audit.take()
	if len(events) != 2 || events[1].Alike != 5 {
		t.Errorf("recorded %+v", events)
	}
}

// A token that is verified is in no log and no record, whether it is good, tampered
// with, or no token at all; nor is what was presented with it.
func TestNoVerificationRepeatsWhatWasSent(t *testing.T) {
	s := open(t)
	canary := "canary-" + strings.Repeat("x", 20)
	good := sealed(t, namedKey, `{"cst":"c","dsh":"d","exp":1769857200}`)
	var answers []string
	for _, r := range []request{
		presenting(canary), presenting(good + "." + canary), presenting(good, `"embed_id":"`+canary+`"`), presenting(good, `"embed_origin":"`+canary+`"`),
		presenting(good, `"`+canary+`":1`), presenting(good, `"chart_id":"`+apiToken("acme", "rw")+`"`), presenting(good, `"embed_id":"`+good+`"`),
		presenting(sealed(t, namedKey, `{"cst":"`+canary+`","dsh":"d","exp":1}`)), presenting(strings.Replace(good, "..", "."+canary+".", 1)),
	} {
		s.clock.advance(2 * time.Second)
		answers = append(answers, s.send(t, r).body)
	}
	for place, text := range map[string]string{"the answers": strings.Join(answers, "\n"), "the log": s.logs.String(), "the records": printed(s.audit.take())} {
		for _, secret := range []string{canary, good, strings.Split(good, ".")[3], apiToken("acme", "rw"), namedKey + "\""} {
			if strings.Contains(text, secret) {
				t.Errorf("%s repeat %q: %s", place, secret, text)
			}
		}
		if text == "" {
			t.Errorf("%s are empty: the scan looks at nothing", place)
		}
	}
}

// What is accepted here, the standard library reads to the same values.
func FuzzDecodeVerify(f *testing.F) {
	for _, body := range []string{
		`{"jwt":"a"}`, `{"jwt":"a","embed_origin":"https://a.example","embed_id":"e","chart_id":"c"}`, `{"jwt":null}`, `{}`, `[]`, ``, `{"jwt":"a","jwt":"b"}`,
		`{"jwt":"\u0061","embed_id":null}`, `{"JWT":"a"}`, `{"jwt":"a"} {}`, `{"jwt":"a","embed_id":""}`, `{"jwt":1,"x":2}`, `{"jwt":"\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, presented, err := httpapi.DecodeVerify(body)
		if err != nil {
			if text != "" || presented != (verdict.Presented{}) {
				t.Fatalf("%q: something beside the error %v", body, err)
			}
			return
		}
		var read struct {
			JWT    *string `json:"jwt"`
			Origin *string `json:"embed_origin"`
			Embed  *string `json:"embed_id"`
			Chart  *string `json:"chart_id"`
		}
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&read); err != nil || read.JWT == nil {
			t.Fatalf("%q: the standard library reads no token: %v", body, err)
		}
		want, err := verdict.Present(read.Origin, read.Embed, read.Chart)
		if err != nil || *read.JWT != text || want != presented {
			t.Fatalf("%q: %q and %+v, the standard library %q and %+v (%v)", body, text, presented, *read.JWT, want, err)
		}
	})
}
