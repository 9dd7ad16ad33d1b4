package plainhttp_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// step is what a client sends at once, and what it waits for then.
type step struct {
	name string
	// pieces are sent one after the other, each after the pause that goes before it.
	pieces []string
	pauses []time.Duration
	// methods are those of the requests in it.
	methods []string
	// asks is true where an answer that says to continue comes before the last piece.
	asks bool
	// ends is true where the connection ends with it.
	ends bool
}

// random makes a step.
func random(r *rand.Rand) step {
	body := strings.Repeat("b", r.IntN(300))
	target := []string{"/a", "/a?b=c", "//x", "/%20/", "/left"}[r.IntN(5)]
	field := []string{"", "X: 1\r\nx: 2\r\n", "Authorization: Bearer " + strings.Repeat("t", r.IntN(200)) + "\r\n", "Connection: keep-alive\r\n"}[r.IntN(4)]
	getText := "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + field + "\r\n"
	headText := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", target, field, len(body))
	postText := headText + body
	large := strings.Repeat("l", 4<<10+r.IntN(60<<10))
	one := func(name, text string) step {
		return step{name: name, pieces: []string{text}, methods: []string{http.MethodPost}}
	}
	cut := func(text string) []string { at := 1 + r.IntN(len(text)-1); return []string{text[:at], text[at:]} }
	switch r.IntN(24) {
	default:
		return one("plain GET", getText)
	case 0, 1, 2, 3, 4, 5, 6:
		return one("plain POST", postText)
	case 7, 8:
		return step{name: "in pieces", pieces: cut(postText), pauses: []time.Duration{0, time.Millisecond}, methods: []string{"POST"}}
	case 9:
		if r.IntN(4) > 0 {
			return one("plain POST", postText)
		}
		return step{name: "in slow pieces", pieces: cut(postText), pauses: []time.Duration{0, 120 * time.Millisecond}, methods: []string{"POST"}}
	case 10:
		return step{name: "pipelined", pieces: []string{postText + getText + postText}, methods: []string{"POST", "GET", "POST"}}
	case 11:
		return step{name: "pipelined, and cut", pieces: cut(getText + postText + getText), pauses: []time.Duration{0, time.Millisecond}, methods: []string{"GET", "POST", "GET"}}
	case 12:
		return one("chunked", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	case 13:
		return step{name: "HEAD", pieces: []string{"HEAD" + getText[3:]}, methods: []string{http.MethodHead}}
	case 14:
		return step{name: "to continue", pieces: []string{strings.Replace(headText, "Host", "Expect: 100-continue\r\nHost", 1), body}, methods: []string{"POST"}, asks: body != ""}
	case 15:
		return one("a large body", fmt.Sprintf("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	case 16:
		return one("a large header", "GET /a HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("h", 3<<10+r.IntN(5<<10))+"\r\n\r\n")
	case 17:
		if r.IntN(2) > 0 {
			return one("a line that goes on", strings.Replace(getText, "\r\n\r\n", "\r\n b\r\n\r\n", 1))
		}
		return one("lines that end in LF", strings.ReplaceAll(getText, "\r\n", "\n"))
	case 18:
		s := one("the end", strings.Replace(postText, "Host", "Connection: close\r\nHost", 1))
		s.ends = true
		return s
	case 19:
		s := one("HTTP/1.0", strings.Replace(getText, "1.1", "1.0", 1))
		s.ends = !strings.Contains(getText, "keep-alive")
		return s
	case 20:
		s := one("garbage", []string{"\x16\x03\x01\r\n\r\n", "GET\r\n\r\n", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /a HTTP/1.1\r\nHost: x\r\nb\r\n\r\n"}[r.IntN(6)])
		s.ends = true
		return s
	case 21:
		if r.IntN(4) > 0 {
			return one("plain GET", getText)
		}
		s := one("an oversized header", "GET /a HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("h", 40<<10)+"\r\n\r\n")
		s.ends = true
		return s
	}
}

// conversation sends the steps, and returns all that came.
func conversation(t *testing.T, addr string, steps []step) string {
	p := dial(t, addr)
	for _, s := range steps {
		for n, piece := range s.pieces {
			if s.pauses != nil {
				time.Sleep(s.pauses[n])
			}
			if s.asks && n == len(s.pieces)-1 {
				if resp, _, err := p.answer(http.MethodPost); err != nil || resp.StatusCode != http.StatusContinue {
					return p.undated() + fmt.Sprint("\nnot asked to continue: ", err)
				}
			}
			p.send(piece)
		}
		for _, method := range s.methods {
			if _, _, err := p.answer(method); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("no answer to %q: %.300q", s.name, s.pieces)
				}
				return p.undated() + fmt.Sprintf("\n%s: no answer: %v", s.name, err)
			}
		}
	}
	_ = p.SetDeadline(time.Now().Add(long / 2)) // or it would be the end of both
	_, err := io.ReadAll(p.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection does not end with %q", steps[len(steps)-1].name)
	}
	return p.undated() + fmt.Sprint("\nthe end: ", err)
}

// TestAConversationIsThatWithNetHTTP: whatever comes on a connection, in whatever
// order, is answered as net/http alone would.
func TestAConversationIsThatWithNetHTTP(t *testing.T) {
	t.Parallel()
	s, want := start(t, echo, nil), reference(t, echo)
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	for range 8 {
		seeds = append(seeds, rand.Uint64())
	}
	t.Cleanup(func() {
		if s.plain.Load() == 0 {
			t.Error("nothing of it was plain")
		}
	})
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); {
				var steps []step
				var names []string
				for len(steps) < 25 && (len(steps) == 0 || !steps[len(steps)-1].ends) {
					steps = append(steps, random(r))
					names = append(names, steps[len(steps)-1].name)
				}
				if !steps[len(steps)-1].ends {
					steps = append(steps, step{name: "the end", pieces: []string{strings.Replace(get, "Host", "Connection: close\r\nHost", 1)}, methods: []string{"GET"}, ends: true})
				}
				if got, want := conversation(t, s.addr, steps), conversation(t, want, steps); got != want {
					at := 0
					for at < min(len(got), len(want)) && got[at] == want[at] {
						at++
					}
					from := max(0, at-200)
					t.Fatalf("%q:\n%.600q\nnet/http:\n%.600q", names, got[from:], want[from:])
				}
			}
		})
	}
}
