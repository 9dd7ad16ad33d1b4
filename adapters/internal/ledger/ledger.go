// Package ledger answers: in which documents does the log of a group's revocations
// lie, and which of them does one more entry change?
//
// A [Ledger] is the one document that every write replaces. It has the latest
// entries in it; when they become too many, the oldest of them go into a page: a
// document that is written once and never changed. So an entry costs one write of
// bounded size, however many there are; a reader sees from the ledger alone which
// pages are new to him; and a page whose entries have all died is dropped without
// being read.
package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"embedseal/domain/revocation"
	"embedseal/ports"
)

const (
	// tailSize bounds the entries in a ledger, in bytes of its document: one of Vault
	// is at most 512 KiB where it lies in Consul.
	tailSize = 128 << 10
	// entrySize is what an entry takes without its texts, at most.
	entrySize = 320
	// escaped is how many bytes of JSON one byte of a text becomes, at most.
	escaped = 6
	// maxDrops is how many dead pages go with one entry: where each costs a call, no
	// entry waits for all of them.
	maxDrops = 16
	// MaxPages is how many pages a ledger lists: their lines are part of it.
	MaxPages = 4096
)

// Ledger is the log of a group. Its slices are never changed in place.
type Ledger struct {
	// Log is the name of this log, empty before its first entry.
	Log string
	// Seq is the number of the last entry, Pages and Tail have the living ones.
	Seq   uint64
	Pages []Page
	Tail  []revocation.Entry
}

// Page is a document of entries.
type Page struct {
	// ID is drawn: pages of writers that race do not meet.
	ID string
	// Last is the number of its last entry, Count how many it has, Dies when the last
	// of them does.
	Last  uint64
	Count int
	Dies  time.Time
}

// Written is what one entry changes.
type Written struct {
	Ledger Ledger
	// Page is one to write before the ledger is, with Entries; nil when there is
	// none to write.
	Page    *Page
	Entries []revocation.Entry
	// Dropped are pages that the ledger before has and this one has not.
	Dropped []Page
}

// Len is how many entries the ledger holds.
func (l Ledger) Len() int {
	n := len(l.Tail)
	for _, p := range l.Pages {
		n += p.Count
	}
	return n
}

// With is the ledger with one more entry. draw makes a name that hardly anything has;
// it is asked again for one that a page of the ledger has.
//
// Errors: revocation.ErrInvalid, revocation.ErrFull, ports.ErrExists.
func (l Ledger) With(e revocation.Entry, room int, draw func() string) (Written, error) {
	if err := e.Check(); err != nil {
		return Written{}, err
	}
	for _, old := range l.Tail[max(0, len(l.Tail)-ports.Recent):] {
		if old.ID == e.ID {
			return Written{}, fmt.Errorf("%w: the revocation %s", ports.ErrExists, e.ID)
		}
	}
	w := Written{Ledger: Ledger{Log: l.Log, Seq: l.Seq + 1}}
	if l.Log == "" {
		w.Ledger.Log = draw()
	}
	now := e.CreatedAt
	dead := 0
	for _, p := range l.Pages {
		switch {
		case !now.After(p.Dies.Add(revocation.Slack)):
		case len(w.Dropped) < maxDrops:
			w.Dropped = append(w.Dropped, p)
			continue
		default:
			dead += p.Count
		}
		w.Ledger.Pages = append(w.Ledger.Pages, p)
	}
	tail := make([]revocation.Entry, 0, len(l.Tail)+1)
	for _, old := range l.Tail {
		if !old.DeadAt(now) {
			tail = append(tail, old)
		}
	}
	if n := (Ledger{Pages: w.Ledger.Pages, Tail: tail}).Len() - dead; n >= room {
		return Written{}, fmt.Errorf("%w: %d", revocation.ErrFull, n)
	}
	e.Seq = w.Ledger.Seq
	tail = append(tail, e)
	if size(tail) > tailSize {
		if len(w.Ledger.Pages) >= MaxPages {
			return Written{}, fmt.Errorf("%w: its log has %d pages", revocation.ErrFull, MaxPages)
		}
		full := len(tail) - ports.Recent
		w.Entries, tail = tail[:full:full], slices.Clone(tail[full:])
		w.Page = newPage(l.unused(draw), w.Entries)
		w.Ledger.Pages = append(w.Ledger.Pages, *w.Page)
	}
	w.Ledger.Tail = tail
	return w, nil
}

