package jwe_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"embedseal/domain/jwe"
)

func FuzzParseCompact(f *testing.F) {
	for _, seed := range []string{
		vector12, vector16, typical, "", "....", vectorHeader, vector12 + "\n", vector12 + ".", vector12 + "==",
		bump(vector12), bump(vector16), spell(bump(vectorHeader), "", part(12), part(60), part(16)), spell(vectorHeader, "AA", part(12), part(60), part(16)),
		spell(vectorHeader, "", part(12), "", part(76)), spell(vectorHeader, "", part(12), bump(part(61)), part(16)), spell(vectorHeader, "", bump(part(16)), part(60), part(16)),
		spell(vectorHeader, "", part(13), part(60), part(16)), spell(vectorHeader, "", part(12), "A", part(16)), spell(vectorHeader, "", part(12), part(1), part(15)),
		strings.Replace(vector12, ".", "\r\n.", 1), strings.ReplaceAll(vector16, "_", "/"), withHeader(`{"alg":"dir","enc":"A256GCM","kid":"k","kid":"j"}`),
		withHeader(`{"alg":"dir","enc":"A256GCM","kid":"k","zip":"DEF"}`), withHeader("{\"\\u0061lg\":\"dir\",\n\"enc\":\"A256GCM\",\"kid\":\"\\u006b\",\"typ\":\"JWT\"}"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := jwe.ParseCompact(text)
		if err != nil {
			if !errors.Is(err, jwe.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again := jwe.AppendCompact(nil, token.EncodedHeader(), token.IV(), token.Ciphertext(), token.Tag()); string(again) != text {
			t.Fatalf("%q encodes to %q", text, again)
		}
		if n := len(token.IV()); n != 12 && n != 16 {
			t.Fatalf("an IV of %d bytes", n)
		}
		if len(token.Tag()) != 16 || len(token.Ciphertext()) == 0 || string(token.Sealed()) != string(token.Ciphertext())+string(token.Tag()) {
			t.Fatalf("ciphertext %x, tag %x, sealed %x", token.Ciphertext(), token.Tag(), token.Sealed())
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(token.EncodedHeader())
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != token.EncodedHeader() {
			t.Fatalf("the header %q is not canonical: %v", token.EncodedHeader(), err)
		}
		if header, err := jwe.ParseHeader(raw); err != nil || header != token.Header() {
			t.Fatalf("the header alone reads as %+v, %v, in the token as %+v", header, err, token.Header())
		}
	})
}

// FuzzParseHeader holds what is accepted against encoding/json.
func FuzzParseHeader(f *testing.F) {
	for _, seed := range []string{
		"", "{}", goodJSON, " " + goodJSON + "\n", goodJSON + "x", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":"JWT","cty":"JWT"}`,
		`{"alg":"dir","alg":"none","enc":"A256GCM","kid":"k"}`, `{"\u0061lg":"d\u0069r","enc":"A256GCM","kid":"\u006B"}`, `{"alg":"dir","enc":"A256GCM","kid":"\ud800"}`,
		`{"ALG":"dir","enc":"A256GCM","kid":"k"}`, `{"alg":"dir","enc":"A256GCM","kid":null}`, `{"alg":"dir","enc":"A256GCM","kid":"../../etc/passwd"}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k","crit":["zip"],"zip":"DEF"}`, "\ufeff" + goodJSON, "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		header, err := jwe.ParseHeader(data)
		if err != nil {
			if !errors.Is(err, jwe.ErrMalformed) || header != (jwe.Header{}) {
				t.Fatalf("%+v, %v", header, err)
			}
			return
		}
		var members map[string]string
		if err := json.Unmarshal(data, &members); err != nil || len(data) > jwe.MaxHeader {
			t.Fatalf("%d bytes accepted, encoding/json says %v", len(data), err)
		}
		want := map[string]string{"alg": "dir", "enc": "A256GCM", "kid": header.KeyID, "typ": header.Type, "cty": header.ContentType}
		for name, value := range members {
			if known, ok := want[name]; !ok || value != known || value == "" {
				t.Fatalf("%s is %q, reported as %q", name, value, known)
			}
			delete(want, name)
		}
		if want["alg"]+want["enc"]+want["kid"]+want["typ"]+want["cty"] != "" {
			t.Fatalf("reported without being there: %v", want)
		}
		if !jwe.ValidKeyID(header.KeyID) {
			t.Fatalf("the kid is %q", header.KeyID)
		}
	})
}
