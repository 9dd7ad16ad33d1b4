package httpload

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// worker has one connection at a time.
type worker struct {
	run   *run
	in    *bufio.Reader
	tally tally

	mu   sync.Mutex // conn is closed by the watch, too
	conn net.Conn
	// since is when the request under way was sent, in nanoseconds since the
	// begin, plus one; 0 when there is none.
	since atomic.Int64

	accepted, refused, failed atomic.Int64
}

func (w *worker) work(ctx context.Context) {
	if w.run.due == nil {
		w.loop(ctx)
		return
	}
	for due := range w.run.due {
		if w.run.over(ctx) {
			w.tally.unsent++
			continue
		}
		w.once(ctx, due)
	}
}

// loop is a closed loop.
func (w *worker) loop(ctx context.Context) {
	most := w.run.cfg.Requests
	for !w.run.over(ctx) {
		if most > 0 && w.run.asked.Add(1) > most {
			return
		}
		w.once(ctx, time.Since(w.run.begin))
	}
}

// once sends one request that was due at that time since the begin, and counts
// what came of it.
func (w *worker) once(ctx context.Context, due time.Duration) {
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			w.fail(err)
			time.Sleep(pause)
			return
		}
	}
	w.since.Store(int64(time.Since(w.run.begin)) + 1)
	a, err := exchange(w.conn, w.in, w.run.cfg.Request)
	w.since.Store(0)
	if err != nil {
		w.close()
		if ctx.Err() == nil { // otherwise it was us who gave up
			w.fail(err)
		}
		return
	}
	if w.tally.count(a, time.Since(w.run.begin)-due) {
		w.accepted.Add(1)
	} else {
		w.refused.Add(1)
	}
	if a.close {
		w.close()
	}
}

func (w *worker) fail(err error) {
	w.failed.Add(1)
	w.tally.failed++
	if w.tally.failure == nil {
		w.tally.failure = err
	}
}

func (w *worker) connect(ctx context.Context) error {
	conn, err := w.run.cfg.Dial(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.conn = conn
	w.mu.Unlock()
	if w.in == nil {
		w.in = bufio.NewReaderSize(conn, 4<<10)
	} else {
		w.in.Reset(conn)
	}
	return nil
}

func (w *worker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// giveUp ends a wait that is too long, or any once all is over.
func (w *worker) giveUp(now time.Duration, ended bool) {
	since := w.since.Load()
	if since == 0 || !ended && now-time.Duration(since) < w.run.cfg.Timeout {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetDeadline(time.Now()) // the worker closes it
	}
}
