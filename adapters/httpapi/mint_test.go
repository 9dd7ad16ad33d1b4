package httpapi_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/domain/token"
)

// opened is a token taken apart with nothing but the standard library.
type opened struct {
	header, claims string
	iv             []byte
}

// unseal opens text with the value of an embed secret.
func unseal(t *testing.T, text, value string) opened {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 5 || parts[1] != "" {
		t.Fatalf("not a compact JWE of alg=dir: %q", text)
	}
	var raw [5][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			t.Fatal(err)
		}
	}
	block, err := aes.NewCipher([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw[2]) != gcm.NonceSize() {
		t.Fatalf("the IV has %d bytes, want 12", len(raw[2]))
	}
	claims, err := gcm.Open(nil, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
	if err != nil {
		t.Fatal(err)
	}
	return opened{header: string(raw[0]), claims: string(claims), iv: raw[2]}
}

// The sample of the documentation, with the host and the token filled in.
func TestTheDocumentedRequestIsGrantedByteForByte(t *testing.T) {
	s := open(t)
	body := `{
    "provided_id": "customer_1",
    "embed_id": "abcde",
    "expiration": "PT1H",
    "key_id": "aa111111-1a11-111a-aa11-1aaaa11a1a11",
    "rb_allowed_features": ["flt", "srt"],
    "disable_editable_section_editing": true,
    "embed_origin": "https://your-domain.com/"
  }`
	got := unseal(t, s.send(t, request{body: body}).jwt(t), values()[namedKey])
	if want := `{"alg":"dir","enc":"A256GCM","kid":"` + namedKey + `"}`; got.header != want {
		t.Errorf("the header is %s, want %s", got.header, want)
	}
	iat := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC).Unix()
	want := fmt.Sprintf(`{"cst":"customer_1","dsh":"abcde","exp":%d,"iat":%d,"iss":"https://your-domain.com/","rbc":["flt","srt"],"des":true}`,
		iat+3600, iat)
	if got.claims != want {
		t.Errorf("the claims are\n%s, want\n%s", got.claims, want)
	}
}

func TestAllEightFieldsTogether(t *testing.T) {
	s := open(t, withCharts)
	got := unseal(t, s.send(t, request{body: allEight}).jwt(t), values()[namedKey])
	want := `{"cst":"c","dsh":"e","cht":"h","exp":1769853601,"iat":1769853600,"iss":"https://a.example/","rbc":["srt"],"des":false}`
	if got.claims != want {
		t.Errorf("the claims are\n%s, want\n%s", got.claims, want)
	}
}

const allEight = `{"provided_id":"c","embed_id":"e","chart_id":"h","key_id":"` + namedKey + `","expiration":"PT1S",` +
	`"rb_allowed_features":["srt"],"disable_editable_section_editing":false,"embed_origin":"https://a.example"}`

func withCharts(s *setup) { s.policy.ChartEmbedding = true }

func TestEveryTokenHasAnIVOfItsOwn(t *testing.T) {
	s := open(t)
	seen := map[string]bool{}
	for range 50 {
		seen[string(unseal(t, s.send(t, request{body: minimal}).jwt(t), values()[defaultKey]).iv)] = true
	}
	if len(seen) != 50 {
		t.Errorf("50 tokens have %d different IVs", len(seen))
	}
}

// base are the claims of minimal at the time of the test's clock.
const base = `"cst":"customer_1","dsh":"abcde"`

const day = 1769853600 + 24*3600

func TestWhatAFieldPutsIntoTheToken(t *testing.T) {
	s := open(t, withCharts)
	claims := func(more string) string {
		return fmt.Sprintf(`{%s,"exp":%d,"iat":1769853600%s}`, base, day, more)
	}
	lives := func(seconds int64) string {
		return fmt.Sprintf(`{%s,"exp":%d,"iat":1769853600}`, base, 1769853600+seconds)
	}
	for member, want := range map[string]string{
		``: claims(``),
		// null is the same as absent
		`"key_id":null`: claims(``), `"expiration":null`: claims(``), `"chart_id":null`: claims(``),
		`"rb_allowed_features":null`: claims(``), `"disable_editable_section_editing":null`: claims(``),
		`"embed_origin":null`: claims(``),
		// and the opposite of an empty list
		`"rb_allowed_features":[]`:                            claims(`,"rbc":[]`),
		`"rb_allowed_features":["*"]`:                         claims(`,"rbc":["*"]`),
		`"rb_allowed_features":["fork","flt","fork"]`:         claims(`,"rbc":["fork","flt"]`),
		`"rb_allowed_features":["core","crt-view","srt"]`:     claims(`,"rbc":["core","crt-view","srt"]`),
		`"disable_editable_section_editing":false`:            claims(`,"des":false`),
		`"disable_editable_section_editing":true`:             claims(`,"des":true`),
		`"chart_id":"chart \"9\""`:                            `{` + base + `,"cht":"chart \"9\"","exp":1769940000,"iat":1769853600}`,
		`"embed_origin":"HTTPS://Bücher.Example:443"`:         claims(`,"iss":"https://xn--bcher-kva.example/"`),
		`"embed_origin":"http://localhost:8080/"`:             claims(`,"iss":"http://localhost:8080/"`),
		`"expiration":"PT1H"`:                                 lives(3600),
		`"expiration":"P1W"`:                                  lives(7 * 86400),
		`"expiration":"P1W2D"`:                                lives(9 * 86400),
		`"expiration":"PT0.5S"`:                               lives(1),
		`"expiration":"PT1,25M"`:                              lives(75),
		`"expiration":"P30D"`:                                 lives(30 * 86400),
		`"expiration":"P1M"`:                                  lives(28 * 86400), // from 31 January to 28 February
		`"key_id":"` + defaultKey + `"`:                       claims(``),
		`"\u006bey_id":null`:                                  claims(``), // an escaped name is the same name
		`"rb_allowed_features" : [ "s\u0072t" ] ` + "\r\n\t ": claims(`,"rbc":["srt"]`),
	} {
		body := `{"provided_id":"customer_1","embed_id":"abcde"}`
		if member != "" {
			body = `{"provided_id":"customer_1",` + member + `,"embed_id":"abcde"}`
		}
		got := unseal(t, s.send(t, request{body: body}).jwt(t), values()[defaultKey])
		if got.claims != want {
			t.Errorf("%s gives\n%s, want\n%s", member, got.claims, want)
		}
	}
}

