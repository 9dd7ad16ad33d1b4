package jose_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"embedseal/adapters/jose"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports/porttest"
)

// maxGateClaims is well below what the gate takes.
const maxGateClaims = 4096

const plainHeader = `{"alg":"dir","enc":"A256GCM","kid":"k1"}`

// hostileHeaders are refused by the gate or harmless; go-jose has an opinion of
// its own on most of them.
func hostileHeaders() []string {
	return []string{
		plainHeader,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","typ":"JWT","cty":"JWT"}`,
		`{"kid":"k1","enc":"A256GCM","alg":"dir"}`,
		` { "alg" : "dir" , "enc" : "A256GCM" , "kid" : "k1" } `,
		`{"alg":"dir","enc":"A256GCM"}`,
		`{"alg":"dir","enc":"A256GCM","kid":""}`,
		`{"alg":"dir","enc":"A256GCM","kid":"../k1"}`,
		`{"alg":"dir","enc":"A256GCM","kid":7}`,
		`{"alg":"dir","enc":"A256GCM","kid":null}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","kid":"k2"}`,
		`{"alg":"dir","alg":"A256KW","enc":"A256GCM","kid":"k1"}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","zip":"DEF"}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","crit":["exp"],"exp":1}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","crit":[]}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","jwk":{"kty":"oct","k":"AA"}}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","b64":false}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1","x":1}`,
		`{"ALG":"dir","enc":"A256GCM","kid":"k1"}`,
		`{"alg":"DIR","enc":"A256GCM","kid":"k1"}`,
		`{"alg":"dir","enc":"A128GCM","kid":"k1"}`,
		`{"alg":"none","enc":"A256GCM","kid":"k1"}`,
		`{"\u0061lg":"dir","enc":"A256GCM","kid":"\u006b1"}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1"}{}`,
		`{"alg":"dir","enc":"A256GCM","kid":"k1"} ` + "\x00",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k\xff\"}",
		`{"alg":"dir","enc":"A256GCM","kid":"k1","cty":{"a":[[[[]]]]}}`,
		`[]`, `null`, `{}`, ``,
	}
}

// FuzzDifferential seals claims as a stranger with the key would: any header,
// any IV, and then a few characters of the text replaced (edits is pairs of a
// position and a character). Whatever comes of it, we open nothing that go-jose
// does not, but for the 16-byte IV; and behind the gate we open all that it does.
func FuzzDifferential(f *testing.F) {
	iv, claims := []byte("twelve bytes"), []byte(`{"cst":"c","exp":4102444800}`)
	for _, header := range hostileHeaders() {
		f.Add([]byte(header), iv, claims, []byte(nil))
		f.Add([]byte(header), []byte("sixteen bytes iv"), claims, []byte(nil))
	}
	f.Add([]byte(plainHeader), []byte("8 bytes."), claims, []byte(nil))
	f.Add([]byte(plainHeader), []byte("thirteen byte"), claims, []byte(nil))
	f.Add([]byte(plainHeader), iv, []byte(nil), []byte(nil))
	f.Add([]byte(plainHeader), iv, bytes.Repeat([]byte("c"), 5000), []byte(nil))
	for _, edits := range [][]byte{{255, '\n'}, {0, ' '}, {55, 'A'}, {56, '='}, {70, '+'}, {80, '.', 81, '.'}, {254, 'B'}} {
		f.Add([]byte(plainHeader), iv, claims, edits)
	}
	f.Fuzz(func(t *testing.T, header, iv, claims, edits []byte) {
		if len(iv) == 0 || len(iv) > 64 {
			return
		}
		compare(t, edited(stranger(t, header, iv, claims), edits))
	})
}

// FuzzDifferentialText is the same on any text at all.
func FuzzDifferentialText(f *testing.F) {
	valid := porttest.Vectors()[0].Token
	parts := split(valid)
	for _, v := range porttest.Vectors() {
		f.Add(v.Token)
	}
	for _, text := range []string{
		"", ".", "....", ".....", "a.b.c.d.e", "{}", "null", valid + "\n", "\n" + valid, valid + ".", valid + "=", "." + valid,
		strings.Replace(valid, "..", ".AAAA.", 1), // an encrypted key that dir has none of
		strings.Replace(valid, "AAECAwQFBgcICQoL", "AAECAwQF\r\nBgcICQoL", 1),
		valid[:len(valid)-1] + "x", // trailing bits
		parts[0] + ".." + parts[2] + ".." + parts[3] + parts[4],
		parts[0] + ".." + parts[2] + "." + parts[3] + "." + parts[4][:16],
		parts[0] + "..." + parts[3] + "." + parts[4],
		parts[0] + ".." + parts[2] + "." + parts[3] + ".",
		`{"protected":"` + parts[0] + `","iv":"` + parts[2] + `","ciphertext":"` + parts[3] + `","tag":"` + parts[4] + `"}`,
		strings.Repeat("A", 100_000),
	} {
		f.Add(text)
	}
	f.Fuzz(compare)
}

