package plainhttp

import (
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// maxRequest is the largest plain request with its header, in bytes.
	maxRequest = 4 << 10
	// A request may come in so many pieces, each within so much time: one that is
	// slower is left to net/http, which knows how long it may take.
	maxPieces = 4
	patience  = 100 * time.Millisecond
	// maxKept is the largest answer whose memory is kept for the next, in bytes.
	maxKept = 16 << 10
)

// What a connection does, for those who want to end it.
const (
	idle  int32 = iota // no request has begun
	busy               // one is being read or answered
	last               // the same, and the connection ends with the answer
	ended              // closed, or about to be
)

// conn is one connection. Only its own goroutine touches it, but for state.
type conn struct {
	net.Conn
	from  *splitter
	state atomic.Int32
	// buffer has, up to used, what was read and not answered.
	buffer []byte
	used   int
	in     incoming
	out    response
	client client
	// renew is when the deadlines of the connection have to be set anew.
	renew time.Time
	// handed is true once net/http has the connection.
	handed bool
}

func newConn(accepted net.Conn, from *splitter) *conn {
	c := &conn{Conn: accepted, from: from, buffer: make([]byte, maxRequest)}
	c.client.conn = accepted
	c.in.prepare(&c.client, accepted.RemoteAddr())
	c.out.header = make(http.Header, 8)
	return c
}

// serve answers requests until the connection ends, or something comes that is not
// plain.
func (c *conn) serve() {
	defer c.from.server.remove(c)
	defer c.finished()
	// Who says nothing has as long as net/http gives a header.
	_ = c.SetReadDeadline(time.Now().Add(c.from.server.HTTP.ReadHeaderTimeout))
	for c.await() && c.state.CompareAndSwap(idle, busy) {
		if c.read() != whole {
			c.handOver()
			return
		}
		if c.keep(time.Now()) != nil { // the time to take this answer
			return
		}
		now, more := c.answer()
		if !more || !c.state.CompareAndSwap(busy, idle) || c.keep(now) != nil {
			return
		}
	}
}

// finished closes the connection, unless net/http has it now, also when a handler
// panicked. The panic that means just that is not logged; of others the type is, since
// their value can hold anything.
func (c *conn) finished() {
	what := recover()
	if c.handed {
		return
	}
	_ = c.Close()
	c.client.end()
	if what != nil && what != http.ErrAbortHandler { //nolint:errorlint // documented to be this very value
		c.from.server.logf("plainhttp: panic of a handler: %T\n%s", what, debug.Stack())
	}
}

// await waits for the beginning of a request, and says whether it came.
func (c *conn) await() bool {
	if c.used == 0 { // else it came early
		c.used, _ = c.Read(c.buffer)
	}
	return c.used > 0
}

// keep gives the connection its time to be idle, and to take an answer. To do so for
// each request would cost more than to read it, so there is a quarter more, within
// which nothing needs to be done.
func (c *conn) keep(now time.Time) error {
	if now.Before(c.renew) {
		return nil
	}
	to := c.from.server.HTTP
	spare := min(to.IdleTimeout, to.WriteTimeout) / 4
	c.renew = now.Add(spare)
	if err := c.SetReadDeadline(now.Add(to.IdleTimeout + spare)); err != nil {
		return err //nolint:wrapcheck // looked at for nil only
	}
	return c.SetWriteDeadline(now.Add(to.WriteTimeout + spare)) //nolint:wrapcheck // as above
}

// read waits for the rest of a request that has begun. It returns whole or foreign.
func (c *conn) read() verdict {
	for range maxPieces {
		if v := c.in.parse(c.buffer[:c.used], c.from.server.Serves); v != partial {
			return v
		}
		c.renew = time.Time{}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			break
		}
		n, _ := c.Read(c.buffer[c.used:])
		if n == 0 { // the buffer is full, or net/http sees the same, or waits on
			break
		}
		c.used += n
	}
	return foreign
}

// answer answers the request that was read, and says whether there may be another. now
// is the time after it.
func (c *conn) answer() (now time.Time, more bool) {
	s := c.from.server
	c.out.reset()
	if s.Refuse != nil {
		if refusal := s.Refuse(c.Conn, c.out.head); len(refusal) > 0 {
			c.out.head = refusal
			return c.refuse()
		}
	}
	c.in.begin()
	c.client.begin()
	s.HTTP.Handler.ServeHTTP(&c.out, &c.in.Request)
	c.in.end()
	c.used = 0
	if early, asked := c.client.end(); asked {
		c.renew = time.Time{}
		c.used = copy(c.buffer, early)
	}
	now = time.Now()
	text, more := c.out.finish(now, c.state.Load() == last)
	_, err := c.Write(text)
	c.out.release()
	return now, more && err == nil
}

// refuse answers the request that was read without a handler. Others go first then:
// where so many wait that they are refused, the next request is there when the turn
// comes, and reading finds it at once.
func (c *conn) refuse() (now time.Time, more bool) {
	c.in.end()
	c.used = 0
	_, err := c.Write(c.out.head)
	runtime.Gosched()
	return time.Now(), err == nil
}

// handOver gives the connection to net/http.
func (c *conn) handOver() {
	_ = c.SetDeadline(time.Time{}) // net/http sets its own, and finds the error that this had
	to := &Foreign{Conn: c.Conn, read: c.buffer[:c.used]}
	select {
	case c.from.foreign <- to:
		c.handed = true
	case <-c.from.ended:
	}
}
