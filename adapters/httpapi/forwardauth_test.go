package httpapi_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/ports"
)

const forward = "/api/forward_auth/"

// asked is what a proxy asks of s: with a method and a path of its own, and
// headers beside its API token.
func asked(method, path string, headers ...string) request {
	return request{method: method, path: path, headers: append([]string{authorized()}, headers...)}
}

// minted is a token of s with these members beside the two that are required.
func (s *site) minted(t *testing.T, members string) string {
	t.Helper()
	return s.send(t, request{body: strings.TrimSuffix(minimal, "}") + members + "}"}).jwt(t)
}

// passed are the headers that are for the program behind the proxy.
func (a answer) passed() map[string]string {
	all := map[string]string{}
	for name, values := range a.header {
		if strings.HasPrefix(name, "X-Embed-") || name == "Content-Security-Policy" {
			all[name] = strings.Join(values, "|")
		}
	}
	return all
}

func TestARequestWithAGoodTokenPasses(t *testing.T) {
	s := open(t, func(s *setup) { s.policy.ChartEmbedding = true })
	whole := s.minted(t, "")
	all := s.minted(t, `,"chart_id":"c 1","rb_allowed_features":["core"],"disable_editable_section_editing":true,"embed_origin":"https://your-domain.com:8443/","expiration":"PT1H"`)
	none := s.minted(t, `,"rb_allowed_features":[],"disable_editable_section_editing":false,"expiration":"PT1H"`)
	for _, tt := range []struct {
		text string
		want map[string]string
	}{
		{whole, map[string]string{
			"X-Embed-Customer": "customer_1", "X-Embed-Id": "abcde", "X-Embed-Features": "*", "X-Embed-Editing": "enabled", "X-Embed-Expires": "2026-02-01T10:00:00Z",
		}},
		{all, map[string]string{
			"X-Embed-Customer": "customer_1", "X-Embed-Id": "abcde", "X-Embed-Chart": "c%201", "X-Embed-Features": "core,crt-view,fork",
			"X-Embed-Editing": "disabled", "X-Embed-Expires": "2026-01-31T11:00:00Z",
			"Content-Security-Policy": "frame-ancestors https://your-domain.com:8443", "X-Embed-Frame-Ancestors": "frame-ancestors https://your-domain.com:8443",
		}},
		{none, map[string]string{
			"X-Embed-Customer": "customer_1", "X-Embed-Id": "abcde", "X-Embed-Features": "none", "X-Embed-Editing": "enabled", "X-Embed-Expires": "2026-01-31T11:00:00Z",
		}},
	} {
		s.audit.take()
		for _, r := range []request{
			asked("GET", forward, "Embed-Token: "+tt.text),
			asked("HEAD", forward, "Embed-Token: "+tt.text),
			asked("GET", strings.TrimSuffix(forward, "/"), "Cookie: a=b; __Host-embed_token="+tt.text),
			asked("GET", forward, "Cookie: embed_token="+tt.text, "Origin: https://app.example", "Sec-Fetch-Site: cross-site", "Authorization: Basic eDp5"),
			asked("GET", forward, "X-Original-URI: /iframe/"+tt.text+"/production?x=1"),
			asked("GET", forward, "X-Forwarded-Uri: /?a=b&embed_token="+tt.text),
			asked("POST", forward+"iframe/"+tt.text+"/save"), asked("DELETE", forward+"x/y?embed_token="+tt.text),
			asked("PUT", strings.TrimSuffix(forward, "/")+"?embed_token="+tt.text), asked("PATCH", forward+"?embed_token="+tt.text),
			asked("OPTIONS", forward+"iframe/"+tt.text),
		} {
			got := s.send(t, r)
			if got.status != http.StatusOK || got.body != "" || got.header.Get("Content-Length") != "0" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: %d %q %v", r.method, r.path, got.status, got.body, got.header)
			}
			if diff := cmp.Diff(tt.want, got.passed()); diff != "" {
				t.Errorf("%s %s: -want +got:\n%s", r.method, r.path, diff)
			}
		}
		if events := s.audit.take(); len(events) != 0 {
			t.Errorf("what passes is recorded: %+v", events)
		}
	}
	if got := s.meter.forwards(); got["granted"] != 33 {
		t.Errorf("counted %v", got)
	}
}

