package auditlog

import (
	"errors"
	"iter"
	"runtime"
	"sync"

	"embedseal/domain/audit"
)

// queue brings together the records that are asked for while others are written. A
// write costs about as much for ten records as for one, and whoever waits for its
// lock costs more than either: so nobody waits for it. One writes; who comes
// meanwhile joins the group that is written next, by the first of them.
type queue struct {
	mu sync.Mutex
	// writing says that a group is being written, or that somebody was told to.
	writing bool
	// open is the group that is written next; nil when nobody waits.
	open *group
	// spare are groups that nobody needs any more. There are no more than two at once:
	// one that is written, and one that comes together meanwhile.
	spare []*group
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
	// turn is closed when the group is to be written; nil for one that need not wait.
	turn chan struct{}
	// done is closed when it was written, or not; nil while there is one record.
	done chan struct{}
	// seq is the number of the last of them, zero for records that have none.
	seq uint64
	err error
}

// join adds a record to a group. begun says that it is the first, and whoever asked
// has to write the group when its turn has come.
func (q *queue) join(e *audit.Event) (g *group, begun bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.writing:
		q.writing, begun = true, true
		g = q.fresh()
	case q.open == nil:
		begun = true
		g = q.fresh()
		g.turn, q.open = make(chan struct{}), g
	default:
		g = q.open
		if g.done == nil {
			g.done = make(chan struct{})
		}
	}
	g.text = appendEvent(g.text, e)
	g.ends = append(g.ends, len(g.text))
	g.changes = g.changes || e.Action.Changes()
	return g, begun
}

// fresh is a group without records. The lock is held.
func (q *queue) fresh() *group {
	last := len(q.spare) - 1
	if last < 0 {
		return &group{}
	}
	g := q.spare[last]
	q.spare = q.spare[:last]
	return g
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

// take ends the time in which records join a group.
func (q *queue) take(g *group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == g {
		q.open = nil
	}
}

// maxSpare is the most text that a group may have had room for to be used again.
const maxSpare = 1 << 20

// next lets the group be written that has come together meanwhile. g is the one that
// was written.
func (q *queue) next(g *group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open != nil {
		close(q.open.turn)
	} else {
		q.writing = false
	}
	if cap(g.text) > maxSpare {
		return
	}
	if g.turn != nil { // those who waited look at what came of it still
		g = &group{text: g.text, ends: g.ends}
	}
	*g = group{text: g.text[:0], ends: g.ends[:0]}
	q.spare = append(q.spare, g)
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
	if g.turn != nil {
		<-g.turn
		runtime.Gosched() // whoever is as good as there comes along
	}
	return l.lead(g)
}

// errBroken is of a write that panicked.
var errBroken = errors.New("auditlog: the write did not come to its end")

// lead writes a group, tells those who wait for it, and lets the next one begin.
func (l *Log) lead(g *group) (uint64, error) {
	defer l.queue.next(g)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue.take(g)
	g.err = errBroken
	defer func() {
		if g.done != nil {
			close(g.done)
		}
	}()
	g.seq, g.err = l.writeGroup(g)
	return g.seq, g.err
}
