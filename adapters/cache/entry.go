package cache

import (
	"hash/maphash"
	"unsafe"

	"embedseal/adapters/internal/prefetch"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

// entry is what is known of one group. It is never changed but replaced, since whoever
// was shown the group goes on looking at it; and stays, without the group and the ring,
// when it is invalidated, for the sake of its generation. All of it lies together, its
// id included, as it is read together.
type entry struct {
	id         [group.MaxID]byte
	length     uint8 // of the id
	known      bool  // the group is
	writes     int   // that are under way
	generation uint64
	ring       key.Ring // the empty one is not kept
	group      group.Group
}

// nobody is what is known of a group that nobody asked for yet.
var nobody entry

// view is the group, if that is known.
func (e *entry) view() *group.Group {
	if !e.known {
		return nil
	}
	return &e.group
}

// name is the id of the group, known or not.
func (e *entry) name() group.ID { return group.ID(e.id[:e.length]) }

// entries finds the entry of a group: a table with linear probing, from which nothing is
// ever taken out. The standard map looks at three places in memory that lie apart, one
// after the other, where this looks at one, and that is a tenth of what ten thousand
// groups cost more than one (docs/adr/0045-fetched-while-it-is-hashed.md).
type entries struct {
	places []place // as many as a power of two, some of them free
	used   int
}

// place is where an entry is, and what else is read of its group for each token. It is
// free without an entry.
type place struct {
	hash   uint64
	entry  *entry
	token  *apitoken.Token // the first
	sealer *key.Sealer
}

const fewest = 64 // places

func newEntries() entries { return entries{places: make([]place, fewest)} }

// seed is of this process: nobody knows which ids share a hash.
var seed = maphash.MakeSeed()

func hashOf(id group.ID) uint64 { return maphash.String(seed, string(id)) }

// find returns the group's entry, an empty one where there is none.
func (all *entries) find(id group.ID) *entry {
	if e := all.place(hashOf(id), id).entry; e != nil {
		return e
	}
	return &nobody
}

// place is that of the group, or the free one for it.
func (all *entries) place(hash uint64, id group.ID) *place {
	for at := hash; ; at++ {
		p := &all.places[at&uint64(len(all.places)-1)]
		if p.entry == nil || p.hash == hash && string(p.entry.id[:p.entry.length]) == string(id) {
			return p
		}
	}
}

// put replaces the group's entry. Of an id that is too long for one there is nothing to
// know: every store says so.
func (all *entries) put(id group.ID, e entry) {
	if len(id) > group.MaxID {
		return
	}
	if 4*all.used >= 3*len(all.places) {
		all.grow()
	}
	e.length = uint8(copy(e.id[:], id))
	hash := hashOf(id)
	p := all.place(hash, id)
	if p.entry == nil {
		all.used++
	}
	*p = place{hash: hash, entry: &e, sealer: e.ring.Sealer()}
	if len(e.group.Tokens) > 0 {
		p.token = &e.group.Tokens[0]
	}
}

// grow looks at no entry: all of them differ, so that each takes the next free place.
func (all *entries) grow() {
	next := make([]place, 2*len(all.places))
	mask := uint64(len(next) - 1)
	for _, p := range all.places {
		if p.entry == nil {
			continue
		}
		at := p.hash
		for next[at&mask].entry != nil {
			at++
		}
		next[at&mask] = p
	}
	all.places = next
}

// each calls do with every entry, in no order.
func (all *entries) each(do func(*entry)) {
	for _, p := range all.places {
		if p.entry != nil {
			do(p.entry)
		}
	}
}

// What is read of each for a token, in bytes from its beginning: of a group all before its
// name, of an API token all before the value it had before. What a cipher keeps is an
// expanded AES key with the tables of GCM. Where it is less than that, the rest is waited
// for when it is read.
const (
	ofEntry  = unsafe.Offsetof(entry{}.group) + unsafe.Offsetof(group.Group{}.Name)
	ofToken  = unsafe.Offsetof(apitoken.Token{}.Previous)
	ofSealer = unsafe.Sizeof(key.Sealer{}) + unsafe.Sizeof(any(nil)) // and what lies behind it
	ofKept   = 768
)

// expected is the place of a group of that hash, at none of which it looks: where two have
// the same it may be the wrong one, which harms nobody. It is free where there is none.
func (all *entries) expected(hash uint64) place {
	for at := hash; ; at++ {
		p := all.places[at&uint64(len(all.places)-1)]
		if p.entry == nil || p.hash == hash {
			return p
		}
	}
}

// fetch brings near what lies at a place.
func (p place) fetch() {
	prefetch.First(p.entry, ofEntry)
	prefetch.First(p.token, ofToken)
	prefetch.First(p.sealer, ofSealer)
}

// fetchRest brings near what lies behind what was fetched.
func (e *entry) fetchRest() {
	prefetch.Text(string(e.group.ID))
	if len(e.group.Tokens) > 0 {
		prefetch.Text(e.group.Tokens[0].ID)
	}
	if s := e.ring.Sealer(); s != nil {
		prefetch.Behind(s.Made(), ofKept)
		prefetch.Text(string(s.ID()))
		if header, err := s.Header(); err == nil {
			prefetch.Text(header)
		}
	}
}
