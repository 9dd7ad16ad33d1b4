package policy_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"embedseal/domain/policy"
	"embedseal/domain/token"
)

func glob(t testing.TB, text string) policy.Glob {
	t.Helper()
	g, err := policy.ParseGlob(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return g
}

func TestWhatAGlobStandsFor(t *testing.T) {
	for _, tt := range []struct {
		glob     string
		yes, not []string
	}{
		{"abc", []string{"abc"}, []string{"", "ab", "abcd", "xabc", "ABC", "a?c", "abc\n"}},
		{"*", []string{"", "a", "äöü", "a/b", "*", `\`}, nil},
		{"**", []string{"", "a", "ab"}, nil},
		{"?", []string{"a", "ä", "😀", "*", "\u0301"}, []string{"", "ab", "e\u0301"}},
		{"?*", []string{"a", "ab", "😀"}, []string{""}},
		{"*?", []string{"a", "ab", "ä", "a😀"}, []string{""}},
		{"??", []string{"ab", "äö"}, []string{"ä", "a", "abc"}},
		{"acme-*", []string{"acme-", "acme-1", "acme-*"}, []string{"acme", "Acme-1", " acme-1", "xacme-1"}},
		{"*-prod", []string{"-prod", "a-prod", "-prod-prod"}, []string{"a-production", "prod"}},
		{"a*b*c", []string{"abc", "a1b2c", "abbcc", "abcbc"}, []string{"ac", "acb", "ab", "abcd"}},
		{"*aab", []string{"aab", "aaab", "aabaab"}, []string{"aaba", "ab"}},
		{"*a?c", []string{"abc", "aabc", "aacabc", "acaaäc"}, []string{"ac", "abcd"}},
		{`\*`, []string{"*"}, []string{"", "a", `\*`}},
		{`a\?b`, []string{"a?b"}, []string{"acb", `a\?b`}},
		{`\\`, []string{`\`}, []string{`\\`, ""}},
		{`\\*`, []string{`\`, `\x`}, []string{"*", "x"}},
		{`*\*`, []string{"*", "a*", "**"}, []string{"a", "*a"}},
		{"[ab]{c,d}", []string{"[ab]{c,d}"}, []string{"ac", "a", "b"}},
		{"a.c", []string{"a.c"}, []string{"abc"}},
		{"é", []string{"é"}, []string{"e\u0301"}},
		{"*é", []string{"é", "éé"}, []string{"e", "\u00c3", "è"}},
	} {
		g := glob(t, tt.glob)
		for _, s := range tt.yes {
			if !g.Match(s) {
				t.Errorf("%q does not match %q", tt.glob, s)
			}
		}
		for _, s := range tt.not {
			if g.Match(s) {
				t.Errorf("%q matches %q", tt.glob, s)
			}
		}
	}
}

func TestATextThatIsNoGlobIsRefusedAndMatchesNothingMore(t *testing.T) {
	for _, text := range []string{
		"", `\`, `a\`, `\\\`, `\a`, `\[`, `\ä`, "\x00", "a\nb", "a\x7f", "\u0085", "\xff", "a\xc3", "\xed\xa0\x80",
		strings.Repeat("a", policy.MaxGlob+1), strings.Repeat("ä", policy.MaxGlob/2) + "a",
	} {
		g, err := policy.ParseGlob(text)
		if !errors.Is(err, policy.ErrGlob) || g != "" {
			t.Errorf("%.40q: got %q and %v", text, g, err)
		}
		if err != nil && len(text) > 2 && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats %q", text)
		}
	}
	for _, text := range []string{"", `\`, `a\`, `\a`, `*\a`, strings.Repeat("*", policy.MaxGlob+1)} {
		for _, s := range []string{"", "a", `\`, `a\`, `\a`, "*"} {
			if policy.Glob(text).Match(s) || text != "" && len(text) <= policy.MaxGlob && policy.Simulate(policy.Glob(text), s) {
				t.Errorf("%q, which is no glob, matches %q", text, s)
			}
		}
	}
	for _, text := range []string{strings.Repeat("a", policy.MaxGlob), strings.Repeat("*", policy.MaxGlob), "\u202e", "<script>", "=1+1"} {
		if g := glob(t, text); g.String() != text {
			t.Errorf("%q is kept as %q", text, g)
		}
	}
}

// oracle is the plainest way to match: a table of which prefix of the glob
// stands for which prefix of the text.
func oracle(glob, text string) bool {
	type piece struct {
		char rune
		kind byte // '*', '?' or 0
	}
	var pieces []piece
	runes := []rune(glob)
	for i := 0; i < len(runes); i++ {
		switch {
		case runes[i] == '\\':
			i++
			pieces = append(pieces, piece{char: runes[i]})
		case runes[i] == '*' || runes[i] == '?':
			pieces = append(pieces, piece{kind: byte(runes[i])})
		default:
			pieces = append(pieces, piece{char: runes[i]})
		}
	}
	chars := []rune(text)
	table := make([][]bool, len(pieces)+1)
	for i := range table {
		table[i] = make([]bool, len(chars)+1)
		for j := range table[i] {
			switch {
			case i == 0:
				table[i][j] = j == 0
			case pieces[i-1].kind == '*':
				table[i][j] = table[i-1][j] || j > 0 && table[i][j-1]
			case j > 0:
				table[i][j] = table[i-1][j-1] && (pieces[i-1].kind == '?' || pieces[i-1].char == chars[j-1])
			}
		}
	}
	return table[len(pieces)][len(chars)]
}

func TestAGlobMatchesAsTheTableSays(t *testing.T) {
	// The last of each fills a whole word of places.
	pieces := rapid.SampledFrom([]string{"*", "?", "a", "b", "ä", "😀", `\*`, `\?`, `\\`, "ab", "**", strings.Repeat("a?", 32)})
	chars := rapid.SampledFrom([]string{"a", "b", "ä", "😀", "*", "?", `\`, "aa", "ab", strings.Repeat("a", 64)})
	matched := 0
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 1, 12).Filter(func(p []string) bool { return len(strings.Join(p, "")) <= policy.MaxGlob }).Draw(rt, "glob"), "")
		s := strings.Join(rapid.SliceOfN(chars, 0, 12).Draw(rt, "text"), "")
		want := oracle(text, s)
		if got, slow := glob(t, text).Match(s), policy.Simulate(glob(t, text), s); got != want || slow != want {
			rt.Fatalf("%q matches %q: %t and %t, want %t", text, s, got, slow, want)
		}
		if want {
			matched++
		}
	})
	if matched == 0 {
		t.Error("no glob matched: the law was not tried")
	}
}

func TestAGlobOfManyCharactersIsFollowedFromWordToWord(t *testing.T) {
	for n := range policy.MaxGlob {
		g := glob(t, strings.Repeat("?", n)+"b")
		if !policy.Simulate(g, strings.Repeat("a", n)+"b") || policy.Simulate(g, strings.Repeat("a", n)+"a") || policy.Simulate(g, strings.Repeat("a", n)) {
			t.Errorf("%d characters and one more are not followed to the end", n)
		}
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"*", ""}, {"a*b?c", "axxbyc"}, {`\*\?\\`, `*?\`}, {"*a*a*a*b", "aaaaaaaa"}, {"?ä*", "😀ä"}, {`\`, `\`}, {"*\xff", "\xff"}, {"[a-z]", "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, s string) {
		g, err := policy.ParseGlob(text)
		if err != nil {
			if !errors.Is(err, policy.ErrGlob) || g != "" {
				t.Fatalf("ParseGlob(%q) = %q, %v", text, g, err)
			}
			return
		}
		if !utf8.ValidString(s) || len(s) > token.MaxID {
			return
		}
		if got, slow, want := g.Match(s), policy.Simulate(g, s), oracle(text, s); got != want || slow != want {
			t.Fatalf("%q matches %q: %t and %t, want %t", text, s, got, slow, want)
		}
	})
}

// hostile are globs that take a matcher ages that tries every split of every
// star, and texts that they nearly match.
func hostile() map[string][2]string {
	ids := strings.Repeat("a", token.MaxID)
	return map[string][2]string{
		"stars":           {strings.Repeat("*a", 127) + "*b", ids},
		"stars and marks": {strings.Repeat("*?", 127) + "*b", ids},
		"one star":        {"*" + strings.Repeat("a", 254) + "b", ids},
		"one star, again": {"*" + strings.Repeat("a?", 126) + "b*", ids},
		"one star, ä":     {"*" + strings.Repeat("ä", 126) + "?b", strings.Repeat("ä", token.MaxID/2)},
		"double stars":    {strings.Repeat("**a", 85), ids[1:] + "b"},
	}
}

// A matcher that goes back to every star would not return before the sun goes out.
func TestNoGlobTakesForEver(t *testing.T) {
	for what, c := range hostile() {
		if glob(t, c[0]).Match(c[1]) {
			t.Errorf("%s: it matches", what)
		}
		if longer := strings.TrimRight(c[0], "b*") + "*"; !glob(t, longer).Match(c[1]) { // without the b that is not there
			t.Errorf("%s: %q does not match", what, longer)
		}
	}
}

func BenchmarkGlob(b *testing.B) {
	cases := hostile()
	cases["plain"] = [2]string{"acme-*", "acme-customer-0123456789"}
	for what, c := range cases {
		b.Run(what, func(b *testing.B) {
			g := glob(b, c[0])
			b.ReportAllocs()
			for b.Loop() {
				_ = g.Match(c[1])
			}
		})
	}
}