func TestAnIDIsAnyTextOfUpTo512Bytes(t *testing.T) {
	s := open(t)
	for _, id := range []string{
		"x", "1", "aB3dE5gH7j", "a b/c?d=ü€😀", strings.Repeat("i", 256), strings.Repeat("i", token.MaxID), strings.Repeat("ü", token.MaxID/2), "\u2028",
	} {
		got := unseal(t, s.send(t, request{body: `{"provided_id":"` + id + `","embed_id":"` + id + `"}`}).jwt(t), values()[defaultKey])
		if want := `{"cst":"` + id + `","dsh":"` + id + `",`; !strings.HasPrefix(got.claims, want) {
			t.Errorf("the claims begin %.80s, want %.80s", got.claims, want)
		}
	}
}

func TestADeploymentMayNameTheClaimOfAChart(t *testing.T) {
	s := open(t, withCharts, func(s *setup) {
		var err error
		if s.chart, err = token.ParseChartClaim("chart"); err != nil {
			t.Fatal(err)
		}
	})
	got := unseal(t, s.send(t, request{body: allEight}).jwt(t), values()[namedKey])
	if !strings.Contains(got.claims, `,"chart":"h",`) {
		t.Errorf("the claims are %s", got.claims)
	}
}

func TestARequestIsGrantedInEverySpellingThatIsTheSame(t *testing.T) {
	s := open(t)
	rw := apiToken("acme", "rw")
	for name, r := range map[string]request{
		"without the trailing slash":       {path: "/api/generate_jwt"},
		"with a query":                     {path: route + "?x=1"},
		"an absolute request target":       {path: "http://embedseal.test" + route},
		"Authorization: Bearer":            {headers: []string{jsonIs, "Authorization: Bearer " + rw}},
		"both headers with the same token": {headers: []string{jsonIs, "Authorization: Bearer " + rw, authorized()}},
		"schemes of another case":          {headers: []string{jsonIs, "authorization: bEARER " + rw, "EXPLO-AUTHORIZATION: TOKEN " + rw}},
		"several spaces":                   {headers: []string{jsonIs, "Explo-Authorization: Token   " + rw + "  "}},
		"a token of scope mint alone":      {headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("acme", "mint")}},
		"a charset":                        {headers: []string{"Content-Type: application/json; charset=UTF-8", authorized()}},
		"a quoted charset, other case":     {headers: []string{`Content-Type: Application/JSON;Charset="utf-8"`, authorized()}},
		"an Accept nobody can satisfy":     {headers: []string{jsonIs, authorized(), "Accept: text/html"}},
		"cookies":                          {headers: []string{jsonIs, authorized(), "Cookie: a=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			r.body = minimal
			unseal(t, s.send(t, r).jwt(t), values()[defaultKey])
		})
	}
}

func TestTheAnswerNamesTheRequestByAnIDOfOurOwn(t *testing.T) {
	s := open(t)
	seen := map[string]bool{}
	for range 20 {
		got := s.send(t, request{body: minimal, headers: []string{jsonIs, authorized(), "X-Request-Id: theirs"}})
		got.jwt(t)
		seen[got.header.Get("X-Request-Id")] = true
	}
	if len(seen) != 20 || seen["theirs"] {
		t.Errorf("20 requests had the ids %v", seen)
	}
}

func TestHealthIsAnsweredWithoutAToken(t *testing.T) {
	s := open(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		got := s.send(t, request{method: method, path: "/healthz", headers: []string{}})
		want := "{\"status\":\"ok\"}\n"
		if method == http.MethodHead {
			want = ""
		}
		if got.status != http.StatusOK || got.body != want || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %v", method, got.status, got.body, got.header)
		}
	}
}
