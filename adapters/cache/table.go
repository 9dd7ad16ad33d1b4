package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"embedseal/domain/group"
	"embedseal/ports"
)

const (
	// retryEvery is how often a store that is away is asked again.
	retryEvery = time.Second
	// fetchTimeout bounds one question to the store, whoever waits for it;
	// refreshTimeout one whose last answer can be given instead.
	fetchTimeout   = 5 * time.Second
	refreshTimeout = 2 * time.Second
	// negativeFor and maxNegative bound what is kept of "not found".
	negativeFor = time.Second
	maxNegative = 1024
	// awayFor is how long after a question that went unanswered the store counts
	// as away: until the next one, begun retryEvery later, must have ended.
	awayFor = retryEvery + refreshTimeout + retryEvery/10
	// maxUnknown is how many questions about groups of which nothing is known may
	// be under way, and queueFor how long one more waits for its turn: strangers
	// invent names, and Vault may hang.
	maxUnknown = 64
	queueFor   = 250 * time.Millisecond
)

// errBusy is the answer to one question too many.
var errBusy = fmt.Errorf("cache: too many groups are being asked for: %w", ports.ErrUnavailable)

// table keeps one kind of value, by group, for a time.
type table[V any] struct {
	fetch func(context.Context, group.ID) (V, error)
	cfg   RemoteConfig
	clock ports.Clock

	counters counters

	mu        sync.RWMutex
	rows      map[group.ID]*row[V]
	negatives int
	swept     time.Time // when old negatives were last removed
	// slots holds one item for each question under way about a group of which
	// nothing is known.
	slots chan struct{}
}

// row is what is known of one group. It outlives an invalidation, for the
// sake of its generation.
type row[V any] struct {
	generation uint64
	// writes is how many writes of this process are under way, and missed says
	// that an answer came during one.
	writes int
	missed bool
	// known says that value is one, negative that the store said "not found".
	known, negative bool
	value           V
	// asked is when the question was asked that value (or negative) answers.
	asked time.Time
	// away says that the last question went unanswered, at tried.
	away   bool
	tried  time.Time
	flight *flight[V]
}

// flight is one question under way.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func newTable[V any](cfg RemoteConfig, clock ports.Clock,
	fetch func(context.Context, group.ID) (V, error)) *table[V] {
	return &table[V]{
		fetch: fetch, cfg: cfg, clock: clock,
		rows: make(map[group.ID]*row[V]), slots: make(chan struct{}, maxUnknown),
	}
}

// get answers from what is known, as far as the configuration allows, or asks.
func (t *table[V]) get(ctx context.Context, id group.ID) (V, error) {
	if err := ctx.Err(); err != nil {
		var none V
		return none, err
	}
	if value, ok := t.fresh(id); ok {
		return value, nil
	}
	return t.slow(ctx, id)
}

// fresh is a value that needs no refresh yet.
func (t *table[V]) fresh(id group.ID) (V, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.rows[id]; e != nil && e.known && t.clock.Now().Sub(e.asked) < t.cfg.FreshFor/2 {
		t.counters.hits.Add(1)
		return e.value, true
	}
	var none V
	return none, false
}

// size is how many groups are known.
func (t *table[V]) size() (known int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range t.rows {
		if e.known {
			known++
		}
	}
	return known
}

func (t *table[V]) slow(ctx context.Context, id group.ID) (V, error) {
	var none V
	slot, busy := false, error(nil)
	for {
		now := t.clock.Now()
		t.mu.Lock()
		e := t.row(id)
		value, known, err := t.answer(id, e, now)
		if !known && !e.known && e.flight == nil && !slot {
			t.drop(id, e)
			t.mu.Unlock()
			if busy != nil {
				return none, busy
			}
			// When it waited in vain, somebody else may have asked by now.
			busy = t.queue(ctx)
			slot = busy == nil
			continue
		}
		var f *flight[V]
		if !known {
			taken := slot && e.flight == nil && !e.known
			f = t.begin(id, e, now, taken)
			slot = slot && !taken
		}
		t.mu.Unlock()
		if slot {
			<-t.slots
		}
		if known {
			return value, err
		}
		return t.await(ctx, id, f)
	}
}

