package label_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"embedseal/domain/label"
)

func TestWhatPeopleCallThingsIsAName(t *testing.T) {
	for _, s := range []string{
		"", "Acme", "Röhren & Söhne", "アクメ", "a\u0301", "👩‍💻", "=1+1", "<script>", "../..", `"quoted"`, " spaces ", strings.Repeat("ä", 50),
		"\u05d0\u05d1", "a\u00a0b",
	} {
		if err := label.CheckName(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if err := label.CheckNote(s + "\n\t"); err != nil {
			t.Errorf("%q as a note: %v", s, err)
		}
	}
	if err := label.CheckNote(strings.Repeat("x", label.MaxNote)); err != nil {
		t.Errorf("the longest note: %v", err)
	}
}

func TestWhatDeceivesAReaderIsRefused(t *testing.T) {
	for _, s := range []string{
		"\x00", "a\x1b[2J", "a\rb", "\x7f", "\u0085", "\u009b", "a\u2028b", "a\u2029b", "a\u202eb", "a\u202a", "a\u2066b", "\u200e",
		"\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("hunter2", 200), strings.Repeat("x", label.MaxNote+1), strings.Repeat("x", 1<<20),
	} {
		for what, err := range map[string]error{"name": label.CheckName(s), "note": label.CheckNote(s)} {
			if !errors.Is(err, label.ErrInvalid) {
				t.Errorf("%.20q as a %s: got %v, want %v", s, what, err, label.ErrInvalid)
			}
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error repeats the text: %.100v", err)
			}
		}
	}
	for _, s := range []string{"a\nb", "a\tb", strings.Repeat("x", label.MaxName+1)} {
		if err := label.CheckName(s); !errors.Is(err, label.ErrInvalid) {
			t.Errorf("%.20q: got %v, want %v", s, err, label.ErrInvalid)
		}
	}
}

func TestANameIsShortUTF8WithoutControls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		good := len(s) <= label.MaxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
		})
		if err := label.CheckName(s); (err == nil) != good {
			t.Fatalf("%q: got %v, want good %t", s, err, good)
		}
	})
}
