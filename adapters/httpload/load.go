// Package httpload answers: how many requests a second does an HTTP server
// answer, and how long does each take?
//
// It sends prebuilt requests, mostly one, over many connections, in one of two ways.
// A closed loop sends the next as soon as the last was answered: it finds what a
// server can do at most. An open loop sends at a rate that does not depend on the
// answers, as callers do who know nothing of one another, and counts from the
// moment a request was due: a server that stalls is charged for what waited
// meanwhile. It counts to the moment at which the kernel had the answer, where that says
// so (Linux, without TLS): this program is not, for having been busy with others.
//
// # Caveats
//
// The client reads as much of HTTP/1.1 as it needs to tell one answer from the
// next, so that it costs little beside a server on the same machine. It follows
// no redirect. Requests are small: one that does not fit into what the kernel keeps for a
// connection holds up an open loop.
package httpload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config is one run. Either Duration or Requests, or both, must be above zero.
type Config struct {
	// Dial opens a connection to the server.
	Dial func(context.Context) (net.Conn, error)
	// Request is the whole request, header and body: see [Post].
	Request []byte
	// Others are sent as well, each in its turn.
	Others [][]byte
	// Connections is how many requests can be under way at once; at least 1.
	Connections int
	// Rate is how many requests a second are offered; 0 is a closed loop.
	Rate float64
	// Duration and Requests end the run, whichever is reached first.
	Duration time.Duration
	Requests int64
	// Timeout is how long an answer may take; 0 means 30 s. A connection that waits
	// longer is given up, and the request counts as failed.
	Timeout time.Duration
	// Watch is called once a second while it runs; nil is not.
	Watch func(Progress)
}

// Progress is what was done so far.
type Progress struct {
	Elapsed                   time.Duration
	Accepted, Refused, Failed int64
}

const (
	defaultTimeout = 30 * time.Second
	// pause is between two tries to connect.
	pause = 50 * time.Millisecond
)

// Run sends until the run ends or ctx is done, which is no error: what was
// answered until then counts. The error says that the configuration is none, or
// that the first connection could not be opened.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Connections < 1 || cfg.Duration <= 0 && cfg.Requests <= 0 || len(cfg.Request) == 0 || cfg.Dial == nil {
		return Result{}, errors.New("httpload: a run needs a server, a request, a connection and an end")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	r := &run{cfg: cfg, workers: make([]*worker, cfg.Connections), stop: make(chan struct{})}
	r.requests = append([][]byte{cfg.Request}, cfg.Others...)
	for i := range r.workers {
		r.workers[i] = &worker{run: r}
	}
	if err := r.connect(ctx); err != nil {
		return Result{}, err
	}
	return r.do(ctx), nil
}

// run is one run while it runs.
type run struct {
	cfg      Config
	workers  []*worker
	requests [][]byte
	sent     atomic.Uint64
	begin    time.Time
	// asked counts the requests of a closed loop, if they are bounded.
	asked atomic.Int64
	line  *line // nil for a closed loop
	late  Histogram
	ended atomic.Bool
	stop  chan struct{}
}

// connect opens every connection before the clock starts. Only the first must
// succeed: a server may take fewer than it is offered.
func (r *run) connect(ctx context.Context) error {
	for i, w := range r.workers {
		if err := w.connect(ctx); err != nil && i == 0 {
			return fmt.Errorf("httpload: connect: %w", err)
		}
	}
	return nil
}

func (r *run) do(ctx context.Context) Result {
	if r.cfg.Rate > 0 {
		r.line = newLine(r.workers)
	}
	r.begin = time.Now()
	var working, helping sync.WaitGroup
	for _, w := range r.workers {
		working.Go(func() { w.work(ctx) })
	}
	helping.Go(func() { r.watch(ctx) })
	if r.line != nil {
		helping.Go(func() { r.pace(ctx) })
	}
	working.Wait()
	elapsed := time.Since(r.begin)
	close(r.stop)
	helping.Wait()
	result := Result{Elapsed: elapsed, Codes: map[string]int64{}, Late: r.late}
	if r.line != nil {
		result.Unsent = r.line.unsent
	}
	for _, w := range r.workers {
		w.close()
		result.add(&w.tally)
	}
	return result
}

// over says whether nothing more may be sent.
func (r *run) over(ctx context.Context) bool {
	return ctx.Err() != nil || r.cfg.Duration > 0 && time.Since(r.begin) >= r.cfg.Duration
}

// next is the request whose turn it is.
func (r *run) next() []byte {
	if len(r.requests) == 1 {
		return r.requests[0]
	}
	return r.requests[(r.sent.Add(1)-1)%uint64(len(r.requests))]
}

// pace sends each request of an open loop when it is due, at even distances, if a
// connection is free. It has a thread of its own, whose sleep is finer than that of the
// scheduler.
func (r *run) pace(ctx context.Context) {
	drop := true
	defer func() { r.line.end(drop) }()
	precise()
	for k := int64(0); r.cfg.Requests <= 0 || k < r.cfg.Requests; {
		due := time.Duration(float64(k) / r.cfg.Rate * float64(time.Second))
		if ctx.Err() != nil || r.cfg.Duration > 0 && due >= r.cfg.Duration {
			return
		}
		now := time.Since(r.begin)
		if wait := due - now; wait > 0 {
			nap(min(wait, pause))
			continue
		}
		r.late.Record(now - due)
		if conn := r.line.offer(moment{due, now}); conn != nil {
			_, _ = conn.Write(r.next()) // its worker sees that there is no answer
		}
		k++
	}
	drop = false
}

// watch gives up connections that wait too long, and tells of the progress.
func (r *run) watch(ctx context.Context) {
	const often = 20 * time.Millisecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	told := time.Duration(0)
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		}
		elapsed := time.Since(r.begin)
		if ctx.Err() != nil {
			r.ended.Store(true)
		}
		for _, w := range r.workers {
			w.giveUp(elapsed, r.ended.Load())
		}
		if r.cfg.Watch != nil && elapsed-told >= time.Second {
			told = elapsed
			r.cfg.Watch(r.progress(elapsed))
		}
	}
}

func (r *run) progress(elapsed time.Duration) Progress {
	p := Progress{Elapsed: elapsed}
	for _, w := range r.workers {
		p.Accepted += w.accepted.Load()
		p.Refused += w.refused.Load()
		p.Failed += w.failed.Load()
	}
	return p
}
