package crashtest_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/policy"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

const (
	maxGroups = 6
	maxKeys   = 8
)

// state is what a store should hold. It is never changed in place.
type state map[group.ID]content

type content struct {
	// born is the number of the write that made the group.
	born int
	name string
	keys []key.ID
	// log is what must be read of its revocations, and revoked are the numbers of the writes that revoked something in it, in order.
	revoked []int
	log     string
}

// living are the entries that must be there: a store keeps those that have died at
// the time of the latest as long as it likes.
func (c content) living() []revocation.Entry {
	var all []revocation.Entry
	for i, number := range c.revoked {
		e := newEntry(number)
		e.Seq = uint64(i) + 1
		all = append(all, e)
	}
	return onlyLiving(all)
}

func onlyLiving(all []revocation.Entry) []revocation.Entry {
	if len(all) == 0 {
		return nil
	}
	now := all[len(all)-1].CreatedAt
	return slices.DeleteFunc(all, func(e revocation.Entry) bool { return e.DeadAt(now) })
}

// log is the form in which entries are compared: a number in the log, and that of the
// write.
func log(entries []revocation.Entry) string {
	var text strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&text, " %d:%d", e.Seq, numberOf(e))
	}
	return text.String()
}

// String is the form in which states are compared.
func (s state) String() string {
	var text strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "%s %q %v%s\n", id, s[id].name, s[id].keys, s[id].log)
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
	verb   string
	group  group.ID
	text   string // the new name, or the id of the new key
	number int
}

func nextOp(seed uint64, number int, s state) op {
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	id := group.ID(fmt.Sprintf("group-%d", random.IntN(maxGroups)))
	text := fmt.Sprintf("n%d", number)
	// Most revocations are in one group, so that their log soon has pages.
	revoking := random.IntN(3) > 0
	if revoking && random.IntN(8) > 0 {
		id = "group-0"
	}
	current, exists := s[id]
	switch {
	case !exists:
		return op{"create", id, text, number}
	case revoking:
		return op{"revoke", id, "", number}
	case len(current.keys) >= maxKeys || random.IntN(12) == 0:
		return op{"delete", id, "", number}
	case random.IntN(3) == 0:
		return op{"rename", id, text, number}
	}
	return op{"key", id, text, number}
}

// apply is the state after the write.
func (o op) apply(s state) state {
	c := s[o.group]
	switch o.verb {
	case "create":
		return s.with(o.group, content{name: o.text, born: o.number})
	case "rename":
		c.name = o.text
		return s.with(o.group, c)
	case "key":
		c.keys = append(slices.Clone(c.keys), key.ID(o.text))
		return s.with(o.group, c)
	case "revoke":
		c.revoked = append(slices.Clone(c.revoked), o.number)
		c.log = log(c.living())
		return s.with(o.group, c)
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
	case "revoke":
		_, err := s.revocations.Revoke(ctx, o.group, newEntry(o.number), revocation.MaxEntries)
		return err
	}
	return s.groups.DeleteGroup(ctx, o.group)
}

// newEntry follows from the number of its write. It is as large as one may be, so that
// fourteen of them fill a ledger, and dies some dozens of writes later.
func newEntry(number int) revocation.Entry {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(number))
	made := someTime().Add(time.Duration(number) * time.Hour)
	return revocation.Entry{
		ID: revocation.NewID(id), Kind: revocation.Customer, Subject: strings.Repeat("<", token.MaxID), Before: made,
		CreatedAt: made, ExpiresAt: made.Add(time.Duration(25+number*7%40) * time.Hour), Note: strings.Repeat("&", label.MaxNote),
	}
}

// numberOf is that of the write of an entry.
func numberOf(e revocation.Entry) int {
	raw, err := strconv.ParseUint(string(e.ID), 16, 31)
	if err != nil {
		return -1
	}
	return int(raw)
}

// pageWrites are the numbers of those of the first n writes that move entries into a
// page.
func pageWrites(seed uint64, n int) (all []int) {
	ledgers := map[group.ID]ledger.Ledger{}
	s := state{}
	for i := range n {
		o := nextOp(seed, i, s)
		s = o.apply(s)
		switch o.verb {
		case "delete":
			delete(ledgers, o.group)
		case "revoke":
			w, err := ledgers[o.group].With(newEntry(i), revocation.MaxEntries, func() string { return strconv.Itoa(i) })
			if err != nil {
				panic(err)
			}
			if w.Page != nil {
				all = append(all, i)
			}
			ledgers[o.group] = w.Ledger
		}
	}
	return all
}

// someTime is the age of everything but revocations; a time is no part of a state.
func someTime() time.Time { return time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC) }

// newKey has a value that follows from its id.
func newKey(id key.ID) key.Key {
	sum := sha256.Sum256([]byte(id))
	return key.Key{
		ID: id, State: key.Active, Custody: key.Material, CreatedAt: someTime(),
		Secret: key.NewSecret([key.SecretEntropy]byte(sum[:])),
	}
}

var (
	errWrongKey        = errors.New("a key is not what was written")
	errWrongRevocation = errors.New("a revocation is not what was written")
)

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
		entries, _, _, err := readLog(ctx, s, id, revocation.Cursor{})
		if err != nil {
			return nil, err
		}
		c.log = log(onlyLiving(entries))
		all[id] = c
	}
	return all, nil
}

// readLog reads what came after a cursor, in steps, and says where to go on and whether
// it was read anew.
func readLog(ctx context.Context, s stores, id group.ID, at revocation.Cursor) (entries []revocation.Entry, end revocation.Cursor, anew bool, err error) {
	for {
		c, err := s.revocations.Changes(ctx, id, at)
		if err != nil {
			return nil, revocation.Cursor{}, false, err
		}
		anew = anew || c.Anew
		for _, e := range c.Entries {
			want := newEntry(numberOf(e))
			if want.Seq = e.Seq; e != want {
				return nil, revocation.Cursor{}, false, fmt.Errorf("%w: %d of %s", errWrongRevocation, e.Seq, id)
			}
		}
		entries, at = append(entries, c.Entries...), c.Next
		if !c.More {
			return entries, at, anew, nil
		}
	}
}

// readers are where those stand who had read all revocations of a group, and which
// group of that name that was.
type readers map[group.ID]place

type place struct {
	born int
	at   revocation.Cursor
}

// goOn lets each reader go on from where it was before the crash, in a store that
// holds that state.
func (r readers) goOn(ctx context.Context, s stores, holds state) error {
	for id, c := range holds {
		before, began := r[id]
		began = began && before.born == c.born && before.at.Seq > 0
		entries, end, anew, err := readLog(ctx, s, id, before.at)
		if err != nil {
			return err
		}
		if began {
			living := slices.DeleteFunc(c.living(), func(e revocation.Entry) bool { return e.Seq <= before.at.Seq })
			if anew || log(living) != log(onlyLiving(entries)) {
				return fmt.Errorf("%w: from %+v a reader of %s gets%s (anew: %t) and not%s", errWrongRevocation, before.at, id, log(entries), anew, log(living))
			}
		}
		r[id] = place{c.born, end}
	}
	return nil
}

// stores is an open store behind its ports.
type stores struct {
	keys        ports.KeyStore
	groups      ports.GroupStore
	revocations ports.RevocationStore
	close       func()
}
