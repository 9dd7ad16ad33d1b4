package jwe_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/jwe"
)

// Tokens of python-jose for the key 0123456789abcdef0123456789abcdef.
const (
	vectorHeader = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0"
	vector16     = vectorHeader + "..AAECAwQFBgcICQoLDA0ODw.neT32Lhf5DX0v9y_iDokn_5opKLiltvTeD7XCQXAYEc37GGBqsIULaBLcblXakFME7jE_eEodhj4RYBevV7Q.cfkIAm1QBrR257kfGqwEdA"
	vector12     = vectorHeader + "..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"
	vectorKey    = "0123456789abcdef0123456789abcdef"
	vectorKeyID  = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	vectorClaims = `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}`
	goodJSON     = `{"alg":"dir","enc":"A256GCM","kid":"k"}`
)

func b64(data string) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }

// part is n bytes of base64url text of which every character differs from the next.
func part(n int) string {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*37 + 11)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// spell joins segments that need not be right.
func spell(header, key, iv, ciphertext, tag string) string {
	return strings.Join([]string{header, key, iv, ciphertext, tag}, ".")
}

// withHeader is a token that is right but perhaps for its header.
func withHeader(json string) string { return spell(b64(json), "", part(12), part(60), part(16)) }

func TestEveryOtherSpellingIsRefusedByItsOwnCheck(t *testing.T) {
	header, iv, ciphertext, tag := vectorHeader, part(12), part(60), part(16)
	good := spell(header, "", iv, ciphertext, tag)
	tests := []struct{ name, token, check string }{
		{"nothing", "", "segments"},
		{"one byte more than the cap", spell(header, "", iv, part(12183), tag), "length"},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), "length"},

		{"a space before", " " + good, "alphabet"},
		{"a space behind", good + " ", "alphabet"},
		{"a newline behind", good + "\n", "alphabet"},
		{"CR LF behind", good + "\r\n", "alphabet"},
		{"a NUL behind", good + "\x00", "alphabet"},
		{"a newline in the header", spell(header[:8]+"\n"+header[8:], "", iv, ciphertext, tag), "alphabet"},
		{"a newline as the encrypted key", spell(header, "\n", iv, ciphertext, tag), "alphabet"},
		{"CR LF in the IV", spell(header, "", iv[:4]+"\r\n"+iv[4:], ciphertext, tag), "alphabet"},
		{"a newline in the ciphertext", spell(header, "", iv, ciphertext[:5]+"\n"+ciphertext[5:], tag), "alphabet"},
		{"a return in the ciphertext", spell(header, "", iv, ciphertext[:5]+"\r"+ciphertext[5:], tag), "alphabet"},
		{"a newline in the tag", spell(header, "", iv, ciphertext, tag[:4]+"\n"+tag[4:]), "alphabet"},
		{"a newline before a dot", spell(header+"\n", "", iv, ciphertext, tag), "alphabet"},
		{"a tab in the ciphertext", spell(header, "", iv, "\t"+ciphertext, tag), "alphabet"},
		{"a space in the tag", spell(header, "", iv, ciphertext, tag[:4]+" "+tag[4:]), "alphabet"},
		{"a padded header", spell(header+"=", "", iv, ciphertext, tag), "alphabet"},
		{"a padded ciphertext", spell(header, "", iv, part(61)+"==", tag), "alphabet"},
		{"a padded tag", spell(header, "", iv, ciphertext, tag+"=="), "alphabet"},
		{"padding in the middle", spell(header, "", iv, "AA=="+ciphertext, tag), "alphabet"},
		{"a plus of the other alphabet", spell(header, "", iv, "+"+ciphertext[1:], tag), "alphabet"},
		{"a slash of the other alphabet", spell(header, "", iv, "/"+ciphertext[1:], tag), "alphabet"},
		{"a percent escape", strings.Replace(good, ".", "%2E", 1), "alphabet"},
		{"a tilde", spell(header, "", iv, "~"+ciphertext[1:], tag), "alphabet"},
		{"a byte above ASCII", spell(header, "", iv, "\xff"+ciphertext[1:], tag), "alphabet"},
		{"a full-width letter", spell(header, "", iv, "Ａ"+ciphertext, tag), "alphabet"},
		{"a zero-width space", good + "\u200b", "alphabet"},
		{"a byte order mark", "\ufeff" + good, "alphabet"},
		{"a byte that is a letter but for its top bit", spell(header, "", iv, string([]byte{'A' | 0x80})+ciphertext[1:], tag), "alphabet"},
		{"quotes around", `"` + good + `"`, "alphabet"},
		{"the word Bearer before", "Bearer " + good, "alphabet"},
		{"the JSON form", `{"protected":"` + header + `","iv":"` + iv + `","ciphertext":"` + ciphertext + `","tag":"` + tag + `"}`, "alphabet"},
		{"two tokens", good + "," + good, "alphabet"},

		{"one segment", header, "segments"},
		{"a signed token", header + ".e30." + tag, "segments"},
		{"four segments", header + "." + iv + "." + ciphertext + "." + tag, "segments"},
		{"six segments", good + "." + tag, "segments"},
		{"a dot behind", good + ".", "segments"},
		{"a dot before", "." + good, "segments"},
		{"a dot in the tag", good[:len(good)-2] + "." + good[len(good)-2:], "segments"},
		{"only dots, too many", ".........", "segments"},

		{"an encrypted key", spell(header, part(40), iv, ciphertext, tag), "encrypted-key"},
		{"an encrypted key of one byte", spell(header, "AA", iv, ciphertext, tag), "encrypted-key"},
		{"the IV moved into the encrypted key", spell(header, iv, "", ciphertext, tag), "encrypted-key"},

		{"a header of a length that decodes to nothing more", spell(b64(goodJSON)+"A", "", iv, ciphertext, tag), "respelled"},
		{"an IV of a length that decodes to nothing more", spell(header, "", iv+"A", ciphertext, tag), "respelled"},
		{"a ciphertext of one character", spell(header, "", iv, "A", tag), "respelled"},
		{"a ciphertext with a character more", spell(header, "", iv, ciphertext+"A", tag), "respelled"},
		{"a tag with a character less", spell(header, "", iv, ciphertext, tag[:21]), "respelled"},

		{"an unused bit in a header of 3n+1 bytes", spell(bump(b64(goodJSON+" ")), "", iv, ciphertext, tag), "respelled"},
		{"an unused bit in a header of 3n+2 bytes", spell(bump(b64(goodJSON+"  ")), "", iv, ciphertext, tag), "respelled"},
		{"an unused bit in the header of the vector", spell(bump(header), "", iv, ciphertext, tag), "respelled"},
		{"an unused bit in a 16-byte IV", spell(header, "", bump(part(16)), ciphertext, tag), "respelled"},
		{"an unused bit in a ciphertext of 3n+1 bytes", spell(header, "", iv, bump(part(61)), tag), "respelled"},
		{"an unused bit in a ciphertext of 3n+2 bytes", spell(header, "", iv, bump(part(62)), tag), "respelled"},
		{"an unused bit in the tag", spell(header, "", iv, ciphertext, bump(tag)), "respelled"},
		{"the highest unused bit in the tag", spell(header, "", iv, ciphertext, tag[:21]+"I"), "respelled"},
		{"all unused bits in the tag", spell(header, "", iv, ciphertext, tag[:21]+"_"), "respelled"},

		{"a header of more than 1 KiB", withHeader(goodJSON[:1] + strings.Repeat(" ", 1025-len(goodJSON)) + goodJSON[1:]), "header-size"},
		{"a header of 8 KiB", withHeader(goodJSON + strings.Repeat("\n", 8<<10)), "header-size"},

		{"no IV", spell(header, "", "", ciphertext, tag), "iv-length"},
		{"an IV of 1 byte", spell(header, "", "AA", ciphertext, tag), "iv-length"},
		{"an IV of 8 bytes", spell(header, "", part(8), ciphertext, tag), "iv-length"},
		{"an IV of 11 bytes", spell(header, "", part(11), ciphertext, tag), "iv-length"},
		{"an IV of 13 bytes", spell(header, "", part(13), ciphertext, tag), "iv-length"},
		{"an IV of 15 bytes", spell(header, "", part(15), ciphertext, tag), "iv-length"},
		{"an IV of 17 bytes", spell(header, "", part(17), ciphertext, tag), "iv-length"},
		{"an IV of 24 bytes", spell(header, "", part(24), ciphertext, tag), "iv-length"},
		{"only dots", "....", "header-json"},

		{"no ciphertext", spell(header, "", iv, "", tag), "ciphertext"},
		{"the ciphertext moved into the tag", spell(header, "", iv, "", part(60+16)), "ciphertext"},

		{"no tag", spell(header, "", iv, ciphertext, ""), "tag-length"},
		{"the tag moved into the ciphertext", spell(header, "", iv, part(60+16), ""), "tag-length"},
		{"a byte of the tag moved into the ciphertext", spell(header, "", iv, part(61), part(15)), "tag-length"},
		{"a byte of the ciphertext moved into the tag", spell(header, "", iv, part(59), part(17)), "tag-length"},
		{"a tag of 4 bytes", spell(header, "", iv, ciphertext, part(4)), "tag-length"},
		{"a tag of 12 bytes", spell(header, "", iv, ciphertext, part(12)), "tag-length"},
		{"a tag of 32 bytes", spell(header, "", iv, ciphertext, part(32)), "tag-length"},

		{"no header", spell("", "", iv, ciphertext, tag), "header-json"},
		{"a header that is encoded twice", spell(b64(header), "", iv, ciphertext, tag), "header-json"},
		{"the header of a signed token", withHeader(`{"alg":"HS256","typ":"JWT"}`), "alg"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, err := jwe.ParseCompact(test.token)
			wantRefusal(t, err, test.check)
			if diff := cmp.Diff(jwe.Compact{}, token, cmp.AllowUnexported(jwe.Compact{})); diff != "" {
				t.Errorf("something is given out beside the refusal: %s", diff)
			}
		})
	}
}