// answer is what is known of id and may be given now, if anything. The lock is
// held.
func (t *table[V]) answer(id group.ID, e *row[V], now time.Time) (value V, known bool, err error) {
	age := now.Sub(e.asked)
	switch {
	case e.known && (age < t.cfg.FreshFor || e.away && now.Sub(e.tried) < awayFor && age < t.cfg.FreshFor+t.cfg.Grace):
		// Fresh but past half its time, or stale and asked for in vain a moment ago:
		// nobody waits for the refresh.
		if !e.away || now.Sub(e.tried) >= retryEvery {
			t.begin(id, e, now, false)
		}
		if age < t.cfg.FreshFor {
			t.counters.hits.Add(1)
		} else {
			t.counters.stale.Add(1)
		}
		return e.value, true, nil
	case e.negative && age < min(negativeFor, t.cfg.FreshFor):
		return value, true, ports.ErrNotFound
	}
	return value, false, nil
}

// queue waits for the turn of a question about a group of which nothing is known.
func (t *table[V]) queue(ctx context.Context) error {
	select {
	case t.slots <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(queueFor)
	defer patience.Stop()
	select {
	case t.slots <- struct{}{}:
		return nil
	case <-patience.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await is the answer of a question, or what may be served in its place.
func (t *table[V]) await(ctx context.Context, id group.ID, f *flight[V]) (V, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
	if f.err != nil && unanswered(f.err) {
		if value, ok := t.stale(id); ok {
			return value, nil
		}
	}
	return f.value, f.err
}

// knows reports whether get would answer, or would if the store did not.
func (t *table[V]) knows(id group.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.rows[id]
	return e != nil && (e.known || e.negative && t.clock.Now().Sub(e.asked) < min(negativeFor, t.cfg.FreshFor))
}

// renew sets off a refresh of a value that is known and no longer fresh, and
// waits for nothing. It reports whether that is so.
func (t *table[V]) renew(id group.ID) bool {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.rows[id]
	if e == nil || !e.known || now.Sub(e.asked) < t.cfg.FreshFor {
		return false
	}
	if !e.away || now.Sub(e.tried) >= retryEvery {
		t.begin(id, e, now, false)
	}
	return true
}

// stale is a value that may still be served while the store is away.
func (t *table[V]) stale(id group.ID) (V, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.rows[id]
	if e == nil || !e.known || t.clock.Now().Sub(e.asked) >= t.cfg.FreshFor+t.cfg.Grace {
		var none V
		return none, false
	}
	t.counters.stale.Add(1)
	return e.value, true
}

// lastsUntil is when each value of use becomes too old to be served while the
// store is away.
func (t *table[V]) lastsUntil(useful func(V) bool) map[group.ID]time.Time {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ends := make(map[group.ID]time.Time, len(t.rows))
	for id, e := range t.rows {
		if e.known && useful(e.value) {
			ends[id] = e.asked.Add(t.cfg.FreshFor + t.cfg.Grace)
		}
	}
	return ends
}

// row returns what is known of id. The lock is held.
func (t *table[V]) row(id group.ID) *row[V] {
	e := t.rows[id]
	if e == nil {
		e = &row[V]{}
		t.rows[kept(id)] = e
	}
	return e
}

// begin asks the store, unless that is being done. The lock is held. The
// question is nobody's: one caller who gives up does not end it for the others. It
// gives back the slot that it was given.
func (t *table[V]) begin(id group.ID, e *row[V], now time.Time, slot bool) *flight[V] {
	if e.flight != nil {
		return e.flight
	}
	t.counters.asked.Add(1)
	f := &flight[V]{done: make(chan struct{})}
	e.flight = f
	generation, limit := e.generation, fetchTimeout
	if e.known && now.Sub(e.asked) < t.cfg.FreshFor+t.cfg.Grace {
		limit = refreshTimeout
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		f.value, f.err = t.fetch(ctx, id)
		t.land(id, generation, f, now)
		close(f.done)
		if slot {
			<-t.slots
		}
	}()
	return f
}

// land keeps the answer, unless there was an invalidation since the question:
// then it may be what was there before.
func (t *table[V]) land(id group.ID, generation uint64, f *flight[V], asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.rows[id]
	if e == nil || e.generation != generation {
		return
	}
	e.flight = nil
	switch {
	case e.writes > 0 && (f.err == nil || !unanswered(f.err)):
		// It may be newer or older than what is being written: the end of the write
		// asks again.
		e.missed = true
		return
	case f.err == nil:
		t.forget(e)
		e.known, e.value, e.asked, e.away = true, f.value, asked, false
	case f.err != nil && unanswered(f.err):
		e.away, e.tried = true, t.clock.Now()
	default:
		t.forget(e)
		e.away = false
		if errors.Is(f.err, ports.ErrNotFound) && t.room(asked) {
			e.negative, e.asked = true, asked
			t.negatives++
		}
	}
	t.drop(id, e)
}

// drop removes a row that says nothing. The lock is held.
func (t *table[V]) drop(id group.ID, e *row[V]) {
	if !e.known && !e.negative && e.generation == 0 && e.writes == 0 && e.flight == nil {
		delete(t.rows, id)
	}
}

// room reports whether another "not found" may be kept, and removes those that
// are of no use any more when there are many. The lock is held.
func (t *table[V]) room(now time.Time) bool {
	if t.negatives < maxNegative {
		return true
	}
	if now.Sub(t.swept) < negativeFor {
		return false
	}
	t.swept = now
	for id, e := range t.rows {
		if e.negative && now.Sub(e.asked) >= negativeFor {
			t.forget(e)
			t.drop(id, e)
		}
	}
	return t.negatives < maxNegative
}

// forget drops the value. The lock is held.
func (t *table[V]) forget(e *row[V]) {
	if e.negative {
		t.negatives--
	}
	var none V
	e.known, e.negative, e.value = false, false, none
}

// writing is called before a write of this process, and what it returns after
// it, with what was written (nil where that is not known, or is nothing) and
// what the store answered. Questions under way no longer count.
//
// What was written is known from then on, unless two writes overlapped: then
// only the store knows which came last. After a write that failed the last
// answer counts as just too old, so that it is given only when the store was
// asked in vain: with an unknown outcome only a read can tell.
func (t *table[V]) writing(id group.ID) (done func(written *V, err error)) {
	begun := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.row(id)
	e.writes++
	alone, generation := e.writes == 1, e.generation
	return func(written *V, err error) {
		now := t.clock.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		alone = alone && e.writes == 1 && e.generation == generation
		e.writes--
		e.generation++
		e.flight, e.away = nil, false
		missed := e.missed
		e.missed = e.missed && e.writes > 0
		switch done := err == nil || errors.Is(err, ports.ErrNotPurged); {
		case done && written != nil && alone:
			t.forget(e)
			e.known, e.value, e.asked = true, *written, begun
			if missed {
				t.begin(id, e, now, false)
			}
			return
		case done || e.negative:
			t.forget(e)
		default:
			if old := now.Add(-t.cfg.FreshFor); e.known && e.asked.After(old) {
				e.asked = old
			}
		}
		t.begin(id, e, now, false)
	}
}

// unanswered says that the store said nothing about the record.
func unanswered(err error) bool {
	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrUnknownOutcome) ||
		errors.Is(err, context.DeadlineExceeded)
}

// kept is an id to keep. The one that somebody asks with may be a part of a whole
// request, which would be kept with it.
func kept(id group.ID) group.ID { return group.ID(strings.Clone(string(id))) }
