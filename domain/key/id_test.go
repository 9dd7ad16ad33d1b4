package key_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"embedseal/domain/key"
)

func TestAnIDIsOneTo128SafeCharacters(t *testing.T) {
	for _, good := range []string{
		"a", "Z", "0", "_", "-", "...", ".a", "aa111111-1a11-111a-aa11-1aaaa11a1a11", "A.b_C-9", strings.Repeat("x", 128),
	} {
		if id, err := key.ParseID(good); err != nil || string(id) != good {
			t.Errorf("%q: got %q and %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", strings.Repeat("x", 129), strings.Repeat("x", 1<<20), " ", "a b", "a\n", "\na", "a\x00", "a/b", `a\b`, "a+b", "a=", "a:b",
		`a"b`, "ä", "\xff", "a\u200b", "ａ", "a,b", "a;b", "a%2fb", "{a}", "<a>", "a\x7f",
	} {
		id, err := key.ParseID(bad)
		if !errors.Is(err, key.ErrInvalid) || id != "" {
			t.Errorf("%.40q: got %q and %v, want none and %v", bad, id, err, key.ErrInvalid)
		}
	}
}

func TestEveryByteIsInTheGrammarOfAnIDOrNot(t *testing.T) {
	safe := regexp.MustCompile(`^[A-Za-z0-9._-]$`)
	for c := range 256 {
		s := string([]byte{byte(c)})
		if _, err := key.ParseID("x" + s); (err == nil) != safe.MatchString(s) {
			t.Errorf("byte %#x: %v", c, err)
		}
	}
}

func TestAnIDOfOursIsAUUIDOfVersion4(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		random := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		id := key.NewID(random)
		if !uuid.MatchString(string(id)) {
			t.Errorf("%s is no UUID of version 4", id)
		}
		if _, err := key.ParseID(string(id)); err != nil {
			t.Error(err)
		}
	})
}

func TestAllBitsOfChanceButSixAreInTheID(t *testing.T) {
	ids := map[key.ID]bool{key.NewID([16]byte{}): true}
	for bit := range 128 {
		var random [16]byte
		random[bit/8] = 1 << (bit % 8)
		ids[key.NewID(random)] = true
	}
	// Version and variant take six bits; those change nothing.
	if want := 1 + 128 - 6; len(ids) != want {
		t.Errorf("got %d ids of one bit each, want %d", len(ids), want)
	}
	if got, want := key.NewID([16]byte{0xff, 15: 1}), key.ID("ff000000-0000-4000-8000-000000000001"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
