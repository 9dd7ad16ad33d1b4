package app_test

import (
	"bytes"
	"crypto/aes"
	stdcipher "crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	gojose "github.com/go-jose/go-jose/v4"
	"golang.org/x/net/idna"
	"pgregory.net/rapid"

	"embedseal/adapters/jose"
	"embedseal/adapters/jose/hostile"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// anyDraft is a request that the default policy grants, with charts.
func anyDraft() *rapid.Generator[token.Draft] {
	return rapid.Custom(func(rt *rapid.T) token.Draft {
		id := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return !unicode.IsControl(r) && r != unicode.ReplacementChar }), 1, 40, token.MaxID)
		optional := func(g *rapid.Generator[string], name string) *string {
			if !rapid.Bool().Draw(rt, "has "+name) {
				return nil
			}
			return new(g.Draw(rt, name))
		}
		d := token.Draft{
			ProvidedID: new(id.Draw(rt, "customer")), EmbedID: new(id.Draw(rt, "embed")), ChartID: optional(id, "chart"),
			Expiration:  optional(rapid.SampledFrom([]string{"PT1S", "PT0.5S", "PT1H", "P1W", "P30D", "PT24H"}), "expiration"),
			EmbedOrigin: optional(rapid.SampledFrom([]string{"https://a.example", "HTTP://LOCALHOST:3000/", "https://[::1]:8443", "https://bücher.example"}), "origin"),
			Features:    rapid.SampledFrom([][]string{nil, {}, {"*"}, {"core"}, {"flt", "fork"}}).Draw(rt, "features"),
		}
		if rapid.Bool().Draw(rt, "has des") {
			d.DisableEditing = new(rapid.Bool().Draw(rt, "des"))
		}
		return d
	})
}

func TestWhatIsMintedIsGoodInItsOneSpelling(t *testing.T) {
	c := newCourt(t, jose.New(), app.NothingRevoked{})
	c.caller = altered(c.caller, func(g *group.Group, _ *apitoken.Token) { g.Policy.ChartEmbedding = true })
	minter := app.NewMinter(c.stores, nil, jose.New(), c.log, stopped{now()}, token.ChartClaim{})
	rapid.Check(t, func(rt *rapid.T) {
		d := anyDraft().Draw(rt, "draft")
		d.KeyID = new(rapid.SampledFrom([]string{hostile.Active, hostile.Overlap}).Draw(rt, "key"))
		minted, err := minter.Mint(t.Context(), app.Call{}, c.caller, d)
		if err != nil {
			rt.Fatal(err)
		}
		presented, err := verdict.Present(d.EmbedOrigin, d.EmbedID, d.ChartID)
		if err != nil {
			rt.Fatal(err)
		}
		text := string(minted.Text)
		got := c.verify(t, text, presented)
		if !got.Active || got.Claims != minted.Claims || got.KeyID != minted.KeyID || got.Fingerprint != token.FingerprintOfSealed(minted.Text) {
			rt.Fatalf("%s: %+v, minted %+v", text, got, minted.Claims)
		}
		for _, other := range respelled(rt, text) {
			if got := c.verify(t, other, verdict.Presented{}); got.Active {
				rt.Fatalf("another spelling is good: %q", other)
			}
		}
	})
}

// respelled are other texts of the same token, or of nearly the same.
func respelled(rt *rapid.T, text string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := rapid.IntRange(0, len(text)).Draw(rt, "at")
	noise := rapid.SampledFrom([]string{"\n", "\r", "\t", " ", "=", ".", "A", "\x00", "\u200b", "%2E", "+", "/"}).Draw(rt, "noise")
	all := []string{text[:at] + noise + text[at:], text + "\n", " " + text, strings.ToUpper(text), strings.Replace(text, "..", ".AAAA.", 1)}
	parts := strings.Split(text, ".")
	for i, part := range parts {
		if part == "" {
			continue
		}
		for _, letter := range alphabet { // every other last letter, those that decode to the same bytes among them
			if last := part[len(part)-1]; byte(letter) != last {
				changed := append([]string{}, parts...)
				changed[i] = part[:len(part)-1] + string(letter)
				all = append(all, strings.Join(changed, "."))
			}
		}
	}
	sealed, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil {
		rt.Fatal(err)
	}
	tag, err := base64.RawURLEncoding.DecodeString(parts[4])
	if err != nil {
		rt.Fatal(err)
	}
	whole, cut := append(sealed, tag...), rapid.IntRange(1, len(sealed)-1).Draw(rt, "cut")
	encode := base64.RawURLEncoding.EncodeToString
	return append(all, strings.Join([]string{parts[0], "", parts[2], encode(whole[:cut]), encode(whole[cut:])}, "."))
}

