package replay_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"embedseal/domain/replay"
)

func TestTheSameRequestIsKnownAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[ -~]{1,128}`).Draw(t, "key")
		scope := rapid.String().Draw(t, "scope")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "request")
		made := mark(t, key, scope, body)
		if again, err := mark(t, key, scope, body).Made(made); !again || err != nil {
			t.Fatalf("the same request: %v, %v", again, err)
		}
		if again, err := mark(t, key, scope, append(body, 1)).Made(made); again || !errors.Is(err, replay.ErrOther) {
			t.Fatalf("the same key with another request: %v, %v; want ErrOther", again, err)
		}
		if again, err := mark(t, key, scope+"x", body).Made(made); again || err != nil {
			t.Fatalf("the same key elsewhere: %v, %v", again, err)
		}
		if read, err := replay.Parse(made.String()); read != made || err != nil {
			t.Fatalf("a mark is read back as %v, %v", read, err)
		}
	})
}

func TestNoKeyMatchesNothing(t *testing.T) {
	none := mark(t, "", "keys", []byte("a"))
	some := mark(t, "k", "keys", []byte("a"))
	for _, c := range []struct{ asked, made replay.Mark }{{none, none}, {none, some}, {some, none}} {
		if again, err := c.asked.Made(c.made); again || err != nil {
			t.Errorf("%q made %q: %v, %v", c.asked, c.made, again, err)
		}
	}
	if none.String() != "" || !none.IsZero() {
		t.Errorf("no key is %q", none)
	}
}

func TestWhatIsNoKeyOrMarkIsRefused(t *testing.T) {
	for _, key := range []string{strings.Repeat("k", replay.MaxKey+1), "a\nb", "a\x00", "ä", "\x7f"} {
		if _, err := replay.Of(key, "keys", nil); !errors.Is(err, replay.ErrInvalid) || strings.Contains(err.Error(), key) {
			t.Errorf("key %.20q: %v", key, err)
		}
	}
	good := mark(t, "k", "keys", nil).String()
	for _, text := range []string{"zz", good[1:], strings.ToUpper(good), good + "00", strings.Repeat("0", 64)} {
		if _, err := replay.Parse(text); !errors.Is(err, replay.ErrInvalid) {
			t.Errorf("mark %q: %v", text, err)
		}
	}
}

func mark(t interface{ Fatal(...any) }, key, scope string, request []byte) replay.Mark {
	m, err := replay.Of(key, scope, request)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