// FuzzSeal looks the other way: whatever we seal, go-jose and the gate take.
func FuzzSeal(f *testing.F) {
	f.Add("k1", porttest.VectorSecret, []byte(benchClaims))
	f.Add(strings.Repeat("k", 128), `"\<&>'{}[]"\<&>'{}[]"\<&>'{}[]~!`, []byte("\x00\xff not JSON at all"))
	f.Add("-._", porttest.VectorSecret, []byte(`{}`))
	f.Add("", porttest.VectorSecret, []byte(`{}`))
	f.Add(`k","x":"`, porttest.VectorSecret, []byte(`{}`))
	f.Add("k1", "short", []byte(`{}`))
	f.Fuzz(func(t *testing.T, kid, value string, claims []byte) {
		k := porttest.MaterialKey(key.ID(kid), value)
		_, badID := key.ParseID(kid)
		_, badValue := key.ParseSecret(value)
		text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(k), claims)
		if err != nil {
			if badID == nil && badValue == nil {
				t.Fatalf("does not seal: %v", err)
			}
			return
		}
		if badID != nil {
			t.Fatalf("sealed under %q: %v", kid, badID)
		}
		got, gotID, err := goJoseOpen(string(text), []byte(value))
		if err != nil || gotID != kid || !bytes.Equal(got, claims) {
			t.Fatalf("go-jose opened %s to %q, kid %q, %v", text, got, gotID, err)
		}
		if len(claims) == 0 || len(claims) > maxGateClaims {
			return
		}
		token, err := jwe.ParseCompact(string(text))
		if err != nil {
			t.Fatalf("the gate refuses %s: %v", text, err)
		}
		if got, err := jose.New().Open(t.Context(), "acme", k, token); err != nil || !bytes.Equal(got, claims) {
			t.Fatalf("we opened %s to %q, %v", text, got, err)
		}
	})
}

// compare holds our verdict on text, under the key of the vectors, to go-jose's.
func compare(t *testing.T, text string) {
	oracle, oracleID, oracleErr := goJoseOpen(text, []byte(porttest.VectorSecret))
	token, err := jwe.ParseCompact(text)
	if err != nil {
		return // the gate may refuse more
	}
	k := porttest.MaterialKey(key.ID(token.Header().KeyID), porttest.VectorSecret)
	claims, err := jose.New().Open(t.Context(), "acme", k, token)
	if len(token.IV()) == 16 {
		if oracleErr == nil {
			t.Fatalf("go-jose opens a 16-byte IV now: it can be the oracle of that too")
		}
		return
	}
	switch {
	case err == nil && oracleErr != nil:
		t.Fatalf("we open %q and go-jose does not: %v", text, oracleErr)
	case err != nil && oracleErr == nil:
		t.Fatalf("behind the gate go-jose opens %q and we do not: %v", text, err)
	case err == nil && !bytes.Equal(claims, oracle):
		t.Fatalf("we open %q to %q, go-jose to %q", text, claims, oracle)
	case err == nil && token.Header().KeyID != oracleID:
		t.Fatalf("we read kid %q in %q, go-jose %q", token.Header().KeyID, text, oracleID)
	}
}

// goJoseOpen is the oracle, with exact lists.
func goJoseOpen(text string, value []byte) (claims []byte, kid string, err error) {
	object, err := gojose.ParseEncryptedCompact(text,
		[]gojose.KeyAlgorithm{gojose.DIRECT}, []gojose.ContentEncryption{gojose.A256GCM})
	if err != nil {
		return nil, "", err
	}
	claims, err = object.Decrypt(value)
	return claims, object.Header.KeyID, err
}

// stranger seals with the key of the vectors, whatever the header says.
func stranger(t *testing.T, header, iv, claims []byte) string {
	block, err := aes.NewCipher([]byte(porttest.VectorSecret))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	sealed := aead.Seal(nil, iv, claims, []byte(encode(header)))
	tag := len(sealed) - aead.Overhead()
	return encode(header) + ".." + encode(iv) + "." + encode(sealed[:tag]) + "." + encode(sealed[tag:])
}

// edited replaces the character at each position, counted in 1/256 of the text;
// at 255 it appends.
func edited(text string, edits []byte) string {
	out := []byte(text)
	for ; len(edits) >= 2; edits = edits[2:] {
		if edits[0] == 255 {
			out = append(out, edits[1])
			continue
		}
		out[int(edits[0])*len(out)/256] = edits[1]
	}
	return string(out)
}

func split(text string) []string { return strings.Split(text, ".") }

func unbase64(text string) []byte {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}
