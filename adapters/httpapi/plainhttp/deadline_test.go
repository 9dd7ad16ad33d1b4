package plainhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The times here are long for what they show: a busy machine may keep the client of a
// test from its next request for a tenth of a second, and a test that takes that for a
// fault of the server is none.

// endsAfter fails unless the connection ends at about this time.
func (p *peer) endsAfter(least, most time.Duration) {
	p.t.Helper()
	began := time.Now()
	p.ends()
	if took := time.Since(began); took < least || took > most {
		p.t.Errorf("the connection ended after %s, want between %s and %s", took, least, most)
	}
}

func TestWhoSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := start(t, hello, func(s *underTest) { s.HTTP.ReadHeaderTimeout = time.Second })
	dial(t, s.addr).endsAfter(500*time.Millisecond, 10*time.Second)
}

func TestWhoSaysNothingMoreIsLeft(t *testing.T) {
	t.Parallel()
	s := start(t, hello, func(s *underTest) { s.HTTP.IdleTimeout = 2 * time.Second })
	p := dial(t, s.addr)
	for range 3 { // the time begins anew with each
		p.send(get)
		p.wants(http.StatusOK)
		time.Sleep(900 * time.Millisecond) // together more than the time, and its quarter more
	}
	p.send(get)
	p.wants(http.StatusOK)
	p.endsAfter(time.Second, 10*time.Second)
}

// How long an answer may take to be read has nothing to do with how long a connection
// may be idle before.
func TestAnIdleTimeLongerThanTheTimeToWriteIsNoTrouble(t *testing.T) {
	t.Parallel()
	s := start(t, hello, func(s *underTest) { s.HTTP.WriteTimeout = 500 * time.Millisecond })
	p := dial(t, s.addr)
	for range 3 {
		p.send(post)
		p.wants(http.StatusOK)
		time.Sleep(time.Second)
	}
	if s.plain.Load() != 3 {
		t.Errorf("%d were answered here", s.plain.Load())
	}
}

// As in net/http, the time that a handler takes counts.
func TestAnAnswerAfterTheTimeToWriteIsNotSent(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			time.Sleep(1500 * time.Millisecond)
		}
		hello(w, r)
	}, func(s *underTest) { s.HTTP.WriteTimeout = 500 * time.Millisecond })
	p := dial(t, s.addr)
	p.send(get)
	p.wants(http.StatusOK)
	p.send(post)
	p.ends()
}

// A handler may take longer than a connection may be idle.
func TestTheTimeToBeIdleBeginsWithTheAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(1500 * time.Millisecond)
		hello(w, r)
	}, func(s *underTest) { s.HTTP.IdleTimeout = time.Second })
	p := dial(t, s.addr)
	for range 3 {
		p.send(get)
		p.wants(http.StatusOK)
	}
}

func TestWhoStallsInARequestHasTheTimesAndAnswersOfNetHTTP(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if r.URL.Path != "/first" {
			w.Header().Set("Connection", "close")
			_, _ = fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
		}
	}
	quick := func(s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout = time.Second, time.Second
	}
	for name, text := range map[string]string{
		"in a header":            "GET /a HTTP/1.1\r\nHost: x\r\n",
		"in the first line":      "GET /",
		"in a body":              post[:len(post)-1],
		"in the end of a header": get[:len(get)-1],
	} {
		for _, before := range []string{"", strings.Replace(get, "/a", "/first", 1)} {
			t.Run(fmt.Sprint(name, before != ""), func(t *testing.T) {
				t.Parallel()
				said := func(addr string) string {
					p := dial(t, addr)
					if before != "" {
						p.send(before)
						p.wants(http.StatusOK)
					}
					p.send(text)
					began := time.Now()
					if _, err := io.ReadAll(p.r); err != nil {
						t.Errorf("the connection ended with %v", err)
					}
					if took := time.Since(began); took > 10*time.Second || took < 500*time.Millisecond {
						t.Errorf("it took %s", took)
					}
					return p.undated()
				}
				s := start(t, handler, func(s *underTest) { quick(s.HTTP) })
				if got, want := said(s.addr), said(reference(t, handler, quick)); got != want {
					t.Errorf("answered %q, want %q", got, want)
				}
			})
		}
	}
}

// A body in pieces that come slowly is a plain request no more, and answered
// nevertheless.
func TestWhoIsSlowIsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, echo, nil)
	p := dial(t, s.addr)
	for at, pause := range map[int]time.Duration{1: 150 * time.Millisecond, len(post) - 1: 150 * time.Millisecond, 20: 10 * time.Millisecond} {
		p.send(post[:at])
		time.Sleep(pause)
		p.send(post[at:])
		if got := p.wants(http.StatusOK); !strings.HasSuffix(got, "{}") {
			t.Errorf("answered %q", got)
		}
	}
}

// A request in pieces, or one whose handler waits for its client, leaves the connection
// its time to be idle.
func TestTheTimeToBeIdleIsThatAfterEveryRequest(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_ = r.Context().Done()
		}
		hello(w, r)
	}, nil)
	p := dial(t, s.addr)
	for _, pieces := range [][]string{{post}, {post[:20], post[20:]}, {post}, {get}, {post}, {get[:20], get[20:]}, {post}} {
		for _, piece := range pieces {
			p.send(piece)
			time.Sleep(10 * time.Millisecond)
		}
		p.wants(http.StatusOK)
		time.Sleep(150 * time.Millisecond)
	}
	if s.plain.Load() != 7 {
		t.Errorf("%d were answered here", s.plain.Load())
	}
}

// The answers of who does not read are given up: the first one, and those after it.
func TestWhoDoesNotReadIsLeft(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		s := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = w.Write(make([]byte, 32<<20)) // more than the system buffers
			}
		}, func(s *underTest) { s.HTTP.WriteTimeout = 500 * time.Millisecond })
		p := dial(t, s.addr)
		if !first {
			p.send(post)
			p.wants(http.StatusOK)
		}
		p.send(get)
		time.Sleep(1500 * time.Millisecond)
		if n, _ := io.Copy(io.Discard, p.Conn); n >= 32<<20 {
			t.Errorf("first %v: all was written, to one who did not read for three times as long as that may take", first)
		}
		if s.plain.Load() == 0 {
			t.Errorf("first %v: it was net/http that answered", first)
		}
	}
}
