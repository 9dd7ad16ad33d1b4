package auditlog

import (
	"errors"
	"iter"
	"runtime"
	"sync"

	"embedseal/domain/audit"
)

// queue brings together the records that are asked for while another is written.
type queue struct {
	mu sync.Mutex
	// open is the group that records join; nil when the next begins one.
	open *group
	// spare is a group that nobody needs any more.
	spare *group
}

// group is records that go into the file in one write: all of them stand there, or
// none was acknowledged. Whoever begins it writes it, the others wait.
type group struct {
	// text has the records as appendEvent writes them, one after the other, ends
	// where each of them ends.
	text []byte
	ends []int
	// changes says that one of them must be on the disk.
	changes bool
	// done is closed when they were written, or not; nil while there is one record.
	done chan struct{}
	// seq is the number of the last of them, zero for records that have none.
	seq uint64
	err error
}

// join adds a record to the group that is open. begun says that it is the first, and
// whoever asked has to write the group.
func (q *queue) join(e *audit.Event) (g *group, begun bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		begun = true
		if q.open, q.spare = q.spare, nil; q.open == nil {
			q.open = &group{}
		}
	} else if q.open.done == nil {
		q.open.done = make(chan struct{})
	}
	g = q.open
	g.text = appendEvent(g.text, e)
	g.ends = append(g.ends, len(g.text))
	g.changes = g.changes || e.Action.Changes()
	return g, begun
}

// all are the records of a group; none of nil.
func (g *group) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if g == nil {
			return
		}
		start := 0
		for _, end := range g.ends {
			if !yield(g.text[start:end]) {
				return
			}
			start = end
		}
	}
}

// close ends the time in which records join the group that is open.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = nil
}

// maxSpare is the most text that a group may have had room for to be used again.
const maxSpare = 1 << 20

// free takes a group that nobody reads any more.
func (q *queue) free(g *group) {
	if cap(g.text) > maxSpare {
		return
	}
	next := g
	if g.done != nil { // those who waited look at what came of it still
		next = &group{}
	}
	*next = group{text: g.text[:0], ends: g.ends[:0]}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = next
}

// write is Record without the disk. It returns the number of the record, or of one
// that was written with it; zero for one that has none, and is on the disk if it
// must be.
func (l *Log) write(e *audit.Event) (uint64, error) {
	g, begun := l.queue.join(e)
	if !begun {
		<-g.done
		return g.seq, g.err
	}
	// Requests that are ready to go on come to their records meanwhile, and a hundred
	// of them cost one write. Where there are none this returns at once.
	runtime.Gosched()
	defer l.queue.free(g)
	l.lead(g)
	return g.seq, g.err
}

// errBroken is of a write that panicked.
var errBroken = errors.New("auditlog: the write did not come to its end")

// lead writes a group, and tells those who wait for it.
func (l *Log) lead(g *group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue.close()
	g.err = errBroken
	defer func() {
		if g.done != nil {
			close(g.done)
		}
	}()
	g.seq, g.err = l.writeGroup(g)
}
