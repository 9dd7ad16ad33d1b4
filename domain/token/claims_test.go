package token_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"embedseal/domain/token"
)

func originOf(t testing.TB, text string) token.Origin {
	t.Helper()
	o, err := token.ParseOrigin(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func featuresOf(t testing.TB, words ...string) token.Features {
	t.Helper()
	f, err := token.ParseFeatures(words)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func chartClaim(t testing.TB, name string) token.ChartClaim {
	t.Helper()
	c, err := token.ParseChartClaim(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claims is the least a token says, changed by change.
func claims(change func(*token.Claims)) token.Claims {
	c := token.Claims{Customer: "customer_1", Embed: "abcde", Features: token.UnsetFeatures(), ExpiresAt: time.Unix(4102444800, 0).UTC()}
	change(&c)
	return c
}

func TestClaimsAreWrittenToTheByte(t *testing.T) {
	const begin = `{"cst":"customer_1","dsh":"abcde"`
	issued := time.Unix(1772366400, 0).UTC()
	for _, tt := range []struct {
		sentence string
		chart    token.ChartClaim
		claims   token.Claims
		want     string
	}{
		{"the least", token.ChartClaim{}, claims(func(*token.Claims) {}), begin + `,"exp":4102444800}`},
		{"everything", token.ChartClaim{}, claims(func(c *token.Claims) {
			c.Chart, c.IssuedAt, c.NotBefore = "c1", issued, issued.Add(time.Minute)
			c.Origin, c.Features, c.DisableEditing = originOf(t, "https://your-domain.com"), featuresOf(t, "srt", "flt"), token.Yes
		}), begin + `,"cht":"c1","exp":4102444800,"iat":1772366400,"nbf":1772366460,"iss":"https://your-domain.com/","rbc":["srt","flt"],"des":true}`},
		{"a chart under another name", chartClaim(t, "chart_id"), claims(func(c *token.Claims) { c.Chart = "c1" }), begin + `,"chart_id":"c1","exp":4102444800}`},
		{"another name and no chart", chartClaim(t, "chart_id"), claims(func(*token.Claims) {}), begin + `,"exp":4102444800}`},
		{"all features", token.ChartClaim{}, claims(func(c *token.Claims) { c.Features = featuresOf(t, "*") }), begin + `,"exp":4102444800,"rbc":["*"]}`},
		{"no features", token.ChartClaim{}, claims(func(c *token.Claims) { c.Features = featuresOf(t) }), begin + `,"exp":4102444800,"rbc":[]}`},
		{"the zero features are no features", token.ChartClaim{}, claims(func(c *token.Claims) { c.Features = token.Features{} }), begin + `,"exp":4102444800,"rbc":[]}`},
		{"editing allowed", token.ChartClaim{}, claims(func(c *token.Claims) { c.DisableEditing = token.No }), begin + `,"exp":4102444800,"des":false}`},
		{"fractions are cut", token.ChartClaim{}, claims(func(c *token.Claims) {
			c.ExpiresAt, c.IssuedAt = c.ExpiresAt.Add(time.Second-1), issued.Add(time.Second-1)
		}), begin + `,"exp":4102444800,"iat":1772366400}`},
		{"times of another zone", token.ChartClaim{}, claims(func(c *token.Claims) { c.IssuedAt = issued.In(time.FixedZone("", 19800)) }), begin + `,"exp":4102444800,"iat":1772366400}`},
		{"what JSON escapes", token.ChartClaim{}, claims(func(c *token.Claims) { c.Customer, c.Embed = `"a\b"`, "a\x00b\x1f\n\t" }),
			`{"cst":"\"a\\b\"","dsh":"a\u0000b\u001f\u000a\u0009","exp":4102444800}`},
		{"what JSON does not escape", token.ChartClaim{}, claims(func(c *token.Claims) { c.Customer, c.Embed = "</script>&'/", "Zoë\u2028\U0001F4C8\x7f" }),
			`{"cst":"</script>&'/","dsh":"Zoë` + "\u2028\U0001F4C8\x7f" + `","exp":4102444800}`},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			got := string(tt.claims.AppendJSON(nil, tt.chart))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("it is no JSON")
			}
			if after := string(tt.claims.AppendJSON([]byte("before"), tt.chart)); after != "before"+tt.want {
				t.Errorf("appended: %s", after)
			}
		})
	}
}

func TestClaimsAreWrittenIntoTheRoomThereIs(t *testing.T) {
	c := claims(func(c *token.Claims) {
		c.Origin, c.Features = originOf(t, "https://a.example"), featuresOf(t, "core", "flt")
	})
	dst := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { dst = c.AppendJSON(dst[:0], token.ChartClaim{}) }); n != 0 {
		t.Errorf("AppendJSON allocates %v times", n)
	}
}

func TestATokenIsGoodBeforeItsExpiryAndNotAtIt(t *testing.T) {
	at := time.Unix(1772366400, 0).UTC()
	for _, tt := range []struct {
		sentence        string
		exp, nbf, iat   time.Duration
		leeway          time.Duration
		want            error
		saysNbf, saysIt bool
	}{
		{sentence: "a second before", exp: time.Second},
		{sentence: "a nanosecond before", exp: 1},
		{sentence: "at it", exp: 0, want: token.ErrExpired},
		{sentence: "after it", exp: -1, want: token.ErrExpired},
		{sentence: "at it, with leeway", exp: 0, leeway: time.Hour, want: token.ErrExpired},
		{sentence: "a second after it, with leeway", exp: -time.Second, leeway: time.Hour, want: token.ErrExpired},
		{sentence: "from now", exp: time.Hour, saysNbf: true, saysIt: true},
		{sentence: "from the next nanosecond", exp: time.Hour, nbf: 1, saysNbf: true, want: token.ErrNotYetValid},
		{sentence: "issued in the next nanosecond", exp: time.Hour, iat: 1, saysIt: true, want: token.ErrNotYetValid},
		{sentence: "from a minute on, with as much leeway", exp: time.Hour, nbf: time.Minute, saysNbf: true, leeway: time.Minute},
		{sentence: "issued in a minute, with as much leeway", exp: time.Hour, iat: time.Minute, saysIt: true, leeway: time.Minute},
		{sentence: "from beyond the leeway", exp: time.Hour, nbf: time.Minute + 1, saysNbf: true, leeway: time.Minute, want: token.ErrNotYetValid},
		{sentence: "issued beyond the leeway", exp: time.Hour, iat: time.Minute + 1, saysIt: true, leeway: time.Minute, want: token.ErrNotYetValid},
		{sentence: "expired and not yet valid", exp: -1, nbf: 1, saysNbf: true, want: token.ErrExpired},
		{sentence: "issued long ago", exp: time.Hour, iat: -1e6 * time.Hour, saysIt: true},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			c := token.Claims{ExpiresAt: at.Add(tt.exp)}
			if tt.saysNbf {
				c.NotBefore = at.Add(tt.nbf)
			}
			if tt.saysIt {
				c.IssuedAt = at.Add(tt.iat)
			}
			if err := c.ValidAt(at, tt.leeway); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if err := (token.Claims{}).ValidAt(at, time.Hour); !errors.Is(err, token.ErrExpired) {
		t.Errorf("the zero claims are %v", err)
	}
}

func TestAChartsClaimHasANameOfItsOwn(t *testing.T) {
	for _, name := range []string{"cht", "chart", "chart_id", "Chart-1", "CST", "a", strings.Repeat("x", 32)} {
		if c, err := token.ParseChartClaim(name); err != nil || c.String() != name {
			t.Errorf("%s: got %s and %v", name, c, err)
		}
	}
	for _, name := range []string{
		"cst", "dsh", "exp", "iat", "nbf", "iss", "rbc", "des", "rb_allowed_features", "sub", "aud", "jti",
		"", " ", "a b", `a"`, `a\`, "a\x00", "ä", "a.b", "a:b", strings.Repeat("x", 33),
	} {
		c, err := token.ParseChartClaim(name)
		if err == nil || c.String() != token.DefaultChartClaim {
			t.Errorf("%q: got %s and %v, want it refused", name, c, err)
		}
	}
	if got := (token.ChartClaim{}).String(); got != "cht" {
		t.Errorf("the zero value is %s", got)
	}
}
