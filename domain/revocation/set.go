package revocation

import (
	"encoding/hex"
	"iter"
	"time"

	"embedseal/domain/key"
	"embedseal/domain/replay"
	"embedseal/domain/token"
)

// Set holds the entries of one group so that a token costs no more than four
// look-ups, however many there are. It grows by [Set.Add] alone, and is safe for
// concurrent use while nobody adds. The zero value holds none.
//
// What most entries need lies without pointers, so that a million cost the garbage
// collector nothing.
type Set struct {
	held []held
	// tokens, and by kind the subjects of the others, point into held. Of several
	// entries for one subject the one with the latest instant counts.
	tokens   map[token.Fingerprint]uint32
	subjects [Key + 1]map[string]uint32
	// names, notes and marks have what few entries have, by their place in held.
	names map[uint32]string
	notes map[uint32]string
	marks map[uint32]replay.Mark
}

// held is an entry without its texts.
type held struct {
	seq                    uint64
	before, expires, since int64
	fingerprint            token.Fingerprint
	id                     [8]byte
	kind                   Kind
}

// Add adds entries that passed [Entry.Check].
func (s *Set) Add(entries ...Entry) {
	for _, e := range entries {
		s.add(e)
	}
}

func (s *Set) add(e Entry) {
	at := uint32(len(s.held))
	h := held{seq: e.Seq, kind: e.Kind, expires: e.ExpiresAt.Unix(), since: e.CreatedAt.Unix()}
	if !e.Before.IsZero() {
		h.before = e.Before.Unix()
	}
	_, _ = hex.Decode(h.id[:], []byte(e.ID))
	if e.Kind == Token {
		h.fingerprint, _ = token.ParseFingerprint(e.Subject)
		if s.tokens == nil {
			s.tokens = make(map[token.Fingerprint]uint32)
		}
		if _, there := s.tokens[h.fingerprint]; !there {
			s.tokens[h.fingerprint] = at
		}
	} else {
		put(&s.names, at, e.Subject)
		if old, there := s.subjects[e.Kind][e.Subject]; !there || s.held[old].before < h.before {
			if s.subjects[e.Kind] == nil {
				s.subjects[e.Kind] = make(map[string]uint32)
			}
			s.subjects[e.Kind][e.Subject] = at
		}
	}
	if e.Note != "" {
		put(&s.notes, at, e.Note)
	}
	if !e.Creation.IsZero() {
		put(&s.marks, at, e.Creation)
	}
	s.held = append(s.held, h)
}

func put[V any](m *map[uint32]V, at uint32, v V) {
	if *m == nil {
		*m = make(map[uint32]V)
	}
	(*m)[at] = v
}

// Revoked returns an entry that takes the token back, if one does. keyID is the
// `kid` of its header.
func (s *Set) Revoked(f token.Fingerprint, c token.Claims, keyID key.ID) (Entry, bool) {
	if at, found := s.tokens[f]; found {
		return s.entry(at), true
	}
	for _, of := range [...]struct {
		kind    Kind
		subject string
	}{{Key, string(keyID)}, {Customer, c.Customer}, {Embed, c.Embed}} {
		at, found := s.subjects[of.kind][of.subject]
		if found && issuedBy(c, instant(s.held[at].before)) {
			return s.entry(at), true
		}
	}
	return Entry{}, false
}

// Len is how many entries there are.
func (s *Set) Len() int { return len(s.held) }

// All lists the entries, the oldest first.
func (s *Set) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for at := range s.held {
			if !yield(s.entry(uint32(at))) {
				return
			}
		}
	}
}

// Find returns the entry of that id.
func (s *Set) Find(id ID) (Entry, bool) {
	var raw [8]byte
	if n, err := hex.Decode(raw[:], []byte(id)); err != nil || n != len(raw) {
		return Entry{}, false
	}
	for at := range s.held {
		if s.held[at].id == raw {
			return s.entry(uint32(at)), true
		}
	}
	return Entry{}, false
}

// Made returns the entry that the request of that mark made. The error is
// [replay.ErrOther] when another request with its key made one.
func (s *Set) Made(mark replay.Mark) (Entry, bool, error) {
	for at, made := range s.marks {
		is, err := mark.Made(made)
		if is || err != nil {
			return s.entry(at), is, err
		}
	}
	return Entry{}, false, nil
}

// Dead is how many entries need not be kept any more.
func (s *Set) Dead(now time.Time) int {
	dead, limit := 0, now.Add(-Slack).Unix()
	for at := range s.held {
		if s.held[at].expires < limit {
			dead++
		}
	}
	return dead
}

// Living returns a set of its own with those entries that are to be kept.
func (s *Set) Living(now time.Time) *Set {
	next := &Set{}
	for e := range s.All() {
		if !e.DeadAt(now) {
			next.add(e)
		}
	}
	return next
}

// entry puts one together again.
func (s *Set) entry(at uint32) Entry {
	h := &s.held[at]
	e := Entry{
		Seq: h.seq, ID: NewID(h.id), Kind: h.kind, Subject: s.names[at], Note: s.notes[at], Creation: s.marks[at],
		ExpiresAt: instant(h.expires), CreatedAt: instant(h.since),
	}
	if h.kind == Token {
		e.Subject = h.fingerprint.String()
	} else {
		e.Before = instant(h.before)
	}
	return e
}

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
