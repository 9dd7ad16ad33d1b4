package plainhttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// held answers when it is told to.
type held struct{ began, goOn chan struct{} }

func newHeld() held { return held{make(chan struct{}, 8), make(chan struct{})} }

func (h held) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/held" {
		h.began <- struct{}{}
		<-h.goOn
	}
	hello(w, r)
}

// heldPlain is plain, heldForeign is not.
var (
	heldPlain   = strings.Replace(get, "/a", "/held", 1)
	heldForeign = strings.Replace(heldPlain, "Host", "Pragma: x\r\nHost", 1)
)

// shut begins a shutdown, and returns what it returns.
func (s *underTest) shut(t testing.TB, grace time.Duration) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	go func() { defer cancel(); done <- s.Shutdown(ctx) }()
	return done
}

// refuses fails where the server still accepts.
func (s *underTest) refuses(t testing.TB) {
	t.Helper()
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		_ = conn.Close()
		t.Error("it accepts still")
	}
}

func TestShutdownClosesIdleConnectionsAtOnce(t *testing.T) {
	leaksNone(t)
	s := start(t, hello, nil)
	fresh, used, foreign := dial(t, s.addr), dial(t, s.addr), dial(t, s.addr)
	used.send(get)
	used.wants(http.StatusOK)
	foreign.send(strings.Replace(get, "Host", "Pragma: x\r\nHost", 1))
	foreign.wants(http.StatusOK)
	used.send(get)
	used.wants(http.StatusOK)
	began := time.Now()
	if err := <-s.shut(t, long); err != nil {
		t.Error(err)
	}
	for _, p := range []*peer{fresh, used, foreign} {
		p.ends()
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	s.refuses(t)
}

func TestShutdownLetsARequestFinish(t *testing.T) {
	for name, request := range map[string]string{"plain": heldPlain, "foreign": heldForeign} {
		leaksNone(t)
		h := newHeld()
		s := start(t, h.serve, nil)
		p := dial(t, s.addr)
		p.send(request)
		<-h.began
		done := s.shut(t, long)
		s.refuses(t)
		select {
		case err := <-done:
			t.Errorf("%s: Shutdown did not wait: %v", name, err)
		case <-time.After(20 * time.Millisecond):
		}
		close(h.goOn)
		resp, body, err := p.answer(http.MethodGet)
		if err != nil || body != "hello" {
			t.Fatalf("%s: answered %q, %v", name, body, err)
		}
		if !resp.Close {
			t.Errorf("%s: the client is not told that the connection ends", name)
		}
		p.ends()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = p.Close()
	}
}

func TestAfterTheGraceConnectionsAreCut(t *testing.T) {
	for name, request := range map[string]string{"plain": heldPlain, "foreign": heldForeign} {
		leaksNone(t)
		h := newHeld()
		s := start(t, h.serve, nil)
		p := dial(t, s.addr)
		p.send(request)
		<-h.began
		if err := <-s.shut(t, 30*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: Shutdown returned %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.ends() // though the handler runs on
		s.refuses(t)
		close(h.goOn)
		_ = p.Close()
	}
}

// A request of which a part is there is under way: its rest is waited for as long as
// for that of any other.
func TestARequestInPiecesAtShutdown(t *testing.T) {
	for name, c := range map[string]struct {
		rest string
		want string
	}{
		"the rest comes":          {post[20:], "hello"},
		"nothing comes":           {"", ""},
		"it turns out as foreign": {strings.Replace(post[20:], "\r\n\r\n", "\r\nPragma: x\r\n\r\n", 1), ""},
	} {
		leaksNone(t)
		s := start(t, hello, nil)
		p := dial(t, s.addr)
		p.send(get)
		p.wants(http.StatusOK)
		p.send(post[:20])
		time.Sleep(20 * time.Millisecond)
		done := s.shut(t, long)
		s.refuses(t)
		p.send(c.rest)
		_, body, err := p.answer(http.MethodGet)
		if body != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: answered %q, %v", name, body, err)
		}
		p.ends()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = p.Close()
	}
}

func TestCloseCutsAll(t *testing.T) {
	leaksNone(t)
	h := newHeld()
	s := start(t, h.serve, nil)
	all := []*peer{dial(t, s.addr), dial(t, s.addr), dial(t, s.addr), dial(t, s.addr)}
	all[1].send(heldPlain)
	all[2].send(heldForeign)
	all[3].send(post[:20])
	<-h.began
	<-h.began
	_ = s.Close()
	for _, p := range all {
		p.ends()
		_ = p.Close()
	}
	s.refuses(t)
	close(h.goOn)
}

// late is a listener that accepts one more connection when it is closed.
type late struct {
	net.Listener
	closed chan struct{}
	conns  once
}

func (l late) Close() error { close(l.closed); return l.Listener.Close() }

func (l late) Accept() (net.Conn, error) {
	<-l.closed
	return l.conns.Accept()
}

func TestAConnectionThatComesTooLateIsClosed(t *testing.T) {
	leaksNone(t)
	l := late{listen(t), make(chan struct{}), make(once, 1)}
	mine, its := net.Pipe()
	l.conns <- its
	close(l.conns)
	s := startOn(t, l, hello, nil)
	conn := dial(t, s.addr) // the server is there
	_ = conn.Close()
	time.Sleep(10 * time.Millisecond)
	done := s.shut(t, long)
	_ = mine.SetDeadline(time.Now().Add(time.Second))
	if _, err := mine.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("it is not closed: %v", err)
	}
	_ = mine.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.refuses(t)
}

// Connections that come, are answered, are handed over and leave, while the server
// ends: for the race detector, and for what is left behind.
func TestShutdownAmongManyConnections(t *testing.T) {
	leaksNone(t)
	for range 5 {
		s := start(t, hello, nil)
		stop, gone := make(chan struct{}), make(chan struct{}, 6)
		for n := range 6 {
			go func() {
				defer func() { gone <- struct{}{} }()
				for {
					select {
					case <-stop:
						return
					default:
					}
					conn, err := net.Dial("tcp", s.addr)
					if err != nil {
						continue
					}
					_ = conn.SetDeadline(time.Now().Add(time.Second))
					_, _ = io.WriteString(conn, []string{get, post, post + get, post[:30], heldForeign, ""}[n])
					_, _ = conn.Read(make([]byte, 100*(n%2)))
					_ = conn.Close()
				}
			}()
		}
		time.Sleep(20 * time.Millisecond)
		if err := <-s.shut(t, long); err != nil {
			t.Error(err)
		}
		s.refuses(t)
		close(stop)
		for range 6 {
			<-gone
		}
	}
}
