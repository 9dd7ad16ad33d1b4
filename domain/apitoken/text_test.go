package apitoken_test

import (
	"crypto/sha256"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
)

var form = regexp.MustCompile(`^ems_[a-z0-9-]{1,40}_[0-9A-Za-z]{36}$`)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// example was computed apart from the package: the bytes 1 to 32 as a number,
// its last thirty base62 digits, and the CRC-32 of what stands before it.
const example = "ems_acme_VWM00my5rsNSFlKgaWqQ4mb8gdEqno0YqdLQ"

func TestTheTextOfATokenNeverChanges(t *testing.T) {
	var random [apitoken.Entropy]byte
	for i := range random {
		random[i] = byte(i + 1)
	}
	if got := apitoken.New("acme", random).Reveal(); got != example {
		t.Errorf("got %s, want %s", got, example)
	}
}

func TestATokenOfNothingButZerosKeepsItsLength(t *testing.T) {
	got := apitoken.New("a", [apitoken.Entropy]byte{}).Reveal()
	if !strings.HasPrefix(got, "ems_a_"+strings.Repeat("0", 30)) || !form.MatchString(got) {
		t.Errorf("got %s", got)
	}
	if _, err := apitoken.Parse(got); err != nil {
		t.Error(err)
	}
}

func TestEveryTokenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9-]{1,40}`),
			rapid.SampledFrom([]string{"-", "--", "a-b", "ems", "ems-", "0", strings.Repeat("-", 40), strings.Repeat("z", 40)}),
		).Draw(t, "group")
		random := rapid.SliceOfN(rapid.Byte(), apitoken.Entropy, apitoken.Entropy).Draw(t, "random")
		text := apitoken.New(group, [apitoken.Entropy]byte(random)).Reveal()
		if !form.MatchString(text) {
			t.Fatalf("%q is no token", text)
		}
		presented, err := apitoken.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if presented.Group() != group {
			t.Errorf("the group is %q, want %q", presented.Group(), group)
		}
		if want := apitoken.Digest(sha256.Sum256([]byte(text))); presented.Digest() != want || apitoken.DigestOf(secret.New(text)) != want {
			t.Error("the digest is not the SHA-256 of the text")
		}
	})
}

func TestEveryOtherCharacterInAnyPlaceIsRefused(t *testing.T) {
	for at := range len(example) {
		for c := range 256 {
			if byte(c) == example[at] {
				continue
			}
			if _, err := apitoken.Parse(example[:at] + string([]byte{byte(c)}) + example[at+1:]); !errors.Is(err, apitoken.ErrMalformed) {
				t.Fatalf("byte %d as %q: got %v, want %v", at, byte(c), err, apitoken.ErrMalformed)
			}
		}
	}
}

func TestALostDoubledOrSwappedCharacterIsRefused(t *testing.T) {
	for at := range len(example) {
		texts := map[string]string{
			"lost":    example[:at] + example[at+1:],
			"doubled": example[:at+1] + example[at:],
			"cut":     example[:at],
		}
		if at > 0 && example[at] != example[at-1] {
			texts["swapped"] = example[:at-1] + example[at:at+1] + example[at-1:at] + example[at+1:]
		}
		for how, text := range texts {
			if _, err := apitoken.Parse(text); !errors.Is(err, apitoken.ErrMalformed) {
				t.Errorf("character %d %s: got %v, want %v", at, how, err, apitoken.ErrMalformed)
			}
		}
	}
}

// sealed ends a body with the checksum it ought to have, so that only the form
// is left to refuse.
func sealed(body string) string {
	n := crc(body)
	check := make([]byte, 6)
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = base62[n%62]
		n /= 62
	}
	return body + string(check)
}

// crc is the CRC-32 of IEEE 802.3, bit by bit.
func crc(s string) uint32 {
	sum := ^uint32(0)
	for i := range len(s) {
		sum ^= uint32(s[i])
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	return ^sum
}

func TestTheFormIsExact(t *testing.T) {
	random := strings.Repeat("x", 30)
	for _, group := range []string{"a", "-", "a-b", "0", strings.Repeat("a", 40)} {
		if _, err := apitoken.Parse(sealed("ems_" + group + "_" + random)); err != nil {
			t.Errorf("the group %q: %v", group, err)
		}
	}
	for what, text := range map[string]string{
		"nothing":                     "",
		"a prefix":                    "ems_",
		"two separators":              "ems__",
		"no group":                    sealed("ems__" + random),
		"no separator":                sealed("ems_" + random),
		"a group of 41 characters":    sealed("ems_" + strings.Repeat("a", 41) + "_" + random),
		"a group in upper case":       sealed("ems_Acme_" + random),
		"a group with an underscore":  sealed("ems_a_b_" + random),
		"a group with a dot":          sealed("ems_a.b_" + random),
		"a group with a slash":        sealed("ems_../x_" + random),
		"a group with a NUL":          sealed("ems_a\x00_" + random),
		"a group in other scripts":    sealed("ems_ä_" + random),
		"a group that is not UTF-8":   sealed("ems_\xff_" + random),
		"29 characters of chance":     sealed("ems_acme_" + random[1:]),
		"31 characters of chance":     sealed("ems_acme_" + random + "x"),
		"a sign among the chance":     sealed("ems_acme_" + random[1:] + "-"),
		"an underscore in the chance": sealed("ems_acme_" + random[1:] + "_"),
		"another prefix":              sealed("emt_acme_" + random),
		"a prefix in upper case":      sealed("EMS_acme_" + random),
		"a space before":              " " + example,
		"a space behind":              example + " ",
		"a newline behind":            example + "\n",
		"a NUL behind":                example + "\x00",
		"the scheme before":           "Token " + example,
		"quotes around":               `"` + example + `"`,
		"two tokens":                  example + example,
		"a byte order mark":           "\ufeff" + example,
		"full-width letters":          "ｅｍｓ＿acme＿" + random,
		"a token of the checksum 0":   "ems_acme_" + random + "000000",
		"a checksum beyond 32 bits":   "ems_acme_" + random + "zzzzzz",
		"a megabyte":                  sealed("ems_" + strings.Repeat("a", 1<<20) + "_" + random),
	} {
		presented, err := apitoken.Parse(text)
		if !errors.Is(err, apitoken.ErrMalformed) {
			t.Errorf("%s: got %v, want %v", what, err, apitoken.ErrMalformed)
		}
		if presented != (apitoken.Presented{}) {
			t.Errorf("%s: a refused text still names the group %q", what, presented.Group())
		}
	}
}

func TestARefusalRepeatsNothingOfTheText(t *testing.T) {
	for _, text := range []string{"hunter2", "ems_hunter2", sealed("ems_hunter2_" + strings.Repeat("x", 29)), example[:len(example)-1] + "0"} {
		_, err := apitoken.Parse(text)
		if err == nil {
			t.Fatalf("%q is accepted", text)
		}
		if message := err.Error(); strings.Contains(message, "hunter2") || strings.Contains(message, example[9:]) {
			t.Errorf("the error repeats the text: %s", message)
		}
	}
}

func TestTheTextOfANewTokenDoesNotPrint(t *testing.T) {
	if got := apitoken.New("acme", [apitoken.Entropy]byte{1}).String(); got != secret.Redacted {
		t.Errorf("got %s", got)
	}
}

func TestDigestsAreEqualWhenEveryByteIs(t *testing.T) {
	d := apitoken.DigestOf(secret.New(example))
	if !d.Equal(d) || d.Equal(apitoken.Digest{}) {
		t.Error("Equal is wrong")
	}
	for i := range d {
		other := d
		other[i] ^= 1
		if d.Equal(other) {
			t.Errorf("a change of byte %d is not seen", i)
		}
	}
}

// Whoever is told gets the group once and only of a text of the right form, whose checksum
// nobody has looked at; and the answer is that of Parse.
func TestTheGroupIsAnnouncedBeforeTheTextIsTrusted(t *testing.T) {
	good := apitoken.New("acme", [apitoken.Entropy]byte{1}).Reveal()
	mistyped := good[:len(good)-1] + "!"
	wrong := good[:len(good)-1] + "0"
	if wrong == good {
		wrong = good[:len(good)-1] + "1"
	}
	for text, want := range map[string][]string{good: {"acme"}, wrong: {"acme"}, mistyped: nil, "": nil, "ems_acme": nil, good + "x": nil} {
		var told []string
		got, err := apitoken.ParseAnnouncing(text, func(g string) { told = append(told, g) })
		same, wanted := apitoken.Parse(text)
		if !slices.Equal(told, want) || got != same || (err == nil) != (wanted == nil) || (err == nil) != (text == good) {
			t.Errorf("%q: told %q, want %q; %v and %v", text, told, want, err, wanted)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		example, "", "ems_", "ems__", example + "\n", strings.Replace(example, "acme", "../x", 1), "ems_" + strings.Repeat("_", 60),
		sealed("ems__" + strings.Repeat("0", 30)), sealed("ems_a_b_" + strings.Repeat("0", 30)), sealed("ems_a_" + strings.Repeat("0", 30)),
		"\xff" + example[1:], sealed("ems_" + strings.Repeat("a", 41) + "_" + strings.Repeat("0", 30)),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		judge(t, text)
		judge(t, sealed(text)) // past the checksum, which chance does not find
	})
}

func judge(t *testing.T, text string) {
	t.Helper()
	presented, err := apitoken.Parse(text)
	good := form.MatchString(text) && sealed(text[:len(text)-6]) == text
	if (err == nil) != good {
		t.Fatalf("%q: got %v, and the form and checksum are right: %t", text, err, good)
	}
	if err == nil && text[:len("ems_"+presented.Group()+"_")] != "ems_"+presented.Group()+"_" {
		t.Fatalf("%q names the group %q", text, presented.Group())
	}
}
