package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// DefaultKeys makes the default embed secret of a group that has none.
type DefaultKeys struct {
	keys    ports.KeyStore
	custody ports.KeyCustody
	changes *Changes
	clock   ports.Clock
	random  ports.Random
	// making lets one caller of this process make a group's key while the others
	// wait for it. That spares keys that would be thrown away; that there is
	// exactly one default, across processes too, UpdateRing sees to.
	mu     sync.Mutex
	making map[group.ID]*making
	// denied is until when the backend is not asked again to take a key of a group:
	// this process may not write, and mints with what others made.
	denied map[group.ID]time.Time
}

// making is one attempt under way.
type making struct {
	done chan struct{}
	// err is why it failed, once done is closed.
	err error
}

// deniedFor is how long a refusal of the backend is remembered.
const deniedFor = 5 * time.Second

// NewDefaultKeys returns a DefaultKeys.
func NewDefaultKeys(keys ports.KeyStore, custody ports.KeyCustody, changes *Changes,
	clock ports.Clock, random ports.Random) *DefaultKeys {
	return &DefaultKeys{
		keys: keys, custody: custody, changes: changes, clock: clock, random: random,
		making: make(map[group.ID]*making), denied: make(map[group.ID]time.Time),
	}
}

// errHasDefault ends an update that came too late.
var errHasDefault = fmt.Errorf("%w: the group has a default key by now", ports.ErrConflict)

// Ensure returns the default key of the caller's group, and makes it first if
// there is none. It is durable when Ensure returns, and recorded as [Changes.Run]
// records a change.
//
// Errors: [key.ErrNotActive] when the default may not seal, [key.ErrNoDefault]
// when the ring takes no further key or this process may not write it,
// [ErrAudit], [ErrUnrecorded], or what the stores answer.
func (d *DefaultKeys) Ensure(ctx context.Context, call Call, caller Caller) (key.Key, error) {
	k, _, err := d.ensure(ctx, call, Actor{Caller: caller}, caller.GroupID())
	return k, err
}

// ensure is Ensure for group g, by whoever acts in it, and says whether it made
// the key.
func (d *DefaultKeys) ensure(ctx context.Context, call Call, by Actor, g group.ID) (k key.Key, made bool, err error) {
	done, err := d.turn(ctx, g)
	if err != nil {
		return key.Key{}, false, err
	}
	defer func() { done(err) }() // also when what follows panics
	k, size, err := d.current(ctx, g)
	if !errors.Is(err, key.ErrNoDefault) {
		return k, false, err
	}
	if size >= key.MaxRing {
		return key.Key{}, false, fmt.Errorf("%w, and the ring is full", key.ErrNoDefault)
	}
	if d.mayNotWrite(g) {
		return key.Key{}, false, errReadOnly
	}
	k, made, err = d.make(ctx, call, by, g)
	if errors.Is(err, ports.ErrReadOnly) && !errors.Is(err, ErrAudit) {
		d.remember(g)
		return key.Key{}, false, fmt.Errorf("%w: %w", errReadOnly, err)
	}
	return k, made, err
}

// errReadOnly is the answer of a replica that mints and may not write.
var errReadOnly = fmt.Errorf("%w, and this service may not make one", key.ErrNoDefault)

func (d *DefaultKeys) mayNotWrite(g group.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.Now().Before(d.denied[g]) {
		return true
	}
	delete(d.denied, g)
	return false
}

func (d *DefaultKeys) remember(g group.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.denied[g] = d.clock.Now().Add(deniedFor)
}

// turn waits until nobody makes a key of the group, and then keeps others from
// it until done is called. Whoever waited for one who found the backend away is
// told the same: asking again, one after the other, would take them all longer
// than their callers wait.
func (d *DefaultKeys) turn(ctx context.Context, g group.ID) (done func(error), err error) {
	for {
		d.mu.Lock()
		before, busy := d.making[g]
		if !busy {
			mine := &making{done: make(chan struct{})}
			d.making[g] = mine
			d.mu.Unlock()
			return func(err error) {
				d.mu.Lock()
				defer d.mu.Unlock()
				delete(d.making, g)
				mine.err = err
				close(mine.done)
			}, nil
		}
		d.mu.Unlock()
		select {
		case <-before.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if errors.Is(before.err, ports.ErrUnavailable) || errors.Is(before.err, ports.ErrUnknownOutcome) {
			return nil, before.err
		}
	}
}

// make makes a key and the ring's default of it, unless another was faster.
func (d *DefaultKeys) make(ctx context.Context, call Call, by Actor, g group.ID) (k key.Key, made bool, err error) {
	var seed [16]byte
	d.random.Fill(seed[:])
	id := key.NewID(seed)
	what := audit.Event{Action: audit.ActionCreateKey, Group: string(g), KeyID: string(id)}
	err = d.changes.Run(ctx, call, by, what, func(ctx context.Context, _ *audit.Event) error {
		k, err = d.add(ctx, g, id)
		return err
	})
	var known *recorded // that is the record of the key, not of what the caller wanted it for
	if errors.As(err, &known) {
		err = known.err
	}
	switch {
	case errors.Is(err, errHasDefault):
		k, _, err := d.current(ctx, g)
		if errors.Is(err, key.ErrNoDefault) { // an answer of before, while the store does not give a new one
			err = fmt.Errorf("read the key that another made for %s: %w", g, ports.ErrUnavailable)
		}
		return k, false, err
	case err != nil:
		return key.Key{}, false, err
	}
	return k, true, nil
}

// add makes the key in its custody, then puts it into the ring.
func (d *DefaultKeys) add(ctx context.Context, g group.ID, id key.ID) (key.Key, error) {
	k, err := d.custody.Create(ctx, g, id)
	if err != nil {
		return key.Key{}, fmt.Errorf("create default key of %s: %w", g, err)
	}
	k.CreatedAt = d.clock.Now().Truncate(time.Second)
	err = d.keys.UpdateRing(ctx, g, func(r key.Ring) (key.Ring, error) {
		if r.DefaultID() != "" {
			return r, errHasDefault
		}
		return r.WithDefault(k)
	})
	switch {
	case errors.Is(err, errHasDefault):
		if err := d.custody.Destroy(ctx, g, k); err != nil {
			return key.Key{}, fmt.Errorf("give back a key of %s: %w", g, err)
		}
		return key.Key{}, err
	case err != nil:
		// The material is left alone: with an unknown outcome the ring may name it.
		// Only a backend that takes no write at all has certainly not taken this one.
		if errors.Is(err, ports.ErrReadOnly) {
			_ = d.custody.Destroy(context.WithoutCancel(ctx), g, k) // "embedseal doctor" names what stays
		}
		return key.Key{}, fmt.Errorf("add default key of %s: %w", g, err)
	}
	return k, nil
}

// current is the default key there is, and the size of the ring.
func (d *DefaultKeys) current(ctx context.Context, g group.ID) (k key.Key, size int, err error) {
	ring, err := readRing(ctx, d.keys, g)
	if err != nil {
		return key.Key{}, 0, err
	}
	s, err := ring.Sealing("", d.clock.Now())
	if err != nil {
		return key.Key{}, ring.Len(), err
	}
	return *s.Key(), ring.Len(), nil
}
