package httpload

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"embedseal/adapters/internal/arrival"
)

var errUnasked = errors.New("an answer to nothing")

// worker has one connection at a time, and reads what is answered on it.
type worker struct {
	run      *run
	in       *bufio.Reader
	arrivals *arrival.Reader // nil where nobody says when an answer came in
	tally    tally

	mu   sync.Mutex // conn is closed by the watch, too
	conn net.Conn
	// due is when the request under way was due, offered when this program came to it, and
	// since when it was sent, plus one; 0 when there is none. All are nanoseconds since
	// the begin.
	due, offered, since atomic.Int64

	accepted, refused, failed atomic.Int64
}

func (w *worker) work(ctx context.Context) {
	if w.run.line == nil {
		w.loop(ctx)
	} else {
		w.follow(ctx)
	}
}

// loop is a closed loop.
func (w *worker) loop(ctx context.Context) {
	most := w.run.cfg.Requests
	for !w.run.over(ctx) {
		if most > 0 && w.run.asked.Add(1) > most {
			return
		}
		if w.conn == nil {
			if err := w.connect(ctx); err != nil {
				w.fail(err)
				time.Sleep(pause)
				continue
			}
		}
		now := time.Since(w.run.begin)
		w.begin(moment{now, now})
		w.send()
		if a, err := receive(w.in); err != nil {
			w.lose(ctx, err)
		} else {
			w.answered(a)
		}
	}
}

// follow is a part of an open loop: it reads the answers to what the pace sends on its
// connection while that is free, and sends itself what waits for one.
func (w *worker) follow(ctx context.Context) {
	line := w.run.line
	for free := w.conn != nil; ; free = false {
		if w.conn == nil && !w.reconnect(ctx) {
			return
		}
		if !free {
			asked, next, over := line.freed(w, w.run.over(ctx))
			if over {
				return
			}
			if next {
				w.begin(asked)
				w.send()
			}
		}
		a, err := receive(w.in)
		if err == nil && w.since.Load() != 0 {
			w.answered(a)
			continue
		}
		line.withdraw(w)
		if err == nil {
			err = errUnasked
		}
		if !w.lose(ctx, err) && !line.over() { // a server that closes what is free is not to be stormed
			time.Sleep(pause)
		}
	}
}

// reconnect tries until it has a connection, or nothing more is to be sent. A request
// that waits meanwhile has failed with each try that did.
func (w *worker) reconnect(ctx context.Context) bool {
	for !w.run.over(ctx) && !w.run.line.over() {
		err := w.connect(ctx)
		if err == nil {
			return true
		}
		if w.run.line.abandoned() {
			w.fail(err)
		}
		time.Sleep(pause)
	}
	return false
}

// begin says that a request is under way.
func (w *worker) begin(m moment) {
	w.due.Store(int64(m.due))
	w.offered.Store(int64(m.offered))
	w.since.Store(int64(time.Since(w.run.begin)) + 1)
}

func (w *worker) send() {
	_, _ = w.conn.Write(w.run.next()) // when that fails there is no answer
}

// answered counts an answer. It took until it came in, and not until this program had a
// processor to look at it.
func (w *worker) answered(a answer) {
	now := time.Now()
	took := now.Sub(w.run.begin) - time.Duration(w.due.Load())
	w.since.Store(0)
	if w.arrivals != nil && w.arrivals.At() != 0 {
		if unread := time.Duration(now.UnixNano() - w.arrivals.At()); unread > 0 && unread < took { // the clock may be set
			took -= unread
		}
	}
	if w.tally.count(a, took, time.Duration(w.offered.Load()-w.due.Load())) {
		w.accepted.Add(1)
	} else {
		w.refused.Add(1)
	}
	if a.close {
		w.close()
	}
}

// lose closes the connection, and counts the request that was under way, if there was
// one and it was not us who gave up.
func (w *worker) lose(ctx context.Context, err error) (underWay bool) {
	underWay = w.since.Swap(0) != 0
	if underWay && ctx.Err() == nil {
		w.fail(err)
	}
	w.close()
	return underWay
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
	from := io.Reader(conn)
	if w.run.cfg.Rate > 0 { // a closed loop asks how many, and costs as little as it can
		w.arrivals = arrival.New(conn, nil)
	}
	if w.arrivals != nil {
		from = w.arrivals
	}
	if w.in == nil {
		w.in = bufio.NewReaderSize(from, 4<<10)
	} else {
		w.in.Reset(from)
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

// leave ends the wait for a request of a connection that is free.
func (w *worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetReadDeadline(time.Now())
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
