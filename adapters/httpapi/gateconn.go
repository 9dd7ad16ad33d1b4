package httpapi

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"embedseal/ports"
)

// connBuffer is how much net/http reads at once from a connection of which it has
// nothing left to parse. If that ever changed, requests would be refused one step
// later, in [Server.gated], which costs more.
const connBuffer = 4 << 10

// gateListener puts the gate on every connection.
type gateListener struct {
	net.Listener
	gate   *gate
	refuse []byte // around the request id, which stands at the two places of idAt
	idAt   [2]int
	random ports.Random
	idle   time.Duration
}

// Accept implements net.Listener.
func (l *gateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at it
	}
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return conn, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn, nil //nolint:nilerr // it is served without a gate
	}
	return &gateConn{Conn: conn, listener: l, waited: l.gate.on(raw), between: true, unjudged: true, count: 1}, nil
}

// gateConn refuses requests before net/http sees them: it costs a third of what a
// handler that refuses at once costs, and while refusing is what a server mostly
// does, that is the difference between serving the others and not. It refuses only
// what it can tell the end of for certain, so that nobody can make one request of
// two; the rest is looked at by [Server.gated].
type gateConn struct {
	net.Conn
	listener *gateListener
	waited   func() (time.Duration, bool)
	// between is true from the end of an answer to the first byte that is read of the
	// next request, or its headers where nothing had to be read for them. It is false
	// while net/http reads ahead in another goroutine.
	between bool
	// Only the connection's own goroutine touches the rest: deadlines is how often
	// net/http has set the one for reading since between became true, count the number
	// of the request, and unjudged is true until somebody has asked the gate about it.
	deadlines, count uint
	unjudged         bool
	// renewed is when the time that the connection has was set anew; zero while that
	// is what net/http set.
	renewed time.Time
}

// Read implements net.Conn.
func (c *gateConn) Read(p []byte) (int, error) {
	if !c.between || !c.begins() {
		n, err := c.Conn.Read(p)
		if n > 0 && c.between {
			c.between = false
		}
		return n, err //nolint:wrapcheck // as the connection says it
	}
	for {
		n, err := c.Conn.Read(p)
		if n == 0 {
			return n, err //nolint:wrapcheck // as the connection says it
		}
		if err != nil || len(p) != connBuffer || !c.listener.gate.overloaded() || !refusable(p[:n]) {
			c.between = false
			return n, nil
		}
		if c.listener.gate.admits(c.count, c.waited) {
			c.between, c.unjudged = false, false
			return n, nil
		}
		c.count++
		if err := c.refuse(); err != nil {
			return 0, err
		}
	}
}

// begins says that what is read now between two requests is the beginning of one.
// It is not when its client sent some of it before its turn: that lies in net/http's
// buffer, and what is read is the rest. After an answer net/http sets the deadline of
// an idle connection and waits for the first bytes; as soon as it has some, it sets
// that of the headers.
func (c *gateConn) begins() bool { return c.count == 1 || c.deadlines == 1 }

// SetReadDeadline implements net.Conn.
func (c *gateConn) SetReadDeadline(t time.Time) error {
	if c.between {
		c.deadlines++
	}
	return c.Conn.SetReadDeadline(t) //nolint:wrapcheck // as the connection says it
}

// CloseWrite lets net/http close a connection in two steps when its client sends
// still, so that the client can read the answer.
func (c *gateConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// refuse answers a request that was read as a whole.
func (c *gateConn) refuse() error {
	l := c.listener
	if now := time.Now(); now.Sub(c.renewed) > l.idle/4 { // net/http set both for requests that it saw
		if err := c.SetDeadline(now.Add(l.idle)); err != nil {
			return err //nolint:wrapcheck // net/http looks at it
		}
		c.renewed = now
	}
	id := requestIDFrom(l.random)
	answer := append(make([]byte, 0, 1024), l.refuse...)
	for _, at := range l.idAt {
		copy(answer[at:], id)
	}
	_, err := c.Write(answer)
	return err //nolint:wrapcheck // net/http looks at it
}

// refusable says that data is one whole request, with nothing behind it, whose end
// no reader could see elsewhere: what is unusual is not. /healthz is never refused,
// or a server that is busy would be taken for one that is dead.
func refusable(data []byte) bool {
	header, body, whole := bytes.Cut(data, []byte("\r\n\r\n"))
	if !whole {
		return false
	}
	line, rest, _ := bytes.Cut(header, []byte("\r\n"))
	post := bytes.HasPrefix(line, []byte("POST /api/"))
	if !post && !bytes.HasPrefix(line, []byte("GET /api/")) || !bytes.HasSuffix(line, []byte(" HTTP/1.1")) ||
		bytes.ContainsAny(line, "\r\n") || bytes.IndexByte(header, 0) >= 0 {
		return false
	}
	length := -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || !isToken(name) || bytes.ContainsAny(value, "\r\n") {
			return false
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(bytes.Trim(value, " ")), 10, 16)
			if err != nil || length >= 0 {
				return false
			}
			length = int(n)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")), bytes.EqualFold(name, []byte("Connection")),
			bytes.EqualFold(name, []byte("Expect")), bytes.EqualFold(name, []byte("Upgrade")):
			return false
		}
	}
	if !post {
		return length < 0 && len(body) == 0
	}
	return length == len(body)
}

// isToken is true of the name of a header (RFC 9110 section 5.6.2) as it is
// written in practice: letters, digits, dash and underscore.
func isToken(name []byte) bool {
	for _, b := range name {
		if (b|0x20 < 'a' || b|0x20 > 'z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return len(name) > 0
}

// guard puts the gate on a listener, where there is one.
func (s *Server) guard(l net.Listener) net.Listener {
	if s.gate == nil {
		return l
	}
	before, after := overloadedAnswer()
	id := strings.Repeat("-", len(requestIDFrom(s.random)))
	body := before + id + after
	head := "HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nContent-Type: application/problem+json\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\nRetry-After: 1\r\nX-Content-Type-Options: nosniff\r\n" + requestIDHeader + ": "
	text := head + id + "\r\n\r\n" + body
	return &gateListener{
		Listener: l, gate: s.gate, refuse: []byte(text), random: s.random, idle: s.cfg.IdleTimeout,
		idAt: [2]int{len(head), len(text) - len(after) - len(id)},
	}
}

// connState is http.Server.ConnState.
func connState(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*gateConn)
	switch {
	case !ok:
	case state == http.StateActive: // it has the headers
		c.between = false
	case state == http.StateIdle:
		c.between, c.deadlines, c.renewed = true, 0, time.Time{}
		c.unjudged = true
		c.count++
	}
}

type gateConnKey struct{}

// withGateConn is http.Server.ConnContext.
func withGateConn(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*gateConn); ok {
		return context.WithValue(ctx, gateConnKey{}, c)
	}
	return ctx
}

// gated asks the gate about requests that were not read as a whole, and all while
// there is no overload yet. It comes before everything, authentication included.
func (s *Server) gated(next http.Handler) http.Handler {
	if s.gate == nil {
		return next
	}
	before, after := overloadedAnswer()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, known := r.Context().Value(gateConnKey{}).(*gateConn)
		if !known || !c.unjudged || r.URL.Path == healthPath || s.gate.admits(c.count, c.waited) {
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