func TestARefusalNeverSaysWhy(t *testing.T) {
	s := open(t, func(s *setup) { s.policy.ChartEmbedding = true })
	good, short := s.minted(t, ""), s.minted(t, `,"expiration":"PT1S"`)
	disabled := s.minted(t, `,"key_id":"`+namedKey+`"`)
	if err := s.keys.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
		return r.Disable(namedKey, s.clock.Now(), s.clock.Now())
	}); err != nil {
		t.Fatal(err)
	}
	foreign := s.send(t, as("other", "rw")).jwt(t)
	s.clock.advance(2 * time.Second)
	s.audit.take()
	sameAs := map[int]string{}
	id := regexp.MustCompile(`"request_id":"[a-z2-7]{16}"`)
	for _, tt := range []struct {
		outcome string
		status  int
		r       request
	}{
		{"no_embed_token", 401, asked("GET", forward)},
		{"unauthenticated", 401, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + good}}},
		{"unauthenticated", 401, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + good, "Authorization: Bearer " + apiToken("acme", "rw")}}},
		{"unauthenticated", 401, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + good, "Explo-Authorization: Token " + apiToken("acme", "late")}}},
		{"unauthenticated", 401, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + good, "Explo-Authorization: Bearer " + apiToken("acme", "rw")}}},
		{"unauthenticated", 401, request{method: "GET", path: forward, headers: []string{authorized(), authorized(), "Embed-Token: " + good}}},
		{"insufficient_scope", 401, request{method: "GET", path: forward, headers: []string{"Explo-Authorization: Token " + apiToken("acme", "mint"), "Embed-Token: " + good}}},
		{"unclear_embed_token", 403, asked("GET", forward, "Embed-Token: "+good, "Cookie: embed_token="+short)},
		{"unclear_embed_token", 403, asked("GET", "/api/forward%5Fauth/iframe/"+good+"/../x")},
		{"malformed", 403, asked("GET", forward, "Embed-Token: nonsense")},
		{"malformed", 403, asked("GET", forward, "Embed-Token: "+good+"=")},
		{"bad_tag", 403, asked("GET", forward, "Embed-Token: "+tampered(good))},
		{"unknown_key", 403, asked("GET", forward, "Embed-Token: "+foreign)},
		{"key_disabled", 403, asked("GET", forward, "Embed-Token: "+disabled)},
		{"expired", 403, asked("GET", forward, "Embed-Token: "+short)},
	} {
		before := s.meter.forwards()[tt.outcome]
		got := s.send(t, tt.r)
		p := got.problem(t)
		if got.status != tt.status || len(got.passed()) != 0 {
			t.Errorf("%s: %d %v", tt.outcome, got.status, got.header)
		}
		body := id.ReplaceAllString(got.body, "")
		if same := sameAs[got.status]; same != "" && same != body {
			t.Errorf("%s: answered %s, others %s", tt.outcome, body, same)
		}
		sameAs[got.status] = body
		if after := s.meter.forwards()[tt.outcome]; after != before+1 {
			t.Errorf("%s is not counted: %v", tt.outcome, s.meter.forwards())
		}
		s.clock.advance(time.Second) // each has a record of its own
		events := s.audit.take()
		if len(events) != 1 || events[0].Action != audit.ActionVerify || events[0].Outcome != audit.Refused || events[0].Code != tt.outcome || events[0].RequestID != p.RequestID {
			t.Errorf("%s is recorded as %+v", tt.outcome, events)
		}
		if head := s.send(t, request{method: "HEAD", path: tt.r.path, headers: tt.r.headers}); head.status != tt.status || head.body != "" {
			t.Errorf("%s: HEAD is answered %d %q", tt.outcome, head.status, head.body)
		}
		s.clock.advance(time.Second)
		s.audit.take()
	}
	if !strings.Contains(sameAs[401], `"unauthenticated"`) || !strings.Contains(sameAs[403], `"embed_refused"`) {
		t.Errorf("the answers are %v", sameAs)
	}
}

