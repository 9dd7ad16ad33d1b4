package httpload

import (
	"net"
	"sync"
	"time"
)

// backlog bounds the requests of an open loop that are due and wait for a connection.
const backlog = 1 << 16

// line is where the requests that are due and the connections that are free meet: there
// are never both. Each takes turns.
type line struct {
	mu     sync.Mutex
	due    queue[moment]
	free   queue[*worker]
	ended  bool
	unsent int64
}

// newLine begins with the workers that have a connection.
func newLine(workers []*worker) *line {
	l := &line{due: queue[moment]{ring: make([]moment, backlog)}, free: queue[*worker]{ring: make([]*worker, len(workers))}}
	for _, w := range workers {
		if w.conn != nil {
			l.free.push(w)
		}
	}
	return l
}

// moment is when a request of an open loop was due, and when this program came to it.
type moment struct{ due, offered time.Duration }

// offer takes a request that is due, and returns the connection on which it is to be
// sent; nil means that a worker does so later, or nobody. The connection may be closed by
// its worker meanwhile, who then counts the request as failed.
func (l *line) offer(m moment) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w, ok := l.free.pop(); ok {
		w.begin(m)
		return w.conn
	}
	if !l.due.push(m) { // so many wait that it would be late by seconds
		l.unsent++
	}
	return nil
}

// withdraw takes the connection of a worker back, if it is free.
func (l *line) withdraw(w *worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range l.free.size {
		if other, _ := l.free.pop(); other != w {
			l.free.push(other)
		}
	}
}

// abandoned is whether a request waited, which a worker who cannot connect counts as
// failed.
func (l *line) abandoned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.due.pop()
	return found
}

// over says that nothing waits, and nothing will.
func (l *line) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended && l.due.size == 0
}

// freed takes a connection that is free, and says what it is to send next, or that it
// waits for that, or that nothing more will come. late says that it is too late for all
// that is due.
func (l *line) freed(w *worker, late bool) (m moment, next, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if late {
		l.drop()
	}
	if m, next = l.due.pop(); next {
		return m, true, false
	}
	if l.ended {
		return moment{}, false, true
	}
	l.free.push(w)
	return moment{}, false, false
}

// end says that no more is offered. What waits still is not sent if drop says so.
func (l *line) end(drop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if drop {
		l.drop()
	}
	for {
		w, ok := l.free.pop()
		if !ok {
			return
		}
		w.leave()
	}
}

// drop gives up what is due. The lock is held.
func (l *line) drop() {
	l.unsent += int64(l.due.size)
	l.due.first, l.due.size = 0, 0
}

// queue is a ring: first in, first out, up to its length.
type queue[T any] struct {
	ring        []T
	first, size int
}

func (q *queue[T]) push(v T) bool {
	if q.size == len(q.ring) {
		return false
	}
	q.ring[(q.first+q.size)%len(q.ring)] = v
	q.size++
	return true
}

func (q *queue[T]) pop() (v T, ok bool) {
	if q.size == 0 {
		return v, false
	}
	v = q.ring[q.first]
	q.first = (q.first + 1) % len(q.ring)
	q.size--
	return v, true
}
