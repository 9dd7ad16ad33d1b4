package key

import (
	"sync/atomic"

	"embedseal/domain/jwe"
)

// Sealer is a key as new tokens are sealed with it: a copy, which nobody changes, with
// what all of them have in common. A ring has one ready of its default key, which
// seals nearly every token, and another whenever that key is changed or read again.
//
// What is read for each token lies together: where ten thousand groups are served in
// turn, nothing of the next is in the processor's cache, and each piece of memory is
// fetched from afar.
type Sealer struct {
	header string // empty where the id is not that of a key
	// made is what was kept, once kept says so. It lies right behind the sealer, and behind
	// a pointer that fmt does not follow, as the value of a secret does.
	made *any
	kept atomic.Uint32
	key  Key
}

// What [Sealer.kept] says.
const (
	keepsNothing uint32 = iota
	beingKept
	isKept
)

// NewSealer returns the sealer of k. Whether k may seal, the ring says.
func NewSealer(k Key) *Sealer {
	together := new(struct {
		Sealer
		made any
	})
	s := &together.Sealer
	s.key, s.made = k, &together.made
	if header, err := jwe.EncodeHeader(string(k.ID)); err == nil {
		both := header + string(k.ID) // each token needs both
		s.header, s.key.ID = both[:len(header)], ID(both[len(header):])
	}
	return s
}

// ID names the key; empty of nil.
func (s *Sealer) ID() ID {
	if s == nil {
		return ""
	}
	return s.key.ID
}

// Key is the key, to look at: what was kept was made of it.
func (s *Sealer) Key() *Key { return &s.key }

// Header is the first segment of every token: see [jwe.EncodeHeader], whose error it
// answers.
func (s *Sealer) Header() (string, error) {
	if s.header == "" {
		return jwe.EncodeHeader(string(s.key.ID))
	}
	return s.header, nil
}

// Made is what [Sealer.Keep] was given; nil where it was given nothing.
func (s *Sealer) Made() any {
	if s.kept.Load() == isKept {
		return *s.made
	}
	return nil
}

// Keep keeps what a cipher made of the key's value, so that it need not be made again
// for the next token; the first that is given is kept. It lives as long as the value
// itself does here: with the ring, and those that were made of it by adding keys. It is
// safe for concurrent use.
func (s *Sealer) Keep(made any) {
	if s.kept.CompareAndSwap(keepsNothing, beingKept) {
		*s.made = made
		s.kept.Store(isKept)
	}
}
