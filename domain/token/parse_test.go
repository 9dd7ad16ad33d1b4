package token_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"embedseal/domain/token"
)

// body is a JSON object of the least claims and one more member.
func body(member string) string {
	return `{"cst":"customer_1","dsh":"abcde","exp":4102444800,` + member + `}`
}

func TestClaimsOfAnyMinterAreRead(t *testing.T) {
	for _, tt := range []struct {
		sentence string
		text     string
		want     token.Claims
	}{
		{"the least", `{"cst":"customer_1","dsh":"abcde","exp":4102444800}`, claims(func(*token.Claims) {})},
		{"in another order, with spaces", " {\n\"exp\" : 4102444800 ,\t\"dsh\":\"abcde\", \"cst\":\"customer_1\" }\r\n", claims(func(*token.Claims) {})},
		{"a fraction, as Python writes it", `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}`,
			claims(func(c *token.Claims) { c.ExpiresAt = time.Unix(4102444800, 123456001).UTC() })},
		{"a float that is whole", `{"exp":4102444800.0,"cst":"customer_1","dsh":"abcde"}`, claims(func(*token.Claims) {})},
		{"a float with an exponent", `{"exp":41024448E2,"cst":"customer_1","dsh":"abcde"}`, claims(func(*token.Claims) {})},
		{"the first second", `{"exp":1,"cst":"customer_1","dsh":"abcde"}`, claims(func(c *token.Claims) { c.ExpiresAt = time.Unix(1, 0).UTC() })},
		{"the last second", `{"exp":253402300799,"cst":"customer_1","dsh":"abcde"}`, claims(func(c *token.Claims) { c.ExpiresAt = time.Unix(253402300799, 0).UTC() })},
		{"issued and not before", body(`"iat":1772366400,"nbf":1772366400.5`), claims(func(c *token.Claims) {
			c.IssuedAt, c.NotBefore = time.Unix(1772366400, 0).UTC(), time.Unix(1772366400, 5e8).UTC()
		})},
		{"an origin without its slash", body(`"iss":"HTTPS://Your-Domain.com"`), claims(func(c *token.Claims) { c.Origin = originOf(t, "https://your-domain.com/") })},
		{"features", body(`"rbc":["core","flt"]`), claims(func(c *token.Claims) { c.Features = featuresOf(t, "core", "flt") })},
		{"no features", body(`"rbc":[]`), claims(func(c *token.Claims) { c.Features = featuresOf(t) })},
		{"all features", body(`"rbc":["*"]`), claims(func(c *token.Claims) { c.Features = featuresOf(t, "*") })},
		{"features of an older token", body(`"rb_allowed_features":["flt"]`), claims(func(c *token.Claims) { c.Features = featuresOf(t, "flt") })},
		{"no features of an older token", body(`"rb_allowed_features":[]`), claims(func(c *token.Claims) { c.Features = featuresOf(t) })},
		{"editing disabled", body(`"des":true`), claims(func(c *token.Claims) { c.DisableEditing = token.Yes })},
		{"editing not disabled", body(`"des":false`), claims(func(c *token.Claims) { c.DisableEditing = token.No })},
		{"a chart", body(`"cht":"c1"`), claims(func(c *token.Claims) { c.Chart = "c1" })},
		{"claims of others", body(`"sub":null,"aud":["x"],"jti":{"a":[1,{}]},"x":1e400,"chart":7,"CST":0`), claims(func(*token.Claims) {})},
		{"escapes", `{"c\u0073t":"customer\u005f1","dsh":"\u0061bcde","exp":4102444800}`, claims(func(*token.Claims) {})},
		{"a pair of surrogates", `{"cst":"\ud83d\udcc8","dsh":"abcde","exp":4102444800}`, claims(func(c *token.Claims) { c.Customer = "\U0001F4C8" })},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			got, err := token.ParseClaims([]byte(tt.text), token.ChartClaim{})
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAChartIsReadUnderItsNameOnly(t *testing.T) {
	text := []byte(body(`"cht":"c1","chart_id":"c2"`))
	for name, want := range map[string]string{"cht": "c1", "chart_id": "c2", "other": ""} {
		got, err := token.ParseClaims(text, chartClaim(t, name))
		if err != nil || got.Chart != want {
			t.Errorf("%s: got %q and %v, want %q", name, got.Chart, err, want)
		}
	}
}

func TestAnExpiryThatIsNoneIsRefused(t *testing.T) {
	for _, exp := range []string{
		`null`, `""`, `"4102444800"`, `"never"`, `true`, `[]`, `[4102444800]`, `{}`, `0`, `-0`, `0.0`, `-0.0`, `0e9`, `0.999`, `1e-400`, `1e-9`, `-1`,
		`-4102444800`, `-0.5`, `253402300800`, `253402300799.5`, `4102444800000`, `9223372036854775807`, `9223372036854775808`,
		`-9223372036854775808`, `18446744073709551616`, `1e12`, `1e19`, `1e308`, `1e400`, `-1e400`, strings.Repeat("9", 4096), `NaN`, `Infinity`, `-Infinity`,
		`inf`, `0x7fffffff`, `04102444800`, `+4102444800`, `4102444800.`, `.5`, `4_102_444_800`, `4102444800,0`, `1e`, `4102444800 0`, `undefined`, ``,
	} {
		// Where exp is refused, so are the other times.
		for _, text := range []string{
			fmt.Sprintf(`{"cst":"c","dsh":"d","exp":%s}`, exp),
			fmt.Sprintf(`{"cst":"c","dsh":"d","exp":4102444800,"iat":%s}`, exp),
			fmt.Sprintf(`{"cst":"c","dsh":"d","nbf":%s,"exp":4102444800}`, exp),
		} {
			refusedClaims(t, text)
		}
	}
}

func TestHostileClaimsAreRefused(t *testing.T) {
	for _, text := range []string{
		// No object, or no end of it.
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `{}`, `{"cst":"c","dsh":"d","exp":4102444800`, `{"cst":"c","dsh":"d","exp":4102444800,}`,
		`{'cst':"c","dsh":"d","exp":4102444800}`, `{cst:"c","dsh":"d","exp":4102444800}`, "\xef\xbb\xbf" + `{"cst":"c","dsh":"d","exp":4102444800}`,
		// Something behind it.
		`{"cst":"c","dsh":"d","exp":4102444800}{}`, `{"cst":"c","dsh":"d","exp":4102444800}x`, `{"cst":"c","dsh":"d","exp":4102444800}` + "\x00",
		`{"cst":"c","dsh":"d","exp":4102444800} //`, `{"cst":"c","dsh":"d","exp":4102444800},`,
		// What is required.
		`{"dsh":"d","exp":4102444800}`, `{"cst":"c","exp":4102444800}`, `{"cst":"c","dsh":"d"}`, `{"cst":"c","dsh":"d","EXP":4102444800}`,
		`{"cst":"","dsh":"d","exp":4102444800}`, `{"cst":"c","dsh":"","exp":4102444800}`,
		// Twice, in any spelling and at any depth.
		body(`"exp":4102444800`), body(`"exp":1`), body(`"cst":"customer_1"`), body(`"dsh":"x"`), body(`"c\u0073t":"x"`), body(`"e\u0078p":1`),
		body(`"rbc":[],"rbc":["*"]`), body(`"rb_allowed_features":[],"rb_allowed_features":["*"]`), body(`"x":1,"x":1`), body(`"x":{"a":1,"a":1}`),
		body(`"rbc":[],"rb_allowed_features":[]`), body(`"rb_allowed_features":["*"],"rbc":["*"]`), body(`"iat":1,"iat":1`),
		// Null is not absent here.
		`{"cst":null,"dsh":"d","exp":4102444800}`, `{"cst":"c","dsh":null,"exp":4102444800}`, body(`"cht":null`), body(`"iat":null`), body(`"nbf":null`),
		body(`"iss":null`), body(`"rbc":null`), body(`"rb_allowed_features":null`), body(`"des":null`),
		// Another type.
		`{"cst":1,"dsh":"d","exp":4102444800}`, `{"cst":["c"],"dsh":"d","exp":4102444800}`, `{"cst":"c","dsh":{},"exp":4102444800}`,
		body(`"cht":1`), body(`"cht":""`), body(`"iss":1`), body(`"iss":["https://a.example/"]`), body(`"rbc":"flt"`), body(`"rbc":"*"`), body(`"rbc":{}`),
		body(`"rbc":true`), body(`"rbc":[1]`), body(`"rbc":[null]`), body(`"rbc":[["flt"]]`), body(`"rbc":["flt",{}]`), body(`"des":1`), body(`"des":0`),
		body(`"des":"true"`), body(`"des":"false"`), body(`"des":[]`), body(`"iat":"1772366400"`), body(`"nbf":true`),
		// Values that are none.
		body(`"iss":""`), body(`"iss":"null"`), body(`"iss":"https://*.example.com/"`), body(`"iss":"https://a.example/path"`), body(`"iss":"javascript://a/"`),
		body(`"iss":"https://user:hunter2@a.example/"`), body(`"rbc":["hunter2"]`), body(`"rbc":["*","flt"]`), body(`"rbc":[""]`), body(`"rbc":["FLT"]`),
		`{"cst":"hunter2\u0000","dsh":"d","exp":4102444800}`, `{"cst":"hunter2\n","dsh":"d","exp":4102444800}`, `{"cst":"hunter2\u0085","dsh":"d","exp":4102444800}`,
		`{"cst":"` + strings.Repeat("hunter2", 74) + `","dsh":"d","exp":4102444800}`, body(`"cht":"` + strings.Repeat("x", 513) + `"`),
		// Text that is none.
		`{"cst":"\ud800","dsh":"d","exp":4102444800}`, `{"cst":"\udc00\ud800","dsh":"d","exp":4102444800}`, `{"cst":"` + "\xff" + `","dsh":"d","exp":4102444800}`,
		`{"cst":"` + "\xed\xa0\x80" + `","dsh":"d","exp":4102444800}`, `{"cst":"` + "\n" + `","dsh":"d","exp":4102444800}`, `{"cst":"\x41","dsh":"d","exp":4102444800}`,
		// Too deep.
		body(`"x":` + strings.Repeat(`[`, 1<<16) + strings.Repeat(`]`, 1<<16)), body(`"x":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)),
	} {
		refusedClaims(t, text)
	}
}

func refusedClaims(t *testing.T, text string) {
	t.Helper()
	got, err := token.ParseClaims([]byte(text), token.ChartClaim{})
	if !errors.Is(err, token.ErrClaims) {
		t.Errorf("%.100q: got %v, want %v", text, err, token.ErrClaims)
		return
	}
	if got != (token.Claims{}) {
		t.Errorf("%.100q: refused claims say %+v", text, got)
	}
	if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 300 {
		t.Errorf("%.100q: the error repeats the value: %.400v", text, err)
	}
}

func TestARefusalNamesTheClaim(t *testing.T) {
	for text, want := range map[string]string{
		body(`"iat":null`):                        "iat: is null, must be a number",
		body(`"des":1`):                           "des: is a number, must be true or false",
		body(`"rbc":["flt",7]`):                   "rbc: element 1 is a number, must be a string",
		body(`"rbc":"*"`):                         "rbc: is a string, must be an array of strings",
		body(`"iss":{}`):                          "iss: is an object, must be a string",
		body(`"cht":true`):                        "cht: is a boolean, must be a string",
		body(`"rbc":[],"rb_allowed_features":[]`): "rb_allowed_features: the features stand there twice",
		`{"cst":"c","dsh":"d"}`:                   "exp is missing",
		`{"cst":"c","exp":1}`:                     "dsh is missing",
		`{"dsh":"d","exp":1}`:                     "cst is missing",
	} {
		_, err := token.ParseClaims([]byte(text), token.ChartClaim{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
}
