// Package plainhttp is a server of HTTP/1.1 that answers plain requests itself, and
// leaves everything else to net/http. A plain request is what backends send again and
// again on a connection that they keep: POST or GET, whole and small, with nothing in
// it that two readers could understand differently (see [incoming.parse]). For these
// net/http costs more than the answer: docs/adr/0042-plain-requests.md has the figures.
//
// A connection belongs to this package until something comes that is not plain: then
// net/http gets it, with all that was read and not answered, and keeps it. What is
// unusual is so answered by net/http alone, and as always.
package plainhttp

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is an [http.Server] that is quicker for plain requests. Its fields are set
// before Serve.
type Server struct {
	// HTTP serves the connections that are not plain. Of the others it says the
	// Handler, the ErrorLog, and the ReadHeaderTimeout, WriteTimeout and IdleTimeout,
	// which must be set.
	HTTP *http.Server
	// Serves says which plain requests are answered here. Their handlers must not
	// flush, hijack or send trailers. When they have returned nothing may use the
	// request, its context or the answer any more: they are those of the next request
	// then, perhaps another user's, so [http.TimeoutHandler] is not for them. The
	// context has nothing of [http.Server], its ConnContext included.
	Serves func(method, path string) bool
	// Refuse appends the answer to a plain request that is not to reach the handler to
	// answer, and appends nothing for all others. conn is as the listener accepted it.
	// nil refuses none.
	Refuse func(conn net.Conn, answer []byte) []byte

	mu      sync.Mutex
	conns   map[*conn]struct{}
	closing bool
	// gone counts the goroutines of connections.
	gone sync.WaitGroup
}

// Serve answers on l until Shutdown or Close, and returns [http.ErrServerClosed]
// then.
func (s *Server) Serve(l net.Listener) error {
	split := &splitter{Listener: l, server: s, foreign: make(chan net.Conn), ended: make(chan struct{})}
	go split.run()
	return s.HTTP.Serve(split) //nolint:wrapcheck // documented to be what net/http returns
}

// Shutdown ends the server as [http.Server.Shutdown] does: no new connections, idle
// ones are closed, requests under way may finish until ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end(false)
	err := s.HTTP.Shutdown(ctx)
	gone := make(chan struct{})
	go func() { s.gone.Wait(); close(gone) }()
	select {
	case <-gone:
		return err //nolint:wrapcheck // net/http's own
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close ends the server at once, with the connections that have a request under way.
func (s *Server) Close() error {
	s.end(true)
	return s.HTTP.Close() //nolint:wrapcheck // net/http's own
}

// end closes connections: the idle ones, or all of them.
func (s *Server) end(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for c := range s.conns {
		if all || c.state.CompareAndSwap(idle, ended) {
			_ = c.Close()
			continue
		}
		c.state.CompareAndSwap(busy, last)
	}
}

// add notes a connection; false once the server is closing.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.conns == nil {
		s.conns = map[*conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.gone.Add(1)
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.gone.Done()
}

func (s *Server) logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// splitter accepts all connections, and hands net/http those that are not plain.
type splitter struct {
	net.Listener
	server  *Server
	foreign chan net.Conn
	// ended is closed when no more are accepted, err says why.
	ended chan struct{}
	err   error
}

// The first and the longest time until accepting is tried again after a failure that
// passes, as in net/http.
const (
	retryFirst = 5 * time.Millisecond
	retryMost  = time.Second
)

// run accepts until the listener is closed.
func (l *splitter) run() {
	defer close(l.ended)
	retry := retryFirst
	for {
		accepted, err := l.Listener.Accept()
		var passing interface{ Temporary() bool }
		if errors.As(err, &passing) && passing.Temporary() { // no file descriptors are left, for example
			l.server.logf("plainhttp: accept: %v; trying again in %s", err, retry)
			time.Sleep(retry)
			retry = min(2*retry, retryMost)
			continue
		}
		if err != nil {
			l.err = err
			return
		}
		retry = retryFirst
		c := newConn(accepted, l)
		if !l.server.add(c) {
			_ = accepted.Close()
			continue
		}
		go c.serve()
	}
}

// Accept implements [net.Listener] for net/http.
func (l *splitter) Accept() (net.Conn, error) {
	select {
	case c := <-l.foreign:
		return c, nil
	case <-l.ended:
		return nil, l.err
	}
}

// Foreign is a connection as net/http gets it.
type Foreign struct {
	// Conn is as the listener accepted it.
	net.Conn
	// read is what was read of it and not answered.
	read []byte
}

// Read implements [net.Conn].
func (f *Foreign) Read(p []byte) (int, error) {
	if len(f.read) == 0 {
		return f.Conn.Read(p) //nolint:wrapcheck // as the connection says it
	}
	n := copy(p, f.read)
	if f.read = f.read[n:]; len(f.read) == 0 {
		f.read = nil // it may hold secrets, and is of no more use
	}
	return n, nil
}

// CloseWrite lets net/http close a connection in two steps while its client sends
// still, so that the client can read the answer.
func (f *Foreign) CloseWrite() error {
	if half, ok := f.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
