package cache

import (
	"sync/atomic"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
)

// Counts is what a cache has done since it was made.
type Counts struct {
	// Hits were answered with what is known and fresh; Stale with what is known
	// and too old, as the store is away; Asked are questions to the store.
	Hits, Stale, Asked uint64
	// Groups is how many groups are known now.
	Groups int
}

// counters are the running counts of a cache.
type counters struct{ hits, stale, asked atomic.Uint64 }

func (c *counters) add(to *Counts) {
	to.Hits += c.hits.Load()
	to.Stale += c.stale.Load()
	to.Asked += c.asked.Load()
}

// Counts tells what the cache has done.
func (r *Remote) Counts() Counts {
	c := Counts{Groups: r.known.size()}
	r.known.counters.add(&c)
	r.rings.counters.add(&c)
	return c
}

// Keys is what is known of the keys of one group.
type Keys struct {
	Group string
	// DefaultMade is when its default key was made; zero when it has none.
	DefaultMade time.Time
	// RotationDue is when the next one is to replace it; zero when nobody asked for
	// that, or when it is not known.
	RotationDue time.Time
	// States is how many keys are in each state.
	States map[string]int
}

// Keys is what is known of the keys of each group whose ring is known.
func (r *Remote) Keys(now time.Time) []Keys {
	groups := values(r.known)
	var all []Keys
	for id, ring := range values(r.rings) {
		all = append(all, keysOf(id, ring, groups[id], now))
	}
	return all
}

// values is everything that a table knows.
func values[V any](t *table[V]) map[group.ID]V {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make(map[group.ID]V, len(t.rows))
	for id, e := range t.rows {
		if e.known {
			all[id] = e.value
		}
	}
	return all
}

// Counts tells what the cache has done.
func (l *Local) Counts() Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var c Counts
	l.entries.each(func(e *entry) {
		if e.view() != nil {
			c.Groups++
		}
	})
	l.counters.add(&c)
	return c
}

// Keys is what is known of the keys of each group whose ring is known.
func (l *Local) Keys(now time.Time) []Keys {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Keys
	l.entries.each(func(e *entry) {
		if e.ring.Len() > 0 {
			all = append(all, keysOf(e.name(), e.ring, e.view(), now))
		}
	})
	return all
}

// keysOf tells of a ring, and of its group where that is known.
func keysOf(id group.ID, r key.Ring, g *group.Group, now time.Time) Keys {
	k := Keys{Group: string(id), States: map[string]int{}}
	for _, each := range r.Keys() {
		k.States[each.StateAt(now).String()]++
	}
	first, found := r.Default()
	if !found || first.CreatedAt.IsZero() {
		return k
	}
	k.DefaultMade = first.CreatedAt
	if g != nil && !g.RotateEvery.IsZero() {
		if due, err := g.RotateEvery.AddTo(first.CreatedAt); err == nil { // beyond the year 9999 it is never due
			k.RotationDue = due
		}
	}
	return k
}