// unused draws a name that no page of the ledger has. A page under one that is taken
// would replace entries that live.
func (l Ledger) unused(draw func() string) string {
	for {
		id := draw()
		if !slices.ContainsFunc(l.Pages, func(p Page) bool { return p.ID == id }) {
			return id
		}
	}
}

func newPage(id string, entries []revocation.Entry) *Page {
	p := &Page{ID: id, Last: entries[len(entries)-1].Seq, Count: len(entries)}
	for _, e := range entries {
		if e.ExpiresAt.After(p.Dies) {
			p.Dies = e.ExpiresAt
		}
	}
	return p
}

// size bounds what entries take in a document.
func size(entries []revocation.Entry) int {
	n := 0
	for _, e := range entries {
		n += entrySize + written(e.Note)
		if e.Kind != revocation.Token {
			n += written(e.Subject)
		}
	}
	return n
}

// written bounds what a text takes in a document.
func written(text string) int {
	n := len(text)
	for _, r := range text {
		if r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029", r) {
			n += escaped - 1
		}
	}
	return n
}

// from is where reading goes on from a cursor; anew says that it begins at the start.
func (l Ledger) from(since revocation.Cursor) (seq uint64, anew bool) {
	if since.Log != l.Log || since.Seq > l.Seq {
		return 0, true
	}
	return since.Seq, false
}

// Unread are the pages that [Ledger.Since] reads for a cursor, at most so many.
func (l Ledger) Unread(since revocation.Cursor, most int) []Page {
	seq, _ := l.from(since)
	first := slices.IndexFunc(l.Pages, func(p Page) bool { return p.Last > seq })
	if first < 0 {
		return nil
	}
	return l.Pages[first:min(first+most, len(l.Pages))]
}

// Since is what the ledger has after a cursor. read reads a page, and at most so many
// of them are read, one at least.
func (l Ledger) Since(since revocation.Cursor, most int, read func(Page) ([]revocation.Entry, error)) (revocation.Changes, error) {
	seq, anew := l.from(since)
	c := revocation.Changes{Next: revocation.Cursor{Log: l.Log, Seq: l.Seq}, Anew: anew}
	pages := l.Unread(since, most)
	for _, p := range pages {
		entries, err := read(p)
		if err != nil {
			return revocation.Changes{}, err
		}
		c.Entries = append(c.Entries, after(entries, seq)...)
	}
	if n := len(pages); n > 0 && pages[n-1].Last != l.Pages[len(l.Pages)-1].Last {
		c.More, c.Next.Seq = true, pages[n-1].Last
		return c, nil
	}
	c.Entries = append(c.Entries, after(l.Tail, seq)...)
	return c, nil
}

func after(entries []revocation.Entry, seq uint64) []revocation.Entry {
	for i, e := range entries {
		if e.Seq > seq {
			return entries[i:]
		}
	}
	return nil
}

// errLedger is of a ledger that contradicts itself.
var errLedger = errors.New("it contradicts itself")

// Check refuses a ledger that [Ledger.With] does not make.
func (l Ledger) Check() error {
	if l.Log == "" && l.Seq > 0 || len(l.Pages) > MaxPages {
		return errLedger
	}
	last := uint64(0)
	for _, p := range l.Pages {
		if p.Last <= last || p.Last > l.Seq || p.Count < 1 || uint64(p.Count) > p.Last-last || p.ID == "" || p.Dies.IsZero() {
			return errLedger
		}
		last = p.Last
	}
	if err := CheckEntries(l.Tail, last); err != nil {
		return err
	}
	if n := len(l.Tail); n > 0 && l.Tail[n-1].Seq != l.Seq || n == 0 && l.Seq > 0 {
		return errLedger
	}
	return nil
}

// CheckEntries refuses entries whose numbers do not rise from after on, or that break
// a rule of their own.
func CheckEntries(entries []revocation.Entry, after uint64) error {
	for _, e := range entries {
		if e.Seq <= after {
			return errLedger
		}
		after = e.Seq
		if err := e.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Is reports whether entries are those of the page.
func (p Page) Is(entries []revocation.Entry) bool {
	if len(entries) == 0 {
		return false
	}
	is := newPage(p.ID, entries)
	return is.Last == p.Last && is.Count == p.Count && is.Dies.Equal(p.Dies)
}
