package key

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Why a key stays what it is.
var (
	// ErrIsDefault: the group's default key goes on sealing; rotate, or set another
	// default, first.
	ErrIsDefault = errors.New("it is the default key; rotate, or set another default, first")
	// ErrState: the key is in a state that this does not begin from.
	ErrState = errors.New("not possible in the key's state")
	// ErrNotSafe: a token that it sealed may still be open.
	ErrNotSafe = errors.New("a token sealed with the key may still be open")
)

// The changes of a ring below are functions of the ring before: each returns
// another one, or says why there is none. They keep two promises: no key is ever
// lost (a destroyed one stays as a tombstone, so that its id is not given again),
// and a default that could seal still can.
//
// horizon and safeAt reckon with the longest life that a token of the group may
// have had, and with the time that others may go on with what they read before.

// Rotate puts next in as the default. The default before it goes on sealing for
// requests that name it, retires at retiresAt, and no token of it is open from
// safeAt on. The error wraps [ErrInvalid].
func (r Ring) Rotate(next Key, now, retiresAt, safeAt time.Time) (Ring, error) {
	next.Replaces = r.DefaultID()
	rotated, err := r.WithDefault(next)
	if err != nil || next.Replaces == "" {
		return rotated, err
	}
	return rotated.replaced(next.Replaces, func(old *Key) {
		if old.RetiresAt.IsZero() && old.State != Destroyed {
			old.RetiresAt, old.SafeToDestroyAt = begun(later(retiresAt, now)), over(later(safeAt, retiresAt))
		}
	})
}

// SetDefault makes the key of that id the default. It must be able to seal; was
// it to retire, it is not any more. The default before it stays active. Errors:
// [ErrUnknown], [ErrState].
func (r Ring) SetDefault(id ID, now time.Time) (Ring, error) {
	k, found := r.Find(id)
	switch {
	case !found:
		return Ring{}, ErrUnknown
	case !k.CanSeal(now):
		return Ring{}, errState(k, now, "the default must be "+Active.String())
	}
	return r.replacedUnder(r.place(id), id, func(k *Key) { k.RetiresAt, k.SafeToDestroyAt = time.Time{}, time.Time{} })
}

// Retire ends the sealing of an active key now. Errors: [ErrUnknown],
// [ErrIsDefault], [ErrState].
func (r Ring) Retire(id ID, now, safeAt time.Time) (Ring, error) {
	return r.change(id, now, "only an active key can become "+Retiring.String(), []State{Active}, func(k *Key) {
		k.State, k.RetiresAt, k.SafeToDestroyAt = Retiring, begun(now), over(later(safeAt, now))
	})
}

// Disable stops a key that is active or retiring, until it is enabled. Errors:
// [ErrUnknown], [ErrIsDefault], [ErrState].
func (r Ring) Disable(id ID, now, safeAt time.Time) (Ring, error) {
	return r.change(id, now, "only an active or retiring key can become "+Disabled.String(), []State{Active, Retiring}, func(k *Key) {
		if k.State == Retiring && k.RetiresAt.IsZero() {
			k.RetiresAt = begun(now) // or it would come back as active
		}
		if k.SafeToDestroyAt.IsZero() {
			k.SafeToDestroyAt = over(later(safeAt, now))
		}
		k.State = Disabled
	})
}

// Enable gives a disabled key back what it might do before; an overlap that has
// ended meanwhile stays ended. Errors: [ErrUnknown], [ErrState].
func (r Ring) Enable(id ID, now time.Time) (Ring, error) {
	k, found := r.Find(id)
	switch {
	case !found:
		return Ring{}, ErrUnknown
	case k.State != Disabled:
		return Ring{}, errState(k, now, "only a disabled key can be enabled")
	}
	return r.replaced(id, func(k *Key) {
		k.State = Active
		if k.RetiresAt.IsZero() {
			k.SafeToDestroyAt = time.Time{}
		}
		k.State = k.StateAt(now)
	})
}

// Destroy lets the material go and keeps the tombstone, from any state; of a key
// that is destroyed already it changes nothing. Unless forced, it waits for
// [Key.SafeAt]. Errors: [ErrUnknown], [ErrIsDefault], [ErrNotSafe].
func (r Ring) Destroy(id ID, now time.Time, horizon time.Duration, force bool) (Ring, error) {
	k, found := r.Find(id)
	switch {
	case !found:
		return Ring{}, ErrUnknown
	case k.State == Destroyed:
		return r, nil
	case id == r.DefaultID():
		return Ring{}, fmt.Errorf("%s: %w", id, ErrIsDefault)
	case force:
		return r.Gone(id)
	case k.SafeAt(horizon).IsZero():
		return Ring{}, fmt.Errorf("%s is %s: %w; retire it first", id, k.StateAt(now), ErrNotSafe)
	case now.Before(k.SafeAt(horizon)):
		return Ring{}, fmt.Errorf("%s: %w, until %s", id, ErrNotSafe, k.SafeAt(horizon).UTC().Format(time.RFC3339))
	}
	return r.Gone(id)
}

// Gone says of a key whose material is not there any more that it is destroyed,
// whatever it was. A group whose default it was has none. The error is
// [ErrUnknown].
func (r Ring) Gone(id ID) (Ring, error) {
	if _, found := r.Find(id); !found {
		return Ring{}, ErrUnknown
	}
	defaultAt := r.defaultAt
	if r.DefaultID() == id {
		defaultAt = 0
	}
	return r.replacedUnder(defaultAt, id, func(k *Key) { k.State, k.Secret = Destroyed, Secret{} })
}

// Relabel changes the operator's words, of a tombstone too. Errors:
// [ErrUnknown], [ErrInvalid].
func (r Ring) Relabel(id ID, name, note string) (Ring, error) {
	if _, found := r.Find(id); !found {
		return Ring{}, ErrUnknown
	}
	return r.replaced(id, func(k *Key) { k.Label, k.Note = name, note })
}

// change is a step of a key that is not the default, from one of the states.
func (r Ring) change(id ID, now time.Time, rule string, from []State, step func(*Key)) (Ring, error) {
	k, found := r.Find(id)
	switch {
	case !found:
		return Ring{}, ErrUnknown
	case !slices.Contains(from, k.StateAt(now)):
		return Ring{}, errState(k, now, rule)
	case id == r.DefaultID():
		return Ring{}, fmt.Errorf("%s: %w", id, ErrIsDefault)
	}
	return r.replaced(id, step)
}

// replaced is the ring with one key changed. The error wraps [ErrInvalid].
func (r Ring) replaced(id ID, step func(*Key)) (Ring, error) {
	return r.replacedUnder(r.defaultAt, id, step)
}

// replacedUnder is replaced with the default at that place.
func (r Ring) replacedUnder(defaultAt int, id ID, step func(*Key)) (Ring, error) {
	keys := slices.Clone(r.keys)
	for i := range keys {
		if keys[i].ID != id {
			continue
		}
		step(&keys[i])
		if err := keys[i].valid(); err != nil {
			return Ring{}, err
		}
	}
	return ringOf(keys, defaultAt), nil
}

func errState(k Key, now time.Time, rule string) error {
	return fmt.Errorf("%w: %s is %s, and %s", ErrState, k.ID, k.StateAt(now), rule)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// begun and over are the whole seconds of records: one not after t, and one not
// before it.
func begun(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func over(t time.Time) time.Time {
	if whole := begun(t); whole.Equal(t) {
		return whole
	}
	return begun(t).Add(time.Second)
}
