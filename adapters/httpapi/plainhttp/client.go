package plainhttp

import (
	"context"
	"net"
	"sync"
	"time"
)

// client is the context of a connection's requests, one after the other: it ends with
// the handler, or when the client leaves before. Nobody looks for a client that
// leaves until somebody waits for it, since looking costs another read, and a
// goroutine for it.
type client struct {
	conn net.Conn

	mu sync.Mutex
	// serving is true while a handler runs.
	serving bool
	// watch is nil while nobody waits.
	watch  context.Context //nolint:containedctx // it is one
	cancel context.CancelFunc
	// watched is closed when no more is read for it; early is what came meanwhile: the
	// first byte of the next request.
	watched chan struct{}
	early   []byte
}

// begin lets a request begin.
func (c *client) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = true
}

// end lets it end. watched says that the deadlines of the connection were changed, and
// early is what was read ahead.
func (c *client) end() (early []byte, watched bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
	if c.watch == nil {
		return nil, false
	}
	c.cancel()
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // whoever reads returns at once
	<-c.watched
	early = c.early
	c.watch, c.cancel, c.watched, c.early = nil, nil, nil, nil
	return early, true
}

// Done implements [context.Context].
func (c *client) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.serving {
		return over.Done()
	}
	if c.watch == nil {
		c.watch, c.cancel = context.WithCancel(context.Background())
		c.watched = make(chan struct{})
		_ = c.conn.SetReadDeadline(time.Time{})
		go c.look(c.cancel, c.watched)
	}
	return c.watch.Done()
}

// look reads until the client leaves, or sends more, or the request ends.
func (c *client) look(left context.CancelFunc, watched chan<- struct{}) {
	defer close(watched)
	var one [1]byte
	switch n, err := c.conn.Read(one[:]); {
	case n > 0:
		c.early = one[:] // read by end, after watched was closed
	case err != nil:
		left()
	}
}

// Err implements [context.Context].
func (c *client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.serving:
		return over.Err()
	case c.watch == nil:
		return nil
	}
	return c.watch.Err()
}

// Value implements [context.Context]. With it a context that is made of this one finds
// the one that ends it.
func (c *client) Value(key any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch == nil {
		return nil
	}
	return c.watch.Value(key)
}

// Deadline implements [context.Context]: there is none.
func (*client) Deadline() (time.Time, bool) { return time.Time{}, false }

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
