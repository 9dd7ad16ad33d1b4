package crashtest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

const (
	maxGroups = 6
	maxKeys   = 8
)

// state is what a store should hold. It is never changed in place.
type state map[group.ID]content

type content struct {
	name string
	keys []key.ID
}

// String is the form in which states are compared.
func (s state) String() string {
	var text strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "%s %q %v\n", id, s[id].name, s[id].keys)
	}
	return text.String()
}

func (s state) with(id group.ID, c content) state {
	next := maps.Clone(s)
	next[id] = c
	return next
}

// op is one write. What comes after a state follows from the seed and the
// number of the write alone, so that whoever knows how many writes there were
// knows everything that they wrote.
type op struct {
	verb  string
	group group.ID
	text  string // the new name, or the id of the new key
}

func nextOp(seed uint64, number int, s state) op {
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	id := group.ID(fmt.Sprintf("group-%d", random.IntN(maxGroups)))
	text := fmt.Sprintf("n%d", number)
	current, exists := s[id]
	switch {
	case !exists:
		return op{"create", id, text}
	case len(current.keys) >= maxKeys || random.IntN(12) == 0:
		return op{"delete", id, ""}
	case random.IntN(3) == 0:
		return op{"rename", id, text}
	}
	return op{"key", id, text}
}

// apply is the state after the write.
func (o op) apply(s state) state {
	c := s[o.group]
	switch o.verb {
	case "create":
		return s.with(o.group, content{name: o.text})
	case "rename":
		return s.with(o.group, content{name: o.text, keys: c.keys})
	case "key":
		return s.with(o.group, content{name: c.name, keys: append(slices.Clone(c.keys), key.ID(o.text))})
	}
	next := maps.Clone(s)
	delete(next, o.group)
	return next
}

// stateAfter is the state after the first n writes.
func stateAfter(seed uint64, n int) state {
	s := state{}
	for i := range n {
		s = nextOp(seed, i, s).apply(s)
	}
	return s
}

// run makes the write through the ports.
func (o op) run(ctx context.Context, s stores) error {
	switch o.verb {
	case "create":
		return s.groups.CreateGroup(ctx, group.Group{ID: o.group, Name: o.text, Policy: policy.Default(), CreatedAt: someTime()})
	case "rename":
		return s.groups.UpdateGroup(ctx, o.group, func(g group.Group) (group.Group, error) {
			g.Name = o.text
			return g, nil
		})
	case "key":
		return s.keys.UpdateRing(ctx, o.group, func(r key.Ring) (key.Ring, error) {
			return r.WithDefault(newKey(key.ID(o.text)))
		})
	}
	return s.groups.DeleteGroup(ctx, o.group)
}

// someTime is the age of everything; a time is no part of a state.
func someTime() time.Time { return time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC) }

// newKey has a value that follows from its id.
func newKey(id key.ID) key.Key {
	sum := sha256.Sum256([]byte(id))
	return key.Key{
		ID: id, State: key.Active, Custody: key.Material, CreatedAt: someTime(),
		Secret: key.NewSecret([key.SecretEntropy]byte(sum[:])),
	}
}

var errWrongKey = errors.New("a key is not what was written")

// readState reads everything in the store.
func readState(ctx context.Context, s stores) (state, error) {
	ids, err := s.groups.Groups(ctx)
	if err != nil {
		return nil, err
	}
	all := state{}
	for _, id := range ids {
		g, err := s.groups.Group(ctx, id)
		if err != nil {
			return nil, err
		}
		ring, err := s.keys.Ring(ctx, id)
		if err != nil {
			return nil, err
		}
		c := content{name: g.Name}
		for _, k := range ring.Keys() {
			if !k.Secret.Equal(newKey(k.ID).Secret) {
				return nil, fmt.Errorf("%w: %s of %s", errWrongKey, k.ID, id)
			}
			c.keys = append(c.keys, k.ID)
		}
		if n := len(c.keys); n > 0 && ring.DefaultID() != c.keys[n-1] {
			return nil, fmt.Errorf("%w: %s has the default %s", errWrongKey, id, ring.DefaultID())
		}
		all[id] = c
	}
	return all, nil
}

// stores is an open store behind its ports.
type stores struct {
	keys   ports.KeyStore
	groups ports.GroupStore
	close  func()
}
