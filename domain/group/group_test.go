package group_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

func TestAnIDIsOneToFortySafeCharacters(t *testing.T) {
	for _, good := range []string{"a", "0", "-", "--", "a-b", "default", "9-", strings.Repeat("a", group.MaxID)} {
		if id, err := group.ParseID(good); err != nil || string(id) != good {
			t.Errorf("%q: got %q and %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "../x", "/etc/passwd", "a/b", `a\b`, "Acme", "ACME", "a_b", "a.b", "a b", " a", "a\n", "a\x00", "ä", "\xff", "ａ",
		"a:b", "*", "~", "%2e", strings.Repeat("a", group.MaxID+1), strings.Repeat("a", 1<<20), "hunter2!",
	} {
		id, err := group.ParseID(bad)
		if !errors.Is(err, group.ErrInvalid) || id != "" {
			t.Errorf("%.40q: got %q and %v, want none and %v", bad, id, err, group.ErrInvalid)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the text: %v", err)
		}
	}
	safe := regexp.MustCompile(`^[a-z0-9-]$`)
	for c := range 256 {
		s := string([]byte{byte(c)})
		if _, err := group.ParseID(s); (err == nil) != safe.MatchString(s) {
			t.Errorf("byte %#x: %v", c, err)
		}
	}
}

func TestEveryGroupFitsInTheTextOfATokenAndNoOther(t *testing.T) {
	for _, id := range []string{"a", "-", "a-b", strings.Repeat("z", group.MaxID)} {
		presented, err := apitoken.Parse(apitoken.New(id, [apitoken.Entropy]byte{1}).Reveal())
		if err != nil || presented.Group() != id {
			t.Errorf("%s: got %q and %v", id, presented.Group(), err)
		}
	}
	if _, err := apitoken.Parse(apitoken.New(strings.Repeat("z", group.MaxID+1), [apitoken.Entropy]byte{1}).Reveal()); err == nil {
		t.Error("a token names a group of 41 characters")
	}
}

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestATokenIsFoundByItsDigest(t *testing.T) {
	digest := func(s string) apitoken.Digest { return apitoken.DigestOf(secret.New(s)) }
	g := group.Group{ID: "acme", Tokens: []apitoken.Token{
		{ID: "t1", Digest: digest("one")}, {ID: "t2", Digest: digest("two"), Scopes: apitoken.Mint}, {ID: "t3", Digest: digest("three")},
	}}
	for text, id := range map[string]string{"one": "t1", "two": "t2", "three": "t3"} {
		if got, found := g.Token(digest(text), now()); !found || got.ID != id {
			t.Errorf("%s: got %q and %t, want %s", text, got.ID, found, id)
		}
	}
	near := digest("two")
	near[len(near)-1] ^= 1
	for what, d := range map[string]apitoken.Digest{"unknown": digest("four"), "zero": {}, "one bit off": near} {
		got, found := g.Token(d, now())
		if found {
			t.Errorf("%s: found %s", what, got.ID)
		}
		if diff := cmp.Diff(&apitoken.Token{}, got, cmpopts.EquateComparable(iso8601.Duration{}, token.Features{})); diff != "" {
			t.Errorf("%s: not the zero token (-want +got):\n%s", what, diff)
		}
	}
	if _, found := (&group.Group{}).Token(digest("one"), now()); found {
		t.Error("a group without tokens has one")
	}
}