// tampered is a token with another tag.
func tampered(text string) string {
	last := strings.LastIndex(text, ".") + 1
	flipped := "A"
	if text[last] == 'A' {
		flipped = "B"
	}
	return text[:last] + flipped + text[last+1:]
}

// Whoever sends bad tokens as fast as he can gets a record a second, and holds up
// the proxy's API token alone.
func TestBadTokensFillNoAuditLog(t *testing.T) {
	s := open(t)
	for i := range 200 {
		s.want(t, 1, http.StatusForbidden, asked("GET", forward, "Embed-Token: nonsense"+strings.Repeat("x", i)))
		s.want(t, 1, http.StatusUnauthorized, asked("GET", forward))
	}
	if events := s.audit.take(); len(events) != 2 {
		t.Errorf("%d records", len(events))
	}
}

func TestForwardAuthCountsAgainstTheAPIToken(t *testing.T) {
	s := open(t, limited)
	text := s.minted(t, "") // one of four
	s.want(t, 2, http.StatusOK, asked("GET", forward, "Embed-Token: "+text))
	s.want(t, 1, http.StatusForbidden, asked("GET", forward, "Embed-Token: nonsense"))
	got := s.want(t, 1, http.StatusTooManyRequests, asked("GET", forward, "Embed-Token: "+text))
	if p := got.problem(t); p.Code != "rate_limited" || got.header.Get("Retry-After") == "" {
		t.Errorf("answered %s %v", got.body, got.header)
	}
	s.want(t, 3, http.StatusUnauthorized, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + text}})
	s.want(t, 1, http.StatusTooManyRequests, request{method: "GET", path: forward, headers: []string{"Embed-Token: " + text}})
}

func TestNothingPassesWhileTheStoreOrTheAuditLogIsAway(t *testing.T) {
	s := open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, fail: broken(ports.ErrSealed)} })
	got := s.want(t, 1, http.StatusServiceUnavailable, asked("GET", forward, "Embed-Token: "+vector))
	if p := got.problem(t); p.Code != "store_sealed" || s.meter.forwards()["store_sealed"] != 1 || len(got.passed()) != 0 {
		t.Errorf("answered %s, counted %v", got.body, s.meter.forwards())
	}
	s = open(t)
	s.audit.fail = errors.New("no space left on device")
	got = s.want(t, 1, http.StatusServiceUnavailable, asked("GET", forward, "Embed-Token: nonsense"))
	if p := got.problem(t); p.Code != "audit_unavailable" || s.meter.forwards()["audit_unavailable"] != 1 {
		t.Errorf("answered %s, counted %v", got.body, s.meter.forwards())
	}
	s = open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, panics: "a fault"} })
	s.want(t, 1, http.StatusInternalServerError, asked("GET", forward, "Embed-Token: "+vector))
	if s.meter.forwards()["internal_error"] != 1 {
		t.Errorf("counted %v", s.meter.forwards())
	}
}

func TestOtherMethodsAreNotForProxies(t *testing.T) {
	s := open(t)
	for _, method := range []string{"TRACE", "PROPFIND", "CONNECT"} {
		got := s.want(t, 1, http.StatusMethodNotAllowed, asked(method, forward))
		if allow := got.header.Get("Allow"); strings.Contains(allow, method) {
			t.Errorf("Allow is %q", allow)
		}
	}
	s.want(t, 1, http.StatusNotFound, asked("GET", "/api/forward_authx"))
}
