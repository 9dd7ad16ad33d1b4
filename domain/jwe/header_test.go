package jwe_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/jwe"
)

func TestAHeaderOffTheProfileIsRefusedByItsOwnCheck(t *testing.T) {
	deep := strings.Repeat(`{"x":`, 40) + "1" + strings.Repeat("}", 40)
	tests := []struct{ name, json, check string }{
		{"nothing", ``, "header-json"},
		{"an array", `["dir","A256GCM","k"]`, "header-json"},
		{"null", `null`, "header-json"},
		{"a string", `"dir"`, "header-json"},
		{"cut off", goodJSON[:len(goodJSON)-1], "header-json"},
		{"trailing text", goodJSON + "x", "header-json"},
		{"two objects", goodJSON + goodJSON, "header-json"},
		{"a trailing comma", `{"alg":"dir","enc":"A256GCM","kid":"k",}`, "header-json"},
		{"single quotes", `{'alg':'dir','enc':'A256GCM','kid':'k'}`, "header-json"},
		{"a comment", `{"alg":"dir",/*c*/"enc":"A256GCM","kid":"k"}`, "header-json"},
		{"a byte order mark", "\ufeff" + goodJSON, "header-json"},
		{"invalid UTF-8", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k\xff\"}", "header-json"},
		{"a NUL byte", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k\x00\"}", "header-json"},
		{"half a surrogate pair", `{"alg":"dir","enc":"A256GCM","kid":"\ud800"}`, "header-json"},
		{"two kids", `{"alg":"dir","enc":"A256GCM","kid":"j","kid":"k"}`, "header-json"},
		{"the same kid twice", `{"alg":"dir","enc":"A256GCM","kid":"k","kid":"k"}`, "header-json"},
		{"two algs, one escaped", `{"alg":"dir","\u0061lg":"none","enc":"A256GCM","kid":"k"}`, "header-json"},
		{"deep nesting", `{"alg":"dir","enc":"A256GCM","kid":"k","x":` + deep + `}`, "header-json"},

		{"zip", `{"alg":"dir","enc":"A256GCM","kid":"k","zip":"DEF"}`, "header-member"},
		{"crit", `{"alg":"dir","enc":"A256GCM","kid":"k","crit":["exp"],"exp":1}`, "header-member"},
		{"an empty crit", `{"alg":"dir","enc":"A256GCM","kid":"k","crit":[]}`, "header-member"},
		{"jwk", `{"alg":"dir","enc":"A256GCM","kid":"k","jwk":{"kty":"oct"}}`, "header-member"},
		{"jku", `{"alg":"dir","enc":"A256GCM","kid":"k","jku":"https://evil.example/"}`, "header-member"},
		{"x5u", `{"alg":"dir","enc":"A256GCM","kid":"k","x5u":"https://evil.example/"}`, "header-member"},
		{"epk", `{"alg":"dir","enc":"A256GCM","kid":"k","epk":{}}`, "header-member"},
		{"p2c", `{"alg":"dir","enc":"A256GCM","kid":"k","p2c":1000000000}`, "header-member"},
		{"b64", `{"alg":"dir","enc":"A256GCM","kid":"k","b64":false}`, "header-member"},
		{"iss", `{"alg":"dir","enc":"A256GCM","kid":"k","iss":"x"}`, "header-member"},
		{"an upper-case member", `{"alg":"dir","enc":"A256GCM","kid":"k","KID":"j"}`, "header-member"},
		{"an upper-case alg alone", `{"ALG":"dir","enc":"A256GCM","kid":"k"}`, "header-member"},
		{"a member with no name", `{"alg":"dir","enc":"A256GCM","kid":"k","":0}`, "header-member"},
		{"a hostile member", `{"alg":"dir","enc":"A256GCM","kid":"k","\u001b[31m\u202e` + strings.Repeat("x", 600) + `":0}`, "header-member"},

		{"no alg", `{"enc":"A256GCM","kid":"k"}`, "alg"},
		{"no member at all", `{}`, "alg"},
		{"alg none", `{"alg":"none","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg A256KW", `{"alg":"A256KW","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg PBES2", `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg in upper case", `{"alg":"DIR","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg with a space", `{"alg":"dir ","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg with a NUL", `{"alg":"dir\u0000","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg empty", `{"alg":"","enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg null", `{"alg":null,"enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg in an array", `{"alg":["dir"],"enc":"A256GCM","kid":"k"}`, "alg"},
		{"alg a hostile text", `{"alg":"\u001b]0;` + strings.Repeat("é", 200) + `","enc":"A256GCM","kid":"k"}`, "alg"},

		{"no enc", `{"alg":"dir","kid":"k"}`, "enc"},
		{"enc A128GCM", `{"alg":"dir","enc":"A128GCM","kid":"k"}`, "enc"},
		{"enc with CBC", `{"alg":"dir","enc":"A256CBC-HS512","kid":"k"}`, "enc"},
		{"enc in lower case", `{"alg":"dir","enc":"a256gcm","kid":"k"}`, "enc"},
		{"enc null", `{"alg":"dir","enc":null,"kid":"k"}`, "enc"},
		{"enc a number", `{"alg":"dir","enc":256,"kid":"k"}`, "enc"},
		{"enc an object", `{"alg":"dir","enc":{"A256GCM":1},"kid":"k"}`, "enc"},

		{"no kid", `{"alg":"dir","enc":"A256GCM"}`, "kid"},
		{"kid empty", `{"alg":"dir","enc":"A256GCM","kid":""}`, "kid"},
		{"kid null", `{"alg":"dir","enc":"A256GCM","kid":null}`, "kid"},
		{"kid a number", `{"alg":"dir","enc":"A256GCM","kid":1}`, "kid"},
		{"kid a boolean", `{"alg":"dir","enc":"A256GCM","kid":true}`, "kid"},
		{"kid of one dot", `{"alg":"dir","enc":"A256GCM","kid":"."}`, "kid"},
		{"kid of two dots, escaped", `{"alg":"dir","enc":"A256GCM","kid":"\u002e."}`, "kid"},
		{"kid with a slash", `{"alg":"dir","enc":"A256GCM","kid":"../k"}`, "kid"},
		{"kid with an escaped slash", `{"alg":"dir","enc":"A256GCM","kid":"..\/k"}`, "kid"},
		{"kid with a backslash", `{"alg":"dir","enc":"A256GCM","kid":"a\\k"}`, "kid"},
		{"kid with a NUL", `{"alg":"dir","enc":"A256GCM","kid":"k\u0000"}`, "kid"},
		{"kid with a newline", `{"alg":"dir","enc":"A256GCM","kid":"k\n"}`, "kid"},
		{"kid with a space", `{"alg":"dir","enc":"A256GCM","kid":"k k"}`, "kid"},
		{"kid above ASCII", `{"alg":"dir","enc":"A256GCM","kid":"é"}`, "kid"},
		{"kid of 129 bytes", `{"alg":"dir","enc":"A256GCM","kid":"` + strings.Repeat("k", 129) + `"}`, "kid"},

		{"typ JOSE", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":"JOSE"}`, "typ"},
		{"typ in lower case", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":"jwt"}`, "typ"},
		{"typ empty", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":""}`, "typ"},
		{"typ null", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":null}`, "typ"},
		{"typ a number", `{"alg":"dir","enc":"A256GCM","kid":"k","typ":1}`, "typ"},
		{"cty a media type", `{"alg":"dir","enc":"A256GCM","kid":"k","cty":"application/jwt"}`, "cty"},
		{"cty null", `{"alg":"dir","enc":"A256GCM","kid":"k","cty":null}`, "cty"},
		{"cty an array", `{"alg":"dir","enc":"A256GCM","kid":"k","cty":["JWT"]}`, "cty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header, err := jwe.ParseHeader([]byte(test.json))
			wantRefusal(t, err, test.check)
			if header != (jwe.Header{}) {
				t.Errorf("the refused header gives %+v", header)
			}
			_, err = jwe.ParseCompact(withHeader(test.json))
			wantRefusal(t, err, test.check)
		})
	}
}

func TestARefusalSaysWhatIsThereAndWhatWouldBeRight(t *testing.T) {
	for token, words := range map[string][]string{
		withHeader(`{"alg":null,"enc":"A256GCM","kid":"k"}`):            {"alg", "null", `"dir"`},
		withHeader(`{"alg":"none","enc":"A256GCM","kid":"k"}`):          {"alg", `"none"`, `"dir"`},
		withHeader(`{"alg":"dir","enc":7,"kid":"k"}`):                   {"enc", "a number", `"A256GCM"`},
		withHeader(`{"alg":"dir","enc":"A256GCM","kid":["k"]}`):         {"kid", "string", "128"},
		withHeader(`{"alg":"dir","enc":"A256GCM","kid":"k","zip":"D"}`): {`"zip"`, "only alg, enc, kid, typ and cty"},
		withHeader(`{"alg":"dir","enc":"A256GCM","kid":"k","kid":"j"}`): {"occurs twice", `"kid"`},
		spell(vectorHeader, "", part(13), part(60), part(16)):           {"IV", "13", "12", "16"},
		spell(vectorHeader, "", part(12), part(60), part(15)):           {"tag", "15", "16"},
		spell(vectorHeader, "", part(12), part(60)+"A", part(16)):       {"ciphertext", "length"},
		spell(vectorHeader, "", part(12), part(60), bump(part(16))):     {"tag", "unused bits"},
		"a.b.c": {"3", "5"},
	} {
		_, err := jwe.ParseCompact(token)
		var refusal *jwe.Error
		if !errors.As(err, &refusal) {
			t.Fatalf("got %v, want a refusal", err)
		}
		for _, word := range words {
			if !strings.Contains(refusal.Detail, word) {
				t.Errorf("%q does not say %q", refusal.Detail, word)
			}
		}
	}
}

func TestAHeaderBeyondItsCapIsRefused(t *testing.T) {
	longest := goodJSON + strings.Repeat(" ", jwe.MaxHeader-len(goodJSON))
	if _, err := jwe.ParseHeader([]byte(longest)); err != nil {
		t.Error(err)
	}
	_, err := jwe.ParseHeader([]byte(longest + " "))
	wantRefusal(t, err, "header-size")
}

func TestAHeaderOfTheProfileIsReadInEverySpellingOfItsJSON(t *testing.T) {
	for json, want := range map[string]jwe.Header{
		goodJSON: {KeyID: "k"},
		` {"kid":"k" , "enc":"A256GCM","alg":"dir"} `:                                                  {KeyID: "k"},
		`{"alg":"dir","enc":"A256GCM","kid":"A-Za-z0-9._-","typ":"JWT"}`:                               {KeyID: "A-Za-z0-9._-", Type: "JWT"},
		`{"cty":"JWT","alg":"dir","enc":"A256GCM","kid":"k"}`:                                          {KeyID: "k", ContentType: "JWT"},
		`{"alg":"dir","cty":"JWT","enc":"A256GCM","typ":"JWT","kid":"k"}`:                              {KeyID: "k", Type: "JWT", ContentType: "JWT"},
		`{"\u0061lg":"d\u0069r","enc":"A256GCM","kid":"\u006b"}`:                                       {KeyID: "k"},
		`{"alg":"dir","enc":"A256GCM","kid":"` + strings.Repeat("k", 128) + `"}`:                       {KeyID: strings.Repeat("k", 128)},
		`{"alg":"dir","enc":"A256GCM","kid":"..."}`:                                                    {KeyID: "..."},
		"{\n  \"alg\": \"dir\",\n  \"enc\": \"A256GCM\",\n  \"kid\": \"" + vectorKeyID + "\"\n}\r\n\t": {KeyID: vectorKeyID},
	} {
		got, err := jwe.ParseHeader([]byte(json))
		if err != nil {
			t.Errorf("%s: %v", json, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", json, diff)
		}
	}
}

func TestAnEncodedHeaderHasThreeSortedMembersAndNoSpace(t *testing.T) {
	for _, keyID := range []string{"k", vectorKeyID, "...", "_", strings.Repeat("9", 128)} {
		encoded, err := jwe.EncodeHeader(keyID)
		if err != nil {
			t.Fatal(err)
		}
		json, err := base64.RawURLEncoding.DecodeString(encoded)
		if want := `{"alg":"dir","enc":"A256GCM","kid":"` + keyID + `"}`; err != nil || string(json) != want {
			t.Errorf("got %s, %v, want %s", json, err, want)
		}
		if header, err := jwe.ParseHeader(json); err != nil || header != (jwe.Header{KeyID: keyID}) {
			t.Errorf("it reads back as %+v, %v", header, err)
		}
	}
	for _, keyID := range []string{"", ".", "..", `k","zip":"DEF`, "k\n", "k/k", "é", strings.Repeat("9", 129)} {
		encoded, err := jwe.EncodeHeader(keyID)
		wantRefusal(t, err, "kid")
		if encoded != "" {
			t.Errorf("%q gives %s", keyID, encoded)
		}
	}
}

func TestAKeyIDHasOnlySafeCharacters(t *testing.T) {
	const right = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	for c := range 256 {
		for _, id := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'z'})} {
			if got, want := jwe.ValidKeyID(id), id != "." && strings.IndexByte(right, byte(c)) >= 0; got != want {
				t.Errorf("%q: %v, want %v", id, got, want)
			}
		}
	}
	for id, want := range map[string]bool{".": false, "..": false, "...": true, ".k": true, "..k": true} {
		if got := jwe.ValidKeyID(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
	for n, want := range map[int]bool{0: false, 1: true, 128: true, 129: false} {
		if got := jwe.ValidKeyID(strings.Repeat("k", n)); got != want {
			t.Errorf("%d characters: %v, want %v", n, got, want)
		}
	}
}
