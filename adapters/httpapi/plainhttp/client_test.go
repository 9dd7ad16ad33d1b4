package plainhttp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAHandlerSeesAClientThatLeaves(t *testing.T) {
	t.Parallel()
	for name, derived := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"itself": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"of a time": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		},
		"cancelable": context.WithCancel,
	} {
		began, saw := make(chan struct{}), make(chan error, 1)
		s := start(t, func(_ http.ResponseWriter, r *http.Request) {
			ctx, cancel := derived(r.Context())
			defer cancel()
			if err := ctx.Err(); err != nil {
				t.Errorf("%s: ended at once: %v", name, err)
			}
			close(began)
			select {
			case <-ctx.Done():
				saw <- errors.Join(r.Context().Err(), context.Cause(ctx))
			case <-time.After(long):
				saw <- nil
			}
		}, nil)
		p := dial(t, s.addr)
		p.send(post)
		<-began
		_ = p.Close()
		if err := <-saw; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if s.plain.Load() != 1 {
			t.Errorf("%s: it was net/http that answered", name)
		}
	}
}

// A client that sends its next request early has not left: both are answered.
func TestTheNextRequestMayComeWhileOneIsAnswered(t *testing.T) {
	t.Parallel()
	for _, pieces := range [][]string{{post}, {"P", post[1:]}, {post[:9], post[9:]}, {get}, {post + get + "X"}} {
		var first atomic.Bool
		first.Store(true)
		began, goOn := make(chan struct{}), make(chan struct{})
		ends := make(chan (<-chan struct{}), 1)
		s := start(t, func(w http.ResponseWriter, r *http.Request) {
			if first.CompareAndSwap(true, false) {
				done := r.Context().Done()
				ends <- done
				close(began)
				<-goOn
				select {
				case <-done:
					t.Errorf("%q: the client is taken to have left", pieces)
				default:
				}
			}
			echo(w, r)
		}, nil)
		p := dial(t, s.addr)
		p.send(post)
		<-began
		for _, piece := range pieces {
			p.send(piece)
			time.Sleep(20 * time.Millisecond)
		}
		close(goOn)
		select {
		case <-<-ends:
		case <-time.After(long):
			t.Fatalf("%q: the context does not end with its handler", pieces)
		}
		all := strings.Join(pieces, "")
		for range 1 + strings.Count(all, "HTTP/1.1") {
			got := p.wants(http.StatusOK)
			if method, rest, _ := strings.Cut(got, " "); method != "POST" && method != "GET" || !strings.HasPrefix(rest, "/a /a HTTP/1.1\nx\n") {
				t.Errorf("%q: answered %q", pieces, got)
			}
		}
	}
}

func TestTheContextEndsWithTheHandler(t *testing.T) {
	t.Parallel()
	type contexts struct{ itself, timed context.Context }
	for _, panics := range []bool{false, true} {
		handed := make(chan contexts, 2)
		s := start(t, func(_ http.ResponseWriter, r *http.Request) {
			timed, cancel := context.WithTimeout(r.Context(), time.Hour)
			_ = cancel // it ends with its parent
			handed <- contexts{itself: r.Context(), timed: timed}
			if panics {
				panic(http.ErrAbortHandler)
			}
		}, nil)
		p := dial(t, s.addr)
		p.send(get)
		all := <-handed
		select {
		case <-all.timed.Done():
		case <-time.After(long):
			t.Fatal("a context of a context does not end")
		}
		select {
		case <-all.itself.Done():
		case <-time.After(long):
			t.Fatal("the context does not end")
		}
		if !errors.Is(all.itself.Err(), context.Canceled) || !errors.Is(all.timed.Err(), context.Canceled) {
			t.Errorf("they end with %v and %v", all.itself.Err(), all.timed.Err())
		}
	}
}

// countedConn counts what is asked of a connection.
type countedConn struct {
	net.Conn
	reads *atomic.Int64
}

func (c countedConn) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(p)
}

type countedListener struct {
	net.Listener
	reads atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn, &l.reads}, nil
}

func TestNobodyLooksForAClientThatNobodyAsksFor(t *testing.T) {
	leaksNone(t)
	l := &countedListener{Listener: listen(t)}
	in := make(chan struct{})
	goOn := make(chan struct{})
	s := startOn(t, l, func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), passingError{}, 1)
		if ctx.Err() != nil || r.Context().Value(passingError{}) != nil {
			t.Error("the context has ended")
		}
		in <- struct{}{}
		<-goOn
		if r.URL.Path == "/b" { // one goroutine more, however many contexts
			before := runtime.NumGoroutine()
			for range 5 {
				timed, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				_ = timed
			}
			if more := runtime.NumGoroutine() - before; more > 1 {
				t.Errorf("%d goroutines for contexts", more)
			}
		}
	}, nil)
	p := dial(t, s.addr)
	for at, request := range []string{get, post, get, strings.Replace(get, "/a", "/b", 1)} {
		p.send(request)
		<-in
		if got := l.reads.Load(); got != int64(at+1) {
			t.Errorf("%d reads for %d requests", got, at+1)
		}
		goOn <- struct{}{}
		p.wants(http.StatusOK)
	}
	_ = s.Close()
	_ = p.Close()
}

// Contexts that end in every order, for the race detector.
func TestContextsAreSafe(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				timed, cancel := context.WithTimeout(ctx, time.Microsecond)
				defer cancel()
				select {
				case <-ctx.Done():
				case <-timed.Done():
				}
				_, _ = ctx.Err(), ctx.Value(1)
			})
		}
		if r.Method == http.MethodPost { // else they go on after the handler
			all.Wait()
		}
		hello(w, r)
	}, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p := dial(t, s.addr)
			for at := range 50 {
				switch at % 3 {
				case 0:
					p.send(get)
				case 1:
					p.send(post)
				default:
					p.send(get + post)
					_, _, _ = p.answer(http.MethodGet)
				}
				if _, body, err := p.answer(http.MethodGet); body != "hello" {
					t.Errorf("answered %q, %v", body, err)
				}
			}
			p.send(post)
			_ = p.Close()
		})
	}
	all.Wait()
}

// A client that waits for long has not left, though it may not be idle for so long.
func TestAClientThatWaitsHasNotLeft(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			t.Error("it is taken to have left")
		case <-time.After(1500 * time.Millisecond):
		}
		hello(w, r)
	}, func(s *underTest) { s.HTTP.IdleTimeout = time.Second })
	p := dial(t, s.addr)
	for range 2 {
		p.send(post)
		p.wants(http.StatusOK)
	}
}
