package token_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"embedseal/domain/token"
)

// anyID draws an id of every kind of character that one may have.
func anyID() *rapid.Generator[string] {
	return rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune(`"\/<>&'{}[]:,`)), rapid.RuneFrom([]rune("\u2028\u2029\ufeff\ufffd\U0001F4C8\u00a0\u200d")), rapid.Rune(),
	).Filter(func(r rune) bool { return !unicode.IsControl(r) && utf8.ValidRune(r) })).
		Filter(func(s string) bool { return s != "" && len(s) <= token.MaxID })
}

func anyClaims(t testing.TB) *rapid.Generator[token.Claims] {
	return rapid.Custom(func(rt *rapid.T) token.Claims {
		seconds := rapid.Int64Range(1, 253402300799)
		at := func(name string) time.Time {
			if rapid.Bool().Draw(rt, "has "+name) {
				return time.Unix(seconds.Draw(rt, name), 0).UTC()
			}
			return time.Time{}
		}
		c := token.Claims{
			Customer: anyID().Draw(rt, "customer"), Embed: anyID().Draw(rt, "embed"), Features: token.UnsetFeatures(),
			DisableEditing: rapid.SampledFrom([]token.Flag{token.Unset, token.No, token.Yes}).Draw(rt, "des"),
			IssuedAt:       at("iat"), NotBefore: at("nbf"), ExpiresAt: time.Unix(seconds.Draw(rt, "exp"), 0).UTC(),
		}
		if rapid.Bool().Draw(rt, "has chart") {
			c.Chart = anyID().Draw(rt, "chart")
		}
		if rapid.Bool().Draw(rt, "has features") {
			c.Features = featuresOf(t, rapid.SampledFrom([][]string{{}, {"*"}, {"flt"}, {"srt", "flt"}, {"fork", "crt-view", "core", "srt", "flt"}}).Draw(rt, "features")...)
		}
		if rapid.Bool().Draw(rt, "has origin") {
			c.Origin = originOf(t, rapid.SampledFrom([]string{"https://a.example", "http://localhost:3000", "https://[::1]:8443", "https://xn--bcher-kva.example"}).Draw(rt, "origin"))
		}
		return c
	})
}

func TestClaimsThatWereWrittenAreReadBackTheSame(t *testing.T) {
	names := []token.ChartClaim{{}, chartClaim(t, "chart_id"), chartClaim(t, "CST")}
	rapid.Check(t, func(rt *rapid.T) {
		c, name := anyClaims(t).Draw(rt, "claims"), rapid.SampledFrom(names).Draw(rt, "name")
		text := c.AppendJSON(nil, name)
		got, err := token.ParseClaims(text, name)
		if err != nil || got != c {
			rt.Fatalf("%s: %v\ngot  %+v\nwant %+v", text, err, got, c)
		}
	})
}

func TestAnotherReaderFindsTheSameMembersAndNoMore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := anyClaims(t).Draw(rt, "claims")
		var got struct {
			Cst, Dsh string
			Cht, Iss *string
			Exp      int64
			Iat, Nbf *int64
			Rbc      []string
			Des      *bool
		}
		d := json.NewDecoder(strings.NewReader(string(c.AppendJSON(nil, token.ChartClaim{}))))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			rt.Fatal(err)
		}
		if got.Cst != c.Customer || got.Dsh != c.Embed || got.Exp != c.ExpiresAt.Unix() {
			rt.Errorf("got %+v", got)
		}
		if (got.Cht != nil) != (c.Chart != "") || got.Cht != nil && *got.Cht != c.Chart {
			rt.Errorf("the chart is %v, want %q", got.Cht, c.Chart)
		}
		if (got.Iss != nil) == c.Origin.IsZero() || got.Iss != nil && (*got.Iss != c.Origin.String() || !strings.HasSuffix(*got.Iss, "/")) {
			rt.Errorf("the origin is %v, want %q", got.Iss, c.Origin)
		}
		if (got.Iat != nil) == c.IssuedAt.IsZero() || (got.Nbf != nil) == c.NotBefore.IsZero() {
			rt.Errorf("iat %v, nbf %v of %+v", got.Iat, got.Nbf, c)
		}
		if (got.Rbc != nil) != c.Features.Given() || !slices.Equal(got.Rbc, c.Features.Words()) {
			rt.Errorf("the features are %q, want %q", got.Rbc, c.Features.Words())
		}
		if (got.Des != nil) != (c.DisableEditing != token.Unset) || got.Des != nil && *got.Des != (c.DisableEditing == token.Yes) {
			rt.Errorf("des is %v, want %d", got.Des, c.DisableEditing)
		}
	})
}