// bump sets the lowest unused bit of the last character.
func bump(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(segment) - 1
	return segment[:last] + string(alphabet[strings.IndexByte(alphabet, segment[last])+1])
}

func wantRefusal(t *testing.T, err error, check string) {
	t.Helper()
	var refusal *jwe.Error
	if !errors.As(err, &refusal) || !errors.Is(err, jwe.ErrMalformed) {
		t.Fatalf("got %v, want a refusal by %s", err, check)
	}
	if refusal.Check != check {
		t.Errorf("refused by %s (%s), want %s", refusal.Check, refusal.Detail, check)
	}
	if refusal.Detail == "" || len(refusal.Detail) > 250 {
		t.Errorf("the detail has %d bytes: %s", len(refusal.Detail), refusal.Detail)
	}
	for _, r := range err.Error() {
		if (r < ' ' || r > '~') && r != '…' {
			t.Fatalf("the character %q is in %q", r, err.Error())
		}
	}
}

func TestTheVectorsAreTakenApartAndOpen(t *testing.T) {
	for _, text := range []string{vector16, vector12} {
		token, err := jwe.ParseCompact(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(jwe.Header{KeyID: vectorKeyID}, token.Header()); diff != "" {
			t.Error(diff)
		}
		if token.Text() != text || token.EncodedHeader() != vectorHeader {
			t.Errorf("text %s, encoded header %s", token.Text(), token.EncodedHeader())
		}
		segments := strings.Split(text, ".")
		for i, got := range map[int][]byte{2: token.IV(), 3: token.Ciphertext(), 4: token.Tag()} {
			if want, err := base64.RawURLEncoding.DecodeString(segments[i]); err != nil || !bytes.Equal(want, got) {
				t.Errorf("segment %d: %x, want %x (%v)", i+1, got, want, err)
			}
		}
		block, err := aes.NewCipher([]byte(vectorKey))
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCMWithNonceSize(block, len(token.IV()))
		if err != nil {
			t.Fatal(err)
		}
		claims, err := gcm.Open(nil, token.IV(), token.Sealed(), []byte(token.EncodedHeader()))
		if err != nil || string(claims) != vectorClaims {
			t.Errorf("opens to %s, %v", claims, err)
		}
	}
}

func TestTheLongestTokenAndTheLongestHeaderAreAccepted(t *testing.T) {
	longest := spell(vectorHeader, "", part(12), part(12182), part(16))
	for name, text := range map[string]string{
		"the longest token":                longest,
		"the longest header":               withHeader(goodJSON[:1] + strings.Repeat(" ", jwe.MaxHeader-len(goodJSON)) + goodJSON[1:]),
		"a ciphertext of one byte":         spell(vectorHeader, "", part(12), part(1), part(16)),
		"parts of zeros":                   spell(vectorHeader, "", b64(strings.Repeat("\x00", 16)), b64("\x00"), b64(strings.Repeat("\x00", 16))),
		"members in another order, spaced": withHeader("\n{\"kid\" : \"k\", \"typ\":\"JWT\",\t\"enc\":\"A256GCM\", \"cty\":\"JWT\",\"alg\":\"dir\" }\r\n"),
	} {
		if token, err := jwe.ParseCompact(text); err != nil || token.Text() != text {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(longest) != jwe.MaxCompact {
		t.Errorf("the longest token has %d bytes", len(longest))
	}
}

func TestNoBitOfTheHeaderSegmentFlipsUnnoticed(t *testing.T) {
	accepted := 0
	for i := range len(vectorHeader) {
		for bit := range 8 {
			text := []byte(vector12)
			text[i] ^= 1 << bit
			token, err := jwe.ParseCompact(string(text))
			if err != nil {
				if !errors.Is(err, jwe.ErrMalformed) {
					t.Fatal(err)
				}
				continue
			}
			accepted++
			// It names another key, and the segment that authenticates it is another one.
			if token.Header().KeyID == vectorKeyID || token.EncodedHeader() == vectorHeader || token.Text() != string(text) {
				t.Errorf("bit %d of character %d makes no difference", bit, i)
			}
		}
	}
	if accepted == 0 {
		t.Error("flips within the kid give another valid kid, but all were refused: the test sees nothing")
	}
}

func TestAPartCannotGrowIntoTheNext(t *testing.T) {
	token, err := jwe.ParseCompact(vector12)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{token.IV(), token.Ciphertext(), token.Tag(), token.Sealed()} {
		_ = append(part, part[0]^0xff)
	}
	if got := jwe.AppendCompact(nil, token.EncodedHeader(), token.IV(), token.Ciphertext(), token.Tag()); string(got) != vector12 {
		t.Errorf("the parts became %s", got)
	}
}

func TestTheZeroCompactIsEmpty(t *testing.T) {
	var zero jwe.Compact
	if zero.Text()+zero.EncodedHeader() != "" || zero.Header() != (jwe.Header{}) ||
		len(zero.IV())+len(zero.Ciphertext())+len(zero.Tag())+len(zero.Sealed()) != 0 {
		t.Error("a part is not empty")
	}
}

func TestWhatIsSealedIsAcceptedAndStaysBehindItsPrefix(t *testing.T) {
	header, err := jwe.EncodeHeader(vectorKeyID)
	if err != nil {
		t.Fatal(err)
	}
	if header != vectorHeader {
		t.Errorf("got %s, want the header of the vectors", header)
	}
	text := jwe.AppendCompact([]byte("token="), header, []byte("twelve bytes"), []byte("x"), []byte("a tag of 16 byte"))
	want := "token=" + vectorHeader + "..dHdlbHZlIGJ5dGVz.eA.YSB0YWcgb2YgMTYgYnl0ZQ"
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	token, err := jwe.ParseCompact(strings.TrimPrefix(want, "token="))
	if err != nil || string(token.Ciphertext()) != "x" || string(token.Sealed()) != "xa tag of 16 byte" {
		t.Errorf("got %s, %v", token.Sealed(), err)
	}
}

func TestParsingATypicalTokenTakesFewAllocations(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		if _, err := jwe.ParseCompact(typical); err != nil {
			t.Fatal(err)
		}
	})
	if got > 8 {
		t.Errorf("%v allocations", got)
	}
}
