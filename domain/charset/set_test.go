package charset_test

import (
	"strings"
	"testing"

	"embedseal/domain/charset"
)

func TestASetHasItsBytesAndNoOthers(t *testing.T) {
	for _, chars := range []string{"", "a", charset.Digits + charset.Lower + charset.Upper, "-._", "\x00\x3f\x40\x7f\x80\xbf\xc0\xff"} {
		s := charset.Of(chars)
		for c := range 256 {
			one, want := string([]byte{byte(c)}), strings.IndexByte(chars, byte(c)) >= 0
			if s.HasAll(one) != want {
				t.Errorf("the set of %q has %q: %t", chars, one, !want)
			}
			for at := range 4 { // wherever it stands
				text := strings.Repeat(chars, 3)
				at = min(at, len(text))
				if text = text[:at] + one + text[at:]; s.HasAll(text) != want {
					t.Errorf("the set of %q has all of %q: %t", chars, text, !want)
				}
			}
		}
		if !s.HasAll("") || !s.HasAll(chars) {
			t.Errorf("the set of %q has not all of them, or not all of nothing", chars)
		}
	}
}
