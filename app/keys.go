package app

import (
	"context"
	"math"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Keys administers the embed secrets of a group. Whatever it is asked for in a
// group that the actor does not see, or that is not there, is ports.ErrNotFound.
type Keys struct {
	groups    ports.GroupStore
	keys      ports.KeyStore
	custody   ports.KeyCustody
	changes   *Changes
	clock     ports.Clock
	random    ports.Random
	staleness Staleness
}

// Staleness is how long another process may go on sealing with what it read
// before a change.
type Staleness time.Duration

// NewKeys returns a Keys.
func NewKeys(groups ports.GroupStore, keys ports.KeyStore, custody ports.KeyCustody, changes *Changes,
	clock ports.Clock, random ports.Random, staleness Staleness) *Keys {
	return &Keys{groups: groups, keys: keys, custody: custody, changes: changes, clock: clock, random: random, staleness: staleness}
}

// ShownKey is a key as administrators see it.
type ShownKey struct {
	// Key is without its value. Its state is that of now, and SafeToDestroyAt is
	// reckoned with the longest lifetime that the group has allowed until now.
	Key     key.Key
	Default bool
	Tag     Tag
}

// List shows the keys of the group, destroyed ones included, in the order in
// which they were made. Errors: [ErrScope], or what the stores answer.
func (k *Keys) List(ctx context.Context, by Actor, g group.ID) ([]ShownKey, error) {
	at, err := k.enter(ctx, by, ToRead, g)
	if err != nil {
		return nil, err
	}
	ring, err := k.ring(ctx, g)
	if err != nil {
		return nil, err
	}
	all := make([]ShownKey, 0, ring.Len())
	for _, one := range ring.Keys() {
		all = append(all, at.show(ring, one))
	}
	return all, nil
}

// Show shows one key. Errors: [key.ErrUnknown], [ErrScope], or what the stores
// answer.
func (k *Keys) Show(ctx context.Context, by Actor, g group.ID, id key.ID) (ShownKey, error) {
	at, err := k.enter(ctx, by, ToRead, g)
	if err != nil {
		return ShownKey{}, err
	}
	ring, err := k.ring(ctx, g)
	if err != nil {
		return ShownKey{}, err
	}
	one, found := ring.Find(id)
	if !found {
		return ShownKey{}, key.ErrUnknown
	}
	return at.show(ring, one), nil
}

func (k *Keys) ring(ctx context.Context, g group.ID) (key.Ring, error) {
	return readRing(ctx, k.keys, g)
}

// moment is what a use-case reckons with.
type moment struct {
	group group.Group
	now   time.Time
	// horizon is the longest that a token lives that anybody seals from now on with
	// a key that was just taken out of use.
	horizon time.Duration
}

// enter reads the group that the actor wants to do something in.
func (k *Keys) enter(ctx context.Context, by Actor, need Right, id group.ID) (moment, error) {
	if err := by.May(need, id); err != nil {
		return moment{}, err
	}
	g, err := readGroup(ctx, k.groups, id)
	if err != nil {
		return moment{}, err
	}
	now := k.clock.Now()
	if _, err := by.in(g, need, now); err != nil {
		return moment{}, err
	}
	horizon := g.LongestLifetime()
	if stale := time.Duration(k.staleness); horizon < math.MaxInt64-stale {
		horizon += stale
	}
	return moment{group: g, now: now, horizon: horizon}, nil
}

// safe is when no token is open any more of a key that retires at that time.
func (m moment) safe(retires time.Time) time.Time { return retires.Add(m.horizon) }

// show is the key as of now.
func (m moment) show(r key.Ring, k key.Key) ShownKey {
	isDefault := k.ID == r.DefaultID()
	shown := ShownKey{Key: k, Default: isDefault, Tag: tagOfKey(k, isDefault)}
	shown.Key.Secret = key.Secret{}
	shown.Key.State, shown.Key.SafeToDestroyAt = k.StateAt(m.now), k.SafeAt(m.horizon)
	return shown
}

// tagOfKey is the tag of what is stored of a key and shown.
func tagOfKey(k key.Key, isDefault bool) Tag {
	return TagOf(struct {
		ID                                  key.ID
		State, Custody, Label, Note         string
		Default                             bool
		CreatedAt, RetiresAt, SafeToDestroy time.Time
	}{
		ID: k.ID, State: k.State.String(), Custody: k.Custody.String(), Label: k.Label, Note: k.Note, Default: isDefault,
		CreatedAt: k.CreatedAt.UTC(), RetiresAt: k.RetiresAt.UTC(), SafeToDestroy: k.SafeToDestroyAt.UTC(),
	})
}

// there answers for a key that is not there, before anything is recorded: an id
// that nothing has may be a secret in the wrong place.
func (k *Keys) there(ctx context.Context, g group.ID, id key.ID) error {
	ring, err := k.ring(ctx, g)
	if err != nil {
		return err
	}
	if _, found := ring.Find(id); !found {
		return key.ErrUnknown
	}
	return nil
}

// change changes one key that is there, if it is as match says, and records it.
func (k *Keys) change(ctx context.Context, call Call, by Actor, action audit.Action, g group.ID, id key.ID, match Match,
	step func(moment, key.Ring) (key.Ring, error)) (ShownKey, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return ShownKey{}, err
	}
	if err := k.there(ctx, g, id); err != nil {
		return ShownKey{}, err
	}
	var shown ShownKey
	what := audit.Event{Action: action, Group: string(g), KeyID: string(id)}
	err = k.changes.Run(ctx, call, by, what, func(ctx context.Context, _ *audit.Event) error {
		return k.update(ctx, at, id, match, &shown, func(r key.Ring) (key.Ring, error) { return step(at, r) })
	})
	if err != nil {
		return ShownKey{}, err
	}
	return shown, nil
}

// update changes one key in the store, and puts into shown what it is then.
func (k *Keys) update(ctx context.Context, at moment, id key.ID, match Match, shown *ShownKey, step func(key.Ring) (key.Ring, error)) error {
	return k.keys.UpdateRing(ctx, at.group.ID, func(r key.Ring) (key.Ring, error) {
		before, found := r.Find(id)
		if !found {
			return r, key.ErrUnknown
		}
		if err := match.Check(tagOfKey(before, id == r.DefaultID())); err != nil {
			return r, err
		}
		next, err := step(r)
		if err != nil {
			return r, err
		}
		after, _ := next.Find(id)
		*shown = at.show(next, after)
		return next, nil
	})
}