func FuzzParseClaims(f *testing.F) {
	for _, text := range []string{
		`{"cst":"c","dsh":"d","exp":4102444800}`, `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}`, `{"cst":"c","dsh":"d","exp":0.5}`,
		`{"cst":"c","dsh":"d","exp":1e400}`, `{"cst":"c","dsh":"d","exp":253402300799.9999999}`, `{"cst":"c","dsh":"d","exp":1,"exp":2}`, body(`"iat":0.1,"nbf":1e9`),
		body(`"rbc":["*"],"des":false,"iss":"https://a.example:443"`), body(`"rb_allowed_features":["flt","flt"],"cht":"\ud83d\udcc8"`), body(`"rbc":null`),
		`{"cst":"\ud800","dsh":"d","exp":1}`, body(`"x":[[[[{"a":{}}]]]]`), body(`"iss":"https://ａ.example"`), "\xff", `{}`, `[]`, ``, body(`"exp":null`),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		c, err := token.ParseClaims(text, token.ChartClaim{})
		if string(text) != before {
			t.Fatal("the text was changed")
		}
		if err != nil {
			if !errors.Is(err, token.ErrClaims) || c != (token.Claims{}) {
				t.Fatalf("got %+v and %v", c, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON and was read", text)
		}
		again, err := token.ParseClaims(c.AppendJSON(nil, token.ChartClaim{}), token.ChartClaim{})
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		for _, at := range []*time.Time{&c.ExpiresAt, &c.IssuedAt, &c.NotBefore} {
			if !at.IsZero() {
				*at = time.Unix(at.Unix(), 0).UTC()
			}
		}
		if again != c {
			t.Fatalf("got  %+v\nwant %+v", again, c)
		}
	})
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func FuzzRequest(f *testing.F) {
	f.Add(byte(0xff), "customer_1", "abcde", "aa111111-1a11-111a-aa11-1aaaa11a1a11", "PT1H", "c1", "https://your-domain.com/", "flt,srt")
	f.Add(byte(0x03), "", "\x00", "../x", "PT0S", "\xff", "https://*.a/", "*,flt")
	f.Add(byte(0x3f), strings.Repeat("x", 513), "\u0085", "", "-P1D", "\ud7ff\ufffd", "null", "")
	f.Add(byte(0x7f), "\u2028", `"`, ".", "P1Y2M3W4DT5H6M7.8S", `\`, "http://[::1]:80", "*")
	f.Add(byte(0xc3), "a", "b", "k", "P999999999999Y", "c", "https://a@b", strings.Repeat("flt,", 20))
	f.Fuzz(func(t *testing.T, present byte, provided, embed, keyText, expiration, chart, origin, words string) {
		d := token.Draft{}
		for i, field := range []struct {
			into *(*string)
			text *string
		}{{&d.ProvidedID, &provided}, {&d.EmbedID, &embed}, {&d.KeyID, &keyText}, {&d.Expiration, &expiration}, {&d.ChartID, &chart}, {&d.EmbedOrigin, &origin}} {
			if present&(1<<i) != 0 {
				*field.into = field.text
			}
		}
		if present&0x40 != 0 {
			d.Features = strings.FieldsFunc(words, func(r rune) bool { return r == ',' })
		}
		if present&0x80 != 0 {
			d.DisableEditing = new(len(words)%2 == 0)
		}
		r, err := token.NewRequest(d)
		if err != nil {
			refusedDraft(t, r, err)
			return
		}
		grantedDraft(t, d, r)
	})
}

func refusedDraft(t *testing.T, r token.Request, err error) {
	t.Helper()
	var invalid *token.Invalid
	if !errors.As(err, &invalid) || len(invalid.Faults) == 0 || r != (token.Request{}) {
		t.Fatalf("got %+v and %v", r, err)
	}
	last := -1
	for _, f := range invalid.Faults {
		place := slices.Index(token.Fields(), f.Field)
		if place <= last {
			t.Fatalf("%s stands twice, or out of order: %v", f.Field, err)
		}
		last = place
		if f.Code == "" || f.Detail == "" || len(f.Detail) > 250 || !utf8.ValidString(f.Detail) {
			t.Fatalf("a fault without words: %+q", f)
		}
	}
}

func grantedDraft(t *testing.T, d token.Draft, r token.Request) {
	t.Helper()
	if d.ProvidedID == nil || d.EmbedID == nil || r.Customer() != *d.ProvidedID || r.Embed() != *d.EmbedID || r.Customer() == "" || r.Embed() == "" {
		t.Fatalf("granted: %+v", r)
	}
	if d.KeyID == nil && r.KeyID() != "" || d.KeyID != nil && (string(r.KeyID()) != *d.KeyID || !keyID.MatchString(*d.KeyID)) {
		t.Fatalf("the key is %q", r.KeyID())
	}
	if (d.Expiration == nil) != r.Expiration().IsZero() || (d.Features == nil) == r.Features().Given() ||
		(d.EmbedOrigin == nil) != r.Origin().IsZero() || (d.DisableEditing == nil) != (r.DisableEditing() == token.Unset) || (d.ChartID == nil) != (r.Chart() == "") {
		t.Fatalf("what was left out is set, or the other way round: %+v", r)
	}
	c := token.Claims{
		Customer: r.Customer(), Embed: r.Embed(), Chart: r.Chart(), Features: r.Features(), DisableEditing: r.DisableEditing(), Origin: r.Origin(),
		IssuedAt: time.Unix(1772366400, 0).UTC(), ExpiresAt: time.Unix(4102444800, 0).UTC(),
	}
	text := c.AppendJSON(nil, token.ChartClaim{})
	if got, err := token.ParseClaims(text, token.ChartClaim{}); err != nil || got != c {
		t.Fatalf("%s: %v\ngot  %+v\nwant %+v", text, err, got, c)
	}
}
