package cache

import (
	"context"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var (
	_ ports.KeyStore   = (*Remote)(nil)
	_ ports.GroupStore = (*Remote)(nil)
	_ ports.Reserve    = (*Remote)(nil)
	_ ports.Knower     = (*Remote)(nil)
	_ ports.Viewer     = (*Remote)(nil)
)

// RemoteConfig says how old an answer may be that is given again.
type RemoteConfig struct {
	// FreshFor is how long an answer is given again without asking. Past half of
	// it the next caller sets off a refresh, and does not wait for it.
	FreshFor time.Duration
	// Grace is how much longer it is given while the store is away; zero means
	// not at all. Nothing older than FreshFor is given before the store was asked
	// in vain.
	Grace time.Duration
}

// Remote decorates stores that other processes write to as well, and that may
// be away for a while. A decision can be as old as FreshFor while the store
// answers, and FreshFor + Grace while it does not.
//
// The process's own writes count at once: who wrote sees what was written. While
// a write is under way the answers of before are still given. Only an answer that
// says nothing of the record ([ports.ErrUnavailable], [ports.ErrUnknownOutcome],
// a time-out) leaves what is known in place; "not found" and "damaged" take it
// away.
type Remote struct {
	keys   ports.KeyStore
	groups ports.GroupStore
	rings  *table[key.Ring]
	known  *table[*group.Group]
}

// NewRemote returns an empty cache over the two stores.
func NewRemote(keys ports.KeyStore, groups ports.GroupStore, cfg RemoteConfig, clock ports.Clock) *Remote {
	return &Remote{
		keys: keys, groups: groups,
		rings: newTable(cfg, clock, keys.Ring),
		known: newTable(cfg, clock, func(ctx context.Context, id group.ID) (*group.Group, error) {
			g, err := groups.Group(ctx, id)
			return &g, err
		}),
	}
}

// Ring implements ports.KeyStore.
func (r *Remote) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	return r.rings.get(ctx, g)
}

// UpdateRing implements ports.KeyStore.
func (r *Remote) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	done := r.rings.writing(g)
	var written *key.Ring
	err := r.keys.UpdateRing(ctx, g, func(before key.Ring) (key.Ring, error) {
		next, err := change(before)
		written = &next
		return next, err
	})
	done(written, err)
	return err
}

// Group implements ports.GroupStore.
func (r *Remote) Group(ctx context.Context, id group.ID) (group.Group, error) {
	g, err := r.View(ctx, id)
	return own(g), err
}

// View implements ports.Viewer.
func (r *Remote) View(ctx context.Context, id group.ID) (*group.Group, error) {
	if g, ok := r.known.fresh(id); ok && ctx.Err() == nil {
		return g, nil
	}
	if r.known.renew(id) {
		// Whoever asks for a group asks for its ring next: both refreshes together
		// take no longer than one when the store does not answer.
		r.rings.renew(id)
	}
	return r.known.get(ctx, id)
}

// Groups implements ports.GroupStore.
func (r *Remote) Groups(ctx context.Context) ([]group.ID, error) { return r.groups.Groups(ctx) }

// CreateGroup implements ports.GroupStore. The ring of a new group is empty.
func (r *Remote) CreateGroup(ctx context.Context, g group.Group) error {
	ring, known := r.rings.writing(g.ID), r.known.writing(g.ID)
	written := new(own(&g))
	err := r.groups.CreateGroup(ctx, g)
	ring(&key.Ring{}, err)
	known(&written, err)
	return err
}

// UpdateGroup implements ports.GroupStore. The id is as the store leaves it.
func (r *Remote) UpdateGroup(ctx context.Context, id group.ID, change func(group.Group) (group.Group, error)) error {
	done := r.known.writing(id)
	var written *group.Group
	err := r.groups.UpdateGroup(ctx, id, func(before group.Group) (group.Group, error) {
		next, err := change(before)
		mine := own(&next)
		mine.ID = kept(id)
		written = &mine
		return next, err
	})
	if written == nil { // nobody was asked for a change
		done(nil, err)
	} else {
		done(&written, err)
	}
	return err
}

// DeleteGroup implements ports.GroupStore. It empties the ring, too.
func (r *Remote) DeleteGroup(ctx context.Context, id group.ID) error {
	ring, known := r.rings.writing(id), r.known.writing(id)
	err := r.groups.DeleteGroup(ctx, id)
	ring(nil, err)
	known(nil, err)
	return err
}

// Knows implements ports.Knower.
func (r *Remote) Knows(id group.ID) bool { return r.known.knows(id) }

// LastsUntil implements ports.Reserve: when the last group that is known with its
// ring becomes too old to be served while the store is away. A group whose
// default key is in another custody than the ring does not count: its tokens are
// not made without the service that holds the key.
func (r *Remote) LastsUntil() time.Time {
	now := r.rings.clock.Now()
	rings := r.rings.lastsUntil(func(ring key.Ring) bool {
		k, err := ring.Sealing("", now)
		return err == nil && k.Key().Custody == key.Material
	})
	var last time.Time
	for id, known := range r.known.lastsUntil(func(*group.Group) bool { return true }) {
		ring, found := rings[id]
		if ring.Before(known) {
			known = ring
		}
		if found && known.After(last) {
			last = known
		}
	}
	return last
}
