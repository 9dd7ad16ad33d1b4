package httpapi

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"embedseal/adapters/httpapi/plainhttp"
	"embedseal/adapters/internal/arrival"
	"embedseal/ports"
)

// gateListener lets the gate ask every connection how long its data waited.
type gateListener struct {
	net.Listener
	gate *gate
	// accepted is how many there were. Each connection begins to count one further
	// than the last, or all of a crowd would be looked at in the same moment.
	accepted uint64
}

// Accept implements [net.Listener].
func (l *gateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at it
	}
	l.accepted++
	l.gate.open.Add(1)
	c := &gateConn{Conn: conn, gate: l.gate}
	c.count.Store(l.accepted)
	c.arrivals = arrival.New(conn, c.asks)
	if c.waited = l.gate.waits; c.waited == nil {
		c.waited = c.sinceArrival
	}
	return c, nil
}

// gateConn is a connection with what the gate knows of it.
type gateConn struct {
	net.Conn
	gate     *gate
	closed   atomic.Bool
	arrivals *arrival.Reader // nil where nobody says when something came in
	waited   func(now int64) (time.Duration, bool)
	// arrived is when that came in which was read last, as nanoseconds since 1970; 0 where
	// nobody asked. count grows with each request. net/http reads ahead while it handles
	// one.
	arrived atomic.Int64
	count   atomic.Uint64
}

// Read implements [net.Conn].
func (c *gateConn) Read(p []byte) (int, error) {
	var at int64
	var n int
	var err error
	if c.arrivals != nil && c.gate.crowded() {
		n, err = c.arrivals.Read(p)
		at = c.arrivals.At()
	} else {
		n, err = c.Conn.Read(p)
	}
	if n > 0 {
		c.arrived.Store(at)
	}
	return n, err //nolint:wrapcheck // net/http looks at it
}

// asks says whether the gate will want to know how long the next request waited.
func (c *gateConn) asks() bool { return c.gate.asks(c.count.Load() + 1) }

// sinceArrival is how long ago that came in which was read last.
func (c *gateConn) sinceArrival(now int64) (time.Duration, bool) {
	at := c.arrived.Load()
	return time.Duration(now - at), at != 0
}

// Close implements [net.Conn].
func (c *gateConn) Close() error {
	if !c.closed.Swap(true) {
		c.gate.left()
	}
	return c.Conn.Close() //nolint:wrapcheck // net/http looks at it
}

// CloseWrite lets net/http close a connection in two steps when its client sends
// still, so that the client can read the answer.
func (c *gateConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// admitsNext asks the gate about the next request of a connection.
func (g *gate) admitsNext(c *gateConn) bool {
	return g.admits(c.count.Add(1), c.waited)
}

// guard puts the gate on a listener, where there is one.
func (s *Server) guard(l net.Listener) net.Listener {
	if s.gate == nil {
		return l
	}
	return &gateListener{Listener: l, gate: s.gate}
}

// refuser refuses plain requests before they become one of [http.Server]: that costs
// a third of what a handler that refuses at once costs, and while refusing is what a
// server mostly does, that is the difference between serving the others and not.
func (s *Server) refuser() func(conn net.Conn, answer []byte) []byte {
	if s.gate == nil {
		return nil
	}
	refusal := newRefusal(s.random)
	return func(conn net.Conn, answer []byte) []byte {
		if c, known := conn.(*gateConn); known && !s.gate.admitsNext(c) {
			return refusal.appendTo(answer)
		}
		return answer
	}
}

// refusal is the whole answer to a request that is refused for overload, as it goes
// over the wire. The request id stands at two places of it.
type refusal struct {
	text   string
	at     [2]int
	random ports.Random
}

func newRefusal(random ports.Random) *refusal {
	before, after := overloadedAnswer()
	id := strings.Repeat("-", len(requestIDFrom(random)))
	body := before + id + after
	head := "HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nX-Content-Type-Options: nosniff\r\n" + requestIDHeader + ": "
	text := head + id + "\r\n\r\n" + body
	return &refusal{text: text, at: [2]int{len(head), len(text) - len(after) - len(id)}, random: random}
}

func (r *refusal) appendTo(dst []byte) []byte {
	id := requestIDFrom(r.random)
	begin := len(dst)
	dst = append(dst, r.text...)
	for _, at := range r.at {
		copy(dst[begin+at:], id)
	}
	return dst
}

type gateConnKey struct{}

// withGateConn is [http.Server.ConnContext].
func withGateConn(ctx context.Context, conn net.Conn) context.Context {
	if f, ok := conn.(*plainhttp.Foreign); ok {
		conn = f.Conn
	}
	if c, ok := conn.(*gateConn); ok {
		return context.WithValue(ctx, gateConnKey{}, c)
	}
	return ctx
}

// gated asks the gate about requests that are not plain. It comes before everything,
// authentication included. /healthz is never refused, or a server that is busy would
// be taken for one that is dead.
func (s *Server) gated(next http.Handler) http.Handler {
	if s.gate == nil {
		return next
	}
	before, after := overloadedAnswer()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, known := r.Context().Value(gateConnKey{}).(*gateConn)
		if !known || r.URL.Path == healthPath || s.gate.admitsNext(c) {
			next.ServeHTTP(w, r)
			return
		}
		header := w.Header()
		id := commonHeaders(header, s.random)
		header["Content-Type"] = []string{"application/problem+json"}
		header["Content-Length"] = []string{strconv.Itoa(len(before) + len(id) + len(after))}
		header["Retry-After"] = []string{"1"}
		w.WriteHeader(kindOverloaded.status)
		_, _ = w.Write([]byte(before + id + after))
	})
}

// overloadedAnswer is the problem, before and after its request id.
func overloadedAnswer() (before, after string) {
	const id = "@"
	text, err := encoded(problemOf(&failure{kind: kindOverloaded}, id))
	if err != nil { // strings and numbers always encode
		return "", ""
	}
	before, after, _ = strings.Cut(string(text), id)
	return before, after
}
