package key

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"embedseal/domain/replay"
)

// MaxRing is how many keys one group may hold, destroyed ones included.
const MaxRing = 1000

// What a ring answers when it has no key to give.
var (
	// ErrUnknown: no key of that id in this ring.
	ErrUnknown = errors.New("unknown key")
	// ErrNoDefault: the caller named no key and the group has no default.
	ErrNoDefault = errors.New("no default key")
	// ErrNotActive: the key is there, and may not seal.
	ErrNotActive = errors.New("key not active")
)

// Why a ring takes no further key. Both wrap [ErrInvalid].
var (
	// ErrTaken: the ring has a key of that id, if only a destroyed one: an id is
	// never given twice.
	ErrTaken = fmt.Errorf("%w: the id is taken", ErrInvalid)
	// ErrFull: it has [MaxRing] keys.
	ErrFull = fmt.Errorf("%w: a group holds at most %d keys", ErrInvalid, MaxRing)
)

// Ring is all keys of one group, in the order they were added, and which of
// them is the default. It is a value: nothing changes a ring that was handed
// out. The zero value is the ring of a group that never had a key.
type Ring struct {
	keys []Key
	// defaultAt is the place of the default key, counted from one, so that nobody has
	// to look for it: it may be the last of many. Zero is none.
	defaultAt int
	sealer    *Sealer // of the default key; nil where there is none
}

// ringOf is the ring of those keys, which are its own, with the default at that place.
func ringOf(keys []Key, defaultAt int) Ring {
	r := Ring{keys: keys, defaultAt: defaultAt}
	if defaultAt != 0 {
		r.sealer = NewSealer(keys[defaultAt-1])
	}
	return r
}

// NewRing puts keys together again, as a store does on reading. defaultID may
// be empty. The error wraps [ErrInvalid]: two keys of one id, more than
// [MaxRing], a default that is not there, a key that contradicts itself.
func NewRing(keys []Key, defaultID ID) (Ring, error) {
	if len(keys) > MaxRing {
		return Ring{}, ErrFull
	}
	seen := make(map[ID]int, len(keys)) // the places
	for i, k := range keys {
		if err := k.valid(); err != nil {
			return Ring{}, err
		}
		if _, twice := seen[k.ID]; twice {
			return Ring{}, errTwice(k.ID)
		}
		seen[k.ID] = i + 1
	}
	at := seen[defaultID]
	if at == 0 && defaultID != "" {
		return Ring{}, fmt.Errorf("%w: the default key %s is not in the ring", ErrInvalid, defaultID)
	}
	return ringOf(slices.Clone(keys), at), nil
}

// Len says how many keys the ring holds.
func (r Ring) Len() int { return len(r.keys) }

// Sealer is that of the default key, whether or not the key may seal now; nil where there
// is none. [Ring.Sealing] is what to seal with.
func (r Ring) Sealer() *Sealer { return r.sealer }

// Keys returns the keys, in the order they were added. The slice is the
// caller's to keep.
func (r Ring) Keys() []Key { return slices.Clone(r.keys) }

// Find returns the key of that id.
func (r Ring) Find(id ID) (Key, bool) { return r.at(r.place(id)) }

// place is where the key of that id is, counted from one; zero where there is none.
func (r Ring) place(id ID) int {
	for i := range r.keys {
		if r.keys[i].ID == id {
			return i + 1
		}
	}
	return 0
}

func (r Ring) at(place int) (Key, bool) {
	if place == 0 {
		return Key{}, false
	}
	return r.keys[place-1], true
}

// Default returns the default key, if the group has one.
func (r Ring) Default() (Key, bool) { return r.at(r.defaultAt) }

// DefaultID names the default key; empty when the group has none.
func (r Ring) DefaultID() ID {
	k, _ := r.Default()
	return k.ID
}

// Made returns the key that the request of that mark made before. The error is
// [replay.ErrOther] when the idempotency key was used for another request.
func (r Ring) Made(mark replay.Mark) (Key, bool, error) {
	for i := range r.keys {
		if again, err := mark.Made(r.keys[i].Creation); again || err != nil {
			return r.keys[i], again, err
		}
	}
	return Key{}, false, nil
}

// Sealing returns the key to seal a new token with at now: the one named, or the
// default when id is empty. The error is [ErrUnknown], [ErrNoDefault] or
// [ErrNotActive].
func (r Ring) Sealing(id ID, now time.Time) (*Sealer, error) {
	place, missing := r.defaultAt, ErrNoDefault
	if id != "" {
		place, missing = r.place(id), ErrUnknown
	}
	s := r.sealer
	switch {
	case place == 0:
		return nil, missing
	case place != r.defaultAt:
		s = NewSealer(r.keys[place-1])
	}
	if !s.key.CanSeal(now) {
		return nil, ErrNotActive
	}
	return s, nil
}

// With returns a ring that also holds k, as its last. The error wraps
// [ErrInvalid].
func (r Ring) With(k Key) (Ring, error) {
	if err := k.valid(); err != nil {
		return Ring{}, err
	}
	if _, found := r.Find(k.ID); found {
		return Ring{}, errTwice(k.ID)
	}
	if len(r.keys) >= MaxRing {
		return Ring{}, ErrFull
	}
	r.keys = append(slices.Clip(slices.Clone(r.keys)), k)
	return r, nil
}

// WithDefault returns a ring that also holds k, as its last and its default. The
// default before it stays active. The error wraps [ErrInvalid].
func (r Ring) WithDefault(k Key) (Ring, error) {
	if k.State != Active || !k.RetiresAt.IsZero() {
		return Ring{}, fmt.Errorf("%w: the default must be active without an end, %s is not", ErrInvalid, k.ID)
	}
	next, err := r.With(k)
	if err != nil {
		return Ring{}, err
	}
	return ringOf(next.keys, len(next.keys)), nil
}

func errTwice(id ID) error { return fmt.Errorf("%w: %s is in the ring already", ErrTaken, id) }
