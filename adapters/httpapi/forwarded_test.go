package httpapi_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"embedseal/adapters/httpapi"
)

// What is expected of an address: the token A, none, or that it is unclear.
const (
	isA     = "A"
	isNone  = "none"
	unclear = "unclear"
)

// forwardedURIs are addresses that a client can ask a proxy for.
func forwardedURIs() map[string]string {
	return map[string]string{
		// the path
		"/iframe/A": isA, "/iframe/A/": isA, "/iframe/A/production": isA, "/iframe/A/production?x=1": isA, "/iframe/A/a/b/c.js": isA,
		"/iframe/A/a/../b": isA, "/iframe/A/./b": isA, "/iframe/A//b": isA, "/iframe/A/b;v=1/c": isA, "/iframe/A/caf%C3%A9": isA,
		"/iframe/%41/x": isA, "/%69frame/A/x": isA, "/iframe/A/iframe/B": isA, "/iframe/A/100%": isA, "/iframe/A/%2525": isA,
		"/": isNone, "/iframe": isNone, "/iframe/": isNone, "/iframes/B": isNone, "/frame/B": isNone, "/dashboards/iframe/B": isNone,
		"/a/b/c": isNone, "/a/%2F/b": isNone, "/100%": isNone, "/a//b": isNone, "/a/../b": isNone, "/%25": isNone, "/a;iframe/B": isNone,
		"/iframe%3Fx/B": isNone, "/iframe%00/B": isNone, "/iframe%20/B": isNone, "/.iframe/B": isNone,
		// what others could read another token out of
		"//iframe/A": unclear, "/./iframe/A": unclear, "/x/../iframe/A": unclear, "/../iframe/A": unclear, "/%2e/iframe/A": unclear,
		"/x/%2e%2e/iframe/A": unclear, "/x%2f..%2fiframe/A": unclear, "/%2Fiframe/A": unclear, "/iframe%2FA": unclear, "/iframe%2fA/x": unclear,
		"/%5Ciframe/A": unclear, `/\iframe/A`: unclear, `/iframe\A`: unclear, "/iframe%5CA": unclear, "/IFRAME/A": unclear, "/Iframe/A/": unclear,
		"/iframe//A": unclear, `/iframe//A/x\..\..`: unclear, `/iframe//\`: unclear, "/iframe//A/x%5C..%5C..": unclear, "/iframe//A;/../..": unclear, "/;/..;/iframe/A": unclear, "/iframe/./A": unclear, "/iframe/../iframe/A": unclear, "/iframe/B/../A": unclear, "/iframe/A/../../iframe/B": unclear,
		"/iframe/A/%2e%2e/B": unclear, "/iframe/A/..": unclear, "/iframe/A/../..": unclear, "/iframe/A;x=1": unclear, "/iframe;x/A": unclear,
		"/iframe/A%3Bx": unclear, "/iframe/A%2Fb": unclear, "/%2569frame/A": unclear, "/%252569frame/A": unclear, "/iframe/%2541": unclear,
		"/iframe%252FA": unclear, "/iframe/A/%252e%252e/B": unclear, "/;/iframe/A": unclear, "/;x/iframe/A": unclear, "/.;x/iframe/A": unclear,
		"/%3B/iframe/A": unclear, "/%2525252525252541": unclear, "/iframe/A/%5c..%5cB": unclear, "/iframe/%41%2F": unclear,
		// what is no address of a request line
		"": isNone, "iframe/A": unclear, "http://host/iframe/A": unclear, "*": unclear, "/iframe/A b": unclear, "/iframe/A#x": unclear,
		"/#/iframe/A": unclear, "/iframe/A\t": unclear, "/iframe/A\x00": unclear, "/iframe/\u00c4": unclear, "/x?a=\x7f": unclear, "?embed_token=A": unclear,
		// the query
		"/x?embed_token=A": isA, "/x?a=1&embed_token=A&b=2": isA, "/x?embed_token=A&embed_token=A": isA, "/x?embed%5Ftoken=%41": isA,
		"/x?embed_token=A&c=100%": isA, "/x?embed_token=A?b=1": "A?b=1", "/x?embed_token=A/../B": "A/../B", "/iframe/A?embed_token=A": isA,
		"/x?": isNone, "/x?embed_token": isNone, "/x?embed_token=": isNone, "/x?embed_token=&embed_token=A": isA,
		"/x?xembed_token=B": isNone, "/x?embed_token2=B": isNone, "/x?embedtoken=B": isNone, "/x?a=embed_token=B": isNone, "/x?a=%zz": isNone, "/x?=B": isNone,
		"/x?embed_token=%2541": "%41", "/x?embed_token=A+B": "A B", "/x?embed_token=A%2BB": "A+B",
		"/x?embed_token=A&embed_token=B": unclear, "/x?embed_token=A;embed_token=B": unclear, "/x?a=1;embed_token=B": unclear,
		"/x?embed_token=A%": unclear, "/x?embed_token=%4": unclear, "/x?%zz=1&embed_token=A": unclear, "/x?embed_token=A;b=1": "A;b=1",
		"/iframe/A?embed_token=B": unclear, "/iframe/A?embed_token=a": unclear, "/x?embed%5Ftoken=B&embed_token=A": unclear,
		// names that others take for ours
		"/x?EMBED_TOKEN=B": unclear, "/x?Embed_Token=A&embed_token=A": unclear, "/x?embed.token=B": unclear, "/x?embed+token=B": unclear,
		"/x?embed_token[]=B": unclear, "/x?embed_token%5B0%5D=B": unclear, "/x?embed_token%00=B": unclear, "/x?embed_token%00x=B": unclear,
		"/x?+embed_token=B": unclear, "/x?embed_token%09=B": unclear, "/x?embed%255Ftoken=B": unclear, "/x?a=1;Embed_token=B": unclear,
	}
}

func found(header http.Header, rest string) string {
	got, err := httpapi.EmbedToken(header, rest)
	switch {
	case errors.Is(err, httpapi.ErrNoEmbedToken):
		return isNone
	case errors.Is(err, httpapi.ErrUnclear):
		return unclear
	}
	return got
}

func TestAnAddressNamesOneTokenOrIsRefused(t *testing.T) {
	for uri, want := range forwardedURIs() {
		for place, got := range map[string]string{
			"X-Original-Uri":  found(http.Header{"X-Original-Uri": {uri}}, ""),
			"X-Forwarded-Uri": found(http.Header{"X-Forwarded-Uri": {uri}}, ""),
			"the path":        found(nil, uri),
		} {
			if uri == "" && place != "the path" {
				want = unclear // a header without a value is no address
			} else if uri == "" {
				want = isNone
			}
			if got != want {
				t.Errorf("%q in %s: %s, want %s", uri, place, got, want)
			}
		}
	}
}

func TestAllPlacesAreLookedAtAndMustAgree(t *testing.T) {
	for sentence, tt := range map[string]struct {
		header http.Header
		rest   string
		want   string
	}{
		"nothing":                          {nil, "", isNone},
		"the header":                       {http.Header{"Embed-Token": {"A"}}, "", isA},
		"the header twice":                 {http.Header{"Embed-Token": {"A", "A"}}, "", unclear},
		"an empty header":                  {http.Header{"Embed-Token": {""}}, "", isNone},
		"a cookie":                         {http.Header{"Cookie": {"a=b; embed_token=A; c=d"}}, "", isA},
		"the cookie of this host only":     {http.Header{"Cookie": {"__Host-embed_token=A"}}, "", isA},
		"both cookies, the same":           {http.Header{"Cookie": {"__Host-embed_token=A;embed_token=A"}}, "", isA},
		"both cookies, different":          {http.Header{"Cookie": {"__Host-embed_token=A; embed_token=B"}}, "", unclear},
		"one cookie twice":                 {http.Header{"Cookie": {"embed_token=A; embed_token=B"}}, "", unclear},
		"cookies in two headers":           {http.Header{"Cookie": {"embed_token=A", "embed_token=B"}}, "", unclear},
		"a cookie that was emptied":        {http.Header{"Cookie": {"embed_token=; x=y"}}, "", isNone},
		"a cookie in quotes":               {http.Header{"Cookie": {`embed_token="A"`}}, "", `"A"`},
		"a cookie that is encoded":         {http.Header{"Cookie": {`embed_token=%41`}}, "", `%41`},
		"cookies of other names":           {http.Header{"Cookie": {"x_embed_token=B; __Secure-embed_token=B; embed_tokens=B; a=b,embed_token"}}, "", isNone},
		"an equals sign in a cookie":       {http.Header{"Cookie": {"embed_token=A="}}, "", "A="},
		"everywhere the same":              {http.Header{"Embed-Token": {"A"}, "Cookie": {"embed_token=A"}, "X-Original-Uri": {"/iframe/A"}, "X-Forwarded-Uri": {"/?embed_token=A"}}, "/iframe/A/x", isA},
		"the header and the cookie":        {http.Header{"Embed-Token": {"A"}, "Cookie": {"embed_token=B"}}, "", unclear},
		"the cookie and the path":          {http.Header{"Cookie": {"embed_token=A"}, "X-Original-Uri": {"/iframe/B/"}}, "", unclear},
		"an address the proxy leaves be":   {http.Header{"X-Original-Uri": {"/iframe/A/"}, "X-Forwarded-Uri": {"/iframe/B/"}}, "", unclear},
		"an address beside the path":       {http.Header{"X-Forwarded-Uri": {"/iframe/B/"}}, "/iframe/A/", unclear},
		"an address twice":                 {http.Header{"X-Original-Uri": {"/iframe/A/", "/iframe/A/"}}, "", unclear},
		"a hidden path beside a cookie":    {http.Header{"Cookie": {"embed_token=A"}, "X-Original-Uri": {"/x/../iframe/B/"}}, "", unclear},
		"a plain address beside a cookie":  {http.Header{"Cookie": {"embed_token=A"}, "X-Original-Uri": {"/assets/app.js?v=3"}}, "", isA},
		"Authorization, which is not ours": {http.Header{"Authorization": {"Bearer B"}, "Embed-Token": {"A"}}, "", isA},
	} {
		if got := found(tt.header, tt.rest); got != tt.want {
			t.Errorf("%s: %s, want %s", sentence, got, tt.want)
		}
	}
}

// Frameworks read names of cookies in more ways than one: PHP decodes them and takes
// dots, spaces and brackets for underscores, old Java splits at commas, Node's cookie
// takes off what it holds to be white space, and some do not look at the case.
func TestACookieThatOthersTakeForOursIsUnclear(t *testing.T) {
	for _, cookie := range []string{
		"embed_token =B", "embed_token\t=B", "a=b; embed_token =B", "a=b, embed_token=B", "a=b,embed_token=B", "EMBED_TOKEN=B", "Embed_Token=B",
		"\xa0embed_token=B", "embed_token\xa0=B", "\u00a0embed_token=B", "\ufeffembed_token=B", `"embed_token"=B`, "embed%5Ftoken=B", "embed.token=B",
		"embed token=B", "embed_token[0]=B", "embed_token%00=B", "__host-embed_token=B", "..Host-embed_token=B", "__Host-embed.token=B", "a=b,__Host-embed_token=B",
	} {
		if got := found(http.Header{"Embed-Token": {"A"}, "Cookie": {cookie}}, ""); got != unclear {
			t.Errorf("%q beside another token: %s", cookie, got)
		}
	}
}

// FuzzForwardedURI: whatever the address, a token that is found in its path is the
// one that net/url and a server that follows dots find there; and nothing is found
// that does not stand in the address, decoded once.
func FuzzForwardedURI(f *testing.F) {
	for uri := range forwardedURIs() {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		got := found(http.Header{"X-Original-Uri": {uri}}, "")
		if also := found(nil, uri); uri != "" && also != got {
			t.Errorf("%q: %s by header, %s by path", uri, got, also)
		}
		if beside := found(http.Header{"Cookie": {"embed_token=C"}, "X-Original-Uri": {uri}}, ""); got == isNone && beside != "C" || got != isNone && got != "C" && beside != unclear {
			t.Errorf("%q: %s alone, %s beside a cookie", uri, got, beside)
		}
		if got == unclear {
			return
		}
		parsed, err := url.ParseRequestURI(uri)
		if err != nil { // net/url is stricter with escapes
			return
		}
		path := strings.Split(strings.TrimPrefix(cleaned(parsed.Path), "/"), "/")
		if strings.EqualFold(path[0], "iframe") {
			if token := strings.Join(path[1:min(2, len(path))], ""); token != "" && got != token {
				t.Errorf("%q: %s, and a server finds %q", uri, got, token)
			}
			return
		}
		if named := parsed.Query()["embed_token"]; got != isNone && (len(named) == 0 || named[len(named)-1] != got && !strings.Contains(uri, ";") && named[0] != got) {
			if !strings.Contains(uri, ";") {
				t.Errorf("%q: %s, and the query has %q", uri, got, named)
			}
		}
	})
}

// cleaned follows dots and drops empty segments.
func cleaned(path string) string {
	joined, err := url.JoinPath("/", (&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return path
	}
	plain, err := url.PathUnescape(joined)
	if err != nil {
		return path
	}
	return plain
}

func FuzzHeaderText(f *testing.F) {
	for _, id := range []string{"customer_1", "a b", "100%", "%41", "K\u00f6ln \U0001F600", "x\r\nX-Embed-Id: y", "{env.HOME}", "$http_cookie", "\"';,", "\x00\x7f\xff"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := httpapi.HeaderText(id)
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }) {
			t.Errorf("%q is written %q", id, got)
		}
		if back, err := url.PathUnescape(got); err != nil || back != id {
			t.Errorf("%q is written %q, and read %q, %v", id, got, back, err)
		}
	})
}
