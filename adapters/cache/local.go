// Package cache keeps what a store has answered, decoded, so that a mint costs no
// disk, no decryption and no call: [Local] for a store of this process alone,
// [Remote] for one that others write to and that may be away.
package cache

import (
	"context"
	"slices"
	"sync"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var (
	_ ports.KeyStore   = (*Local)(nil)
	_ ports.GroupStore = (*Local)(nil)
	_ ports.Knower     = (*Local)(nil)
	_ ports.Viewer     = (*Local)(nil)
	_ ports.Expecter   = (*Local)(nil)
)

// Local decorates stores that no other process writes to, so that nothing ever
// expires: their own writes invalidate. It is both stores at once, because
// making and deleting a group empties its ring too.
//
// While a write is under way nothing is known of its group, and a fill that began
// before its end is dropped: it may hold what was there before, and nobody who
// saw the new record is shown the old one again. An answer "not found" is not
// kept, so that strangers who ask for groups that do not exist fill nothing.
type Local struct {
	keys   ports.KeyStore
	groups ports.GroupStore

	counters counters

	mu      sync.RWMutex
	entries entries
}

// NewLocal returns an empty cache over the two stores.
func NewLocal(keys ports.KeyStore, groups ports.GroupStore) *Local {
	return &Local{keys: keys, groups: groups, entries: newEntries()}
}

// Ring implements ports.KeyStore.
func (l *Local) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if err := ctx.Err(); err != nil {
		return key.Ring{}, err
	}
	known := l.look(g)
	if known.ring.Len() > 0 {
		l.counters.hits.Add(1)
		return known.ring, nil
	}
	l.counters.asked.Add(1)
	r, err := l.keys.Ring(ctx, g)
	if err == nil && r.Len() > 0 {
		l.fill(g, known.generation, func(e *entry) { e.ring = r })
	}
	return r, err
}

// UpdateRing implements ports.KeyStore.
func (l *Local) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	defer l.writing(g)()
	return l.keys.UpdateRing(ctx, g, change)
}

// Group implements ports.GroupStore.
func (l *Local) Group(ctx context.Context, id group.ID) (group.Group, error) {
	g, err := l.View(ctx, id)
	return own(g), err
}

// View implements ports.Viewer.
func (l *Local) View(ctx context.Context, id group.ID) (*group.Group, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known := l.look(id)
	if g := known.view(); g != nil {
		l.counters.hits.Add(1)
		known.fetchRest()
		return g, nil
	}
	l.counters.asked.Add(1)
	g, err := l.groups.Group(ctx, id)
	if err == nil {
		l.fill(id, known.generation, func(e *entry) { e.known, e.group = true, g })
	}
	return &g, err
}

// Knows implements ports.Knower.
func (l *Local) Knows(id group.ID) bool {
	return l.look(id).view() != nil
}

// Expect implements ports.Expecter. While somebody writes nothing is fetched.
func (l *Local) Expect(id group.ID) {
	if l.mu.TryRLock() {
		defer l.mu.RUnlock()
		l.entries.expected(hashOf(id)).fetch()
	}
}

// Groups implements ports.GroupStore.
func (l *Local) Groups(ctx context.Context) ([]group.ID, error) { return l.groups.Groups(ctx) }

// CreateGroup implements ports.GroupStore.
func (l *Local) CreateGroup(ctx context.Context, g group.Group) error {
	defer l.writing(g.ID)()
	return l.groups.CreateGroup(ctx, g)
}

// UpdateGroup implements ports.GroupStore.
func (l *Local) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	defer l.writing(id)()
	return l.groups.UpdateGroup(ctx, id, change)
}

// DeleteGroup implements ports.GroupStore.
func (l *Local) DeleteGroup(ctx context.Context, id group.ID) error {
	defer l.writing(id)()
	return l.groups.DeleteGroup(ctx, id)
}

// own is a copy that is the caller's to keep; the zero group where there is none.
func own(g *group.Group) group.Group {
	if g == nil {
		return group.Group{}
	}
	mine := *g
	mine.Tokens = slices.Clone(g.Tokens)
	return mine
}

// look returns what is known, with the generation that a fill must name.
func (l *Local) look(g group.ID) *entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.entries.find(g)
}

// fill puts what was read into an entry of that generation.
func (l *Local) fill(g group.ID, generation uint64, put func(*entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := *l.entries.find(g)
	if next.generation != generation || next.writes > 0 {
		return
	}
	put(&next)
	l.entries.put(g, next)
}

// writing forgets the group for as long as a write takes. The returned func
// runs after it, whatever came of it: with an unknown outcome only a read can
// tell.
func (l *Local) writing(g group.ID) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries.find(g)
	l.entries.put(g, entry{generation: e.generation, writes: e.writes + 1})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		e := l.entries.find(g)
		l.entries.put(g, entry{generation: e.generation + 1, writes: e.writes - 1})
	}
}