// FuzzVerdict seals claims as a stranger with the key would, under any header, and
// then replaces letters of the text (edits is pairs of a position and a letter). What
// is good to us, go-jose opens; and it says, read with encoding/json, what we say
// of it, is not over, and is for what was presented.
func FuzzVerdict(f *testing.F) {
	const header = `{"alg":"dir","enc":"A256GCM","kid":"` + hostile.Active + `"}`
	rows, err := hostile.Rows(now())
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range rows {
		compact, err := jwe.ParseCompact(r.Text)
		if err != nil || compact.Header().KeyID != hostile.Active {
			continue
		}
		found := inspector().Inspect(f.Context(), r.Text, value(hostile.Value(hostile.Active)), verdict.Presented{})
		f.Add([]byte(header), found.Payload, []byte(nil), orEmpty(r.Origin), orEmpty(r.Embed), orEmpty(r.Chart))
	}
	f.Add([]byte(`{"kid":"`+hostile.Active+`","enc":"A256GCM","alg":"dir","typ":"JWT"}`), []byte(`{"cst":"c","dsh":"d","exp":1772370000}`), []byte{200, '\n'}, "", "d", "")
	f.Add([]byte(header), []byte(`{"cst":"c","dsh":"d","exp":1772366460.5,"iau":1769E74459}`), []byte(nil), "", "", "")
	c := newCourt(f, jose.New(), app.NothingRevoked{})
	k := hostile.Value(hostile.Active)
	f.Fuzz(func(t *testing.T, header, claims, edits []byte, origin, embed, chart string) {
		presented, err := verdict.Present(orNil(origin), orNil(embed), orNil(chart))
		if err != nil {
			return
		}
		text := sealedBy(t, k, header, claims)
		for i := 0; i+1 < len(edits) && len(text) > 0; i += 2 {
			text[int(edits[i])%len(text)] = edits[i+1]
		}
		got := c.verify(t, string(text), presented)
		if got.Active != (got.Reason == "") {
			t.Fatalf("it contradicts itself: %+v", got)
		}
		if !got.Active {
			return
		}
		object, err := gojose.ParseEncryptedCompact(string(text), []gojose.KeyAlgorithm{gojose.DIRECT}, []gojose.ContentEncryption{gojose.A256GCM})
		if err != nil {
			t.Fatalf("go-jose does not read it: %v", err)
		}
		plain, err := object.Decrypt([]byte(k))
		if err != nil {
			t.Fatalf("go-jose does not open it: %v", err)
		}
		agrees(t, plain, got, presented)
	})
}

// sealedBy is a token under any header, as whoever has the key can make it.
func sealedBy(t testing.TB, value string, header, claims []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := stdcipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	encoded, iv := base64.RawURLEncoding.EncodeToString(header), make([]byte, aead.NonceSize())
	out := aead.Seal(nil, iv, claims, []byte(encoded))
	return jwe.AppendCompact(nil, encoded, iv, out[:len(claims)], out[len(claims):])
}

