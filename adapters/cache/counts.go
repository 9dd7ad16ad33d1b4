package cache

import (
	"sync/atomic"
	"time"

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

// DefaultKeysMade is when the default key of each group whose ring is known was
// made.
func (r *Remote) DefaultKeysMade() map[string]time.Time {
	t := r.rings
	t.mu.RLock()
	defer t.mu.RUnlock()
	made := map[string]time.Time{}
	for id, e := range t.rows {
		if e.known {
			note(made, string(id), e.value)
		}
	}
	return made
}

// Counts tells what the cache has done.
func (l *Local) Counts() Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var c Counts
	for _, e := range l.entries {
		if e.group != nil {
			c.Groups++
		}
	}
	l.counters.add(&c)
	return c
}

// DefaultKeysMade is when the default key of each group whose ring is known was
// made.
func (l *Local) DefaultKeysMade() map[string]time.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	made := map[string]time.Time{}
	for id, e := range l.entries {
		if e.ring != nil {
			note(made, string(id), *e.ring)
		}
	}
	return made
}

func note(made map[string]time.Time, id string, r key.Ring) {
	if k, found := r.Find(r.DefaultID()); found && !k.CreatedAt.IsZero() {
		made[id] = k.CreatedAt
	}
}
