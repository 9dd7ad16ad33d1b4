package httpapi_test

import (
	"net/http"
	"slices"
	"testing"

	"embedseal/domain/token"
)

// allowing lets the pages of one origin mint.
func allowing(t *testing.T, origins ...string) func(*setup) {
	return func(s *setup) {
		for _, text := range origins {
			o, err := token.ParseOrigin(text)
			if err != nil {
				t.Fatal(err)
			}
			s.config.BrowserOrigins = append(s.config.BrowserOrigins, o)
		}
	}
}

func fromPage(origin string) request {
	return request{headers: []string{jsonIs, authorized(), "Origin: " + origin, "Sec-Fetch-Site: cross-site"}, body: minimal}
}

func corsHeaders(h http.Header) []string {
	var found []string
	for name := range h {
		if len(name) > 15 && name[:15] == "Access-Control-" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func TestThereIsNoCORSUnlessTheOperatorAllowsAnOrigin(t *testing.T) {
	s := open(t)
	got := s.send(t, request{
		method: http.MethodOptions, body: "",
		headers: []string{"Origin: https://app.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: explo-authorization"},
	})
	if p := got.problem(t); p.Code != "method_not_allowed" || got.header.Get("Allow") != "POST" {
		t.Errorf("the preflight got %s, Allow %q", p.Code, got.header.Get("Allow"))
	}
	if found := corsHeaders(got.header); found != nil {
		t.Errorf("the preflight got %v", found)
	}
	got = s.send(t, fromPage("https://app.example"))
	if p := got.problem(t); got.status != http.StatusForbidden || p.Code != "browser_refused" || corsHeaders(got.header) != nil {
		t.Errorf("%d %s %v", got.status, got.body, got.header)
	}
	if got.header.Get("Vary") != "" {
		t.Errorf("Vary is %q where no answer varies", got.header.Get("Vary"))
	}
}

func TestAnAllowedOriginMintsAndSeesTheAnswer(t *testing.T) {
	s := open(t, allowing(t, "https://app.example", "http://localhost:3000"))
	for _, origin := range []string{"https://app.example", "http://localhost:3000"} {
		got := s.send(t, fromPage(origin))
		unseal(t, got.jwt(t), values()[defaultKey])
		if h := got.header; h.Get("Access-Control-Allow-Origin") != origin || h.Get("Vary") != "Origin" ||
			!slices.Equal(corsHeaders(h), []string{"Access-Control-Allow-Origin"}) {
			t.Errorf("the headers are %v", h)
		}
		got = s.send(t, request{method: http.MethodOptions, headers: []string{"Origin: " + origin, "Access-Control-Request-Method: POST"}})
		want := http.Header{
			"Access-Control-Allow-Origin": {origin}, "Access-Control-Allow-Methods": {"POST"},
			"Access-Control-Allow-Headers": {"Content-Type, Explo-Authorization, Authorization"},
			"Access-Control-Max-Age":       {"600"}, "Vary": {"Origin"},
		}
		for name, value := range want {
			if !slices.Equal(got.header[name], value) {
				t.Errorf("preflight: %s is %q, want %q", name, got.header[name], value)
			}
		}
		if got.status != http.StatusNoContent || got.body != "" || len(corsHeaders(got.header)) != 4 {
			t.Errorf("preflight: %d %q %v", got.status, got.body, got.header)
		}
		wrong := fromPage(origin)
		wrong.body = "{"
		got = s.send(t, wrong) // the page may read what is wrong, too
		if p := got.problem(t); p.Code != "malformed_json" || got.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s %v", p.Code, got.header)
		}
	}
	s.send(t, request{body: minimal}).jwt(t) // a server still needs no origin
}

func TestEveryOtherOriginIsRefusedWithoutCORS(t *testing.T) {
	s := open(t, allowing(t, "https://app.example"))
	for _, origin := range []string{
		"https://app.example.evil.example", "https://evilapp.example", "http://app.example", "https://app.example:8443", "null", "",
		"https://app.example/x", "https://app.example, https://evil.example", "*",
	} {
		got := s.send(t, fromPage(origin))
		if p := got.problem(t); got.status != http.StatusForbidden || p.Code != "browser_refused" {
			t.Errorf("%q: %d %s", origin, got.status, p.Code)
		}
		if corsHeaders(got.header) != nil || got.header.Get("Vary") != "Origin" {
			t.Errorf("%q: the headers are %v", origin, got.header)
		}
		got = s.send(t, request{method: http.MethodOptions, headers: []string{"Origin: " + origin}})
		if p := got.problem(t); p.Code != "method_not_allowed" || corsHeaders(got.header) != nil || got.header.Get("Allow") != "POST" {
			t.Errorf("preflight from %q: %s %v", origin, p.Code, got.header)
		}
	}
	for name, headers := range map[string][]string{
		"two origins":              {"Origin: https://app.example", "Origin: https://evil.example"},
		"an allowed origin twice":  {"Origin: https://app.example", "Origin: https://app.example"},
		"no origin, but a browser": {"Sec-Fetch-Site: same-origin"},
	} {
		got := s.send(t, request{headers: append([]string{jsonIs, authorized()}, headers...), body: minimal})
		if p := got.problem(t); p.Code != "browser_refused" || corsHeaders(got.header) != nil {
			t.Errorf("%s: %s %v", name, p.Code, got.header)
		}
	}
	got := s.send(t, request{method: http.MethodGet})
	if got.problem(t); got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("Allow is %q", got.header.Get("Allow"))
	}
}

func TestABrowserIsRefusedBeforeItsTokenIsLookedAt(t *testing.T) {
	s := open(t)
	r := fromPage("https://a.example")
	r.headers[1] = "Explo-Authorization: Token nonsense"
	if p := s.send(t, r).problem(t); p.Code != "browser_refused" {
		t.Errorf("the code is %s", p.Code)
	}
}