// agrees compares a verdict with what encoding/json reads in the claims.
func agrees(t *testing.T, plain []byte, got app.Verdict, presented verdict.Presented) {
	t.Helper()
	var read map[string]any
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.UseNumber() // a claim that is not ours may be a number that no float64 holds
	if err := decoder.Decode(&read); err != nil {
		t.Fatalf("encoding/json does not read %q: %v", plain, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value in %q: %v", plain, err)
	}
	number, _ := read["exp"].(json.Number)
	exp, err := number.Float64()
	left := exp - float64(now().UnixNano())/1e9
	if err != nil || left < -1e-3 || left > 30*86400+1e-3 || math.Abs(got.Left.Seconds()-left) > 1e-3 {
		t.Fatalf("exp %v, %s left: %q", read["exp"], got.Left, plain)
	}
	if read["cst"] != got.Claims.Customer || read["dsh"] != got.Claims.Embed || presented.Embed != "" && read["dsh"] != presented.Embed {
		t.Fatalf("%+v, of %q", got.Claims, plain)
	}
	if chart, _ := read["cht"].(string); chart != got.Claims.Chart || presented.Chart != "" && chart != presented.Chart {
		t.Fatalf("the chart %q, of %q", got.Claims.Chart, plain)
	}
	iss, bound := read["iss"].(string)
	if bound != !got.Claims.Origin.IsZero() || bound && !presented.Origin.IsZero() && originAsBrowsersDo(t, iss) != originAsBrowsersDo(t, presented.Origin.String()) {
		t.Fatalf("bound to %q, presented %q", iss, presented.Origin)
	}
}

// originAsBrowsersDo is an origin by other code than ours.
func originAsBrowsersDo(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("net/url does not read %q: %v", text, err)
	}
	host := strings.ToLower(u.Hostname())
	if ascii, err := idna.Lookup.ToASCII(u.Hostname()); err == nil {
		host = ascii
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + host + ":" + port
}

// FuzzOriginOfUse holds the comparison of origins to other code: a token is good for
// exactly those origins that net/url and package idna find to be the same.
func FuzzOriginOfUse(f *testing.F) {
	for _, pair := range [][2]string{
		{"https://a.example", "https://A.example:443/"}, {"https://a.example", "https://a.example:8443"}, {"http://a.example", "https://a.example"},
		{"https://bücher.example", "https://xn--bcher-kva.example"}, {"http://[::1]", "http://[0:0:0:0:0:0:0:1]:80"}, {"http://127.0.0.1", "http://localhost"},
		{"https://а.example", "https://a.example"}, {"https://a.example", "https://a.example.evil.test"}, {"https://faß.example", "https://fass.example"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, bound, presented string) {
		one, err := token.ParseOrigin(bound)
		if err != nil {
			return
		}
		two, err := token.ParseOrigin(presented)
		if err != nil {
			return
		}
		good := verdict.OfUse(token.Claims{Origin: one}, verdict.Presented{Origin: two}) == ""
		if same := originAsBrowsersDo(t, one.String()) == originAsBrowsersDo(t, two.String()); good != same {
			t.Fatalf("%q for %q: good %t, the same origin %t", bound, presented, good, same)
		}
	})
}

// FuzzLife holds the bounds on what a token has left, and on what it had when it was
// issued, to plain arithmetic.
func FuzzLife(f *testing.F) {
	f.Add(int64(60), int64(3600), int64(0), int64(0), int64(0), false)
	f.Add(int64(3601), int64(3600), int64(0), int64(0), int64(0), false)
	f.Add(int64(3600), int64(86400), int64(0), int64(0), int64(3599), true)
	f.Add(int64(60), int64(3600), int64(3541), int64(0), int64(0), false)
	f.Add(int64(60), int64(3600), int64(3542), int64(0), int64(0), false)
	f.Add(int64(60), int64(3600), int64(3542), int64(1), int64(0), false)
	f.Fuzz(func(t *testing.T, left, longest, age, was, needed int64, retiring bool) {
		const most = 1 << 32
		if longest <= 0 || longest > most || left < -most || left > most || needed < 0 || needed > most || age < 0 || age > most || was < 0 || was > most {
			return
		}
		d, err := iso8601.Parse(fmt.Sprintf("PT%dS", longest))
		if err != nil {
			t.Fatal(err)
		}
		k := key.Key{State: key.Active}
		if retiring {
			k = key.Key{State: key.Retiring, RetiresAt: now().Add(-time.Hour), SafeToDestroyAt: now().Add(time.Duration(needed) * time.Second)}
		}
		c := token.Claims{ExpiresAt: now().Add(time.Duration(left) * time.Second)}
		if age > 0 { // and otherwise it does not say
			c.IssuedAt = now().Add(-time.Duration(age) * time.Second)
		}
		ever := longest + was
		want := left > longest || age > 0 && left+age > ever+1 || retiring && left > max(needed, ever-3600)
		if got := verdict.OfLife(c, k, d, time.Duration(ever)*time.Second, now()); (got == verdict.Policy) != want {
			t.Fatalf("%d s left, issued %d before, %d allowed, once %d, needed for %d (%t): %q", left, age, longest, ever, needed, retiring, got)
		}
	})
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
