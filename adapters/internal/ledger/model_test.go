package ledger_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
	"embedseal/ports"
)

// equal compares entries and what is made of them; none of theirs has a mark.
func equal() cmp.Option {
	return cmp.Comparer(func(a, b replay.Mark) bool { return a == b })
}

// book is a ledger with its pages, and beside it the plain list of what was written.
type book struct {
	ledger ledger.Ledger
	pages  map[string][]revocation.Entry
	list   []revocation.Entry
	now    time.Time
	drawn  int
}

// draw repeats itself: With has to ask again.
func (b *book) draw() string {
	b.drawn++
	return strconv.Itoa(b.drawn / 3 % 50)
}

func (b *book) read(p ledger.Page) ([]revocation.Entry, error) {
	entries, there := b.pages[p.ID]
	if !there {
		return nil, errors.New("there is no page " + p.ID)
	}
	return entries, nil
}

// living is what must be read.
func (b *book) living() []revocation.Entry {
	var all []revocation.Entry
	for _, e := range b.list {
		if !e.DeadAt(b.now) {
			all = append(all, e)
		}
	}
	return all
}

// write adds an entry, and compares what became of it with the list.
func (b *book) write(t *rapid.T, e revocation.Entry, room int) {
	before, whole := b.ledger, copied(b.ledger)
	b.now = e.CreatedAt
	living := b.living()
	recent := b.list[max(0, len(b.list)-ports.Recent):]
	isIn := func(list []revocation.Entry) bool {
		return slices.ContainsFunc(list, func(old revocation.Entry) bool { return old.ID == e.ID && !old.DeadAt(b.now) })
	}
	w, err := before.With(e, room, b.draw)
	if diff := cmp.Diff(whole, before, equal()); diff != "" {
		t.Fatalf("the ledger before was changed in place:\n%s", diff)
	}
	switch {
	case errors.Is(err, ports.ErrExists):
		if !slices.ContainsFunc(b.list, func(old revocation.Entry) bool { return old.ID == e.ID }) {
			t.Fatalf("%s is said to be there", e.ID)
		}
		return
	case errors.Is(err, revocation.ErrFull):
		if before.Len() < room {
			t.Fatalf("%d are said to be too many for %d", before.Len(), room)
		}
		return
	case err != nil:
		t.Fatal(err)
	}
	if isIn(recent) || len(living) >= room {
		t.Fatalf("%s was added: it was there: %t; %d live where %d have room", e.ID, isIn(recent), len(living), room)
	}
	b.take(t, before, w)
	e.Seq = uint64(len(b.list)) + 1
	b.list = append(b.list, e)
	if b.ledger.Seq != e.Seq || b.ledger.Log == "" || before.Log != "" && b.ledger.Log != before.Log {
		t.Fatalf("entry %d ends the log %q at %d, which was %q", e.Seq, b.ledger.Log, b.ledger.Seq, before.Log)
	}
}

// take carries out what one entry changes.
func (b *book) take(t *rapid.T, before ledger.Ledger, w ledger.Written) {
	if err := w.Ledger.Check(); err != nil {
		t.Fatal(err)
	}
	if n := ledger.Size(w.Ledger.Tail); n > ledger.TailSize {
		t.Fatalf("the latest entries take up to %d bytes", n)
	}
	if len(w.Dropped) > ledger.MaxDrops {
		t.Fatalf("%d pages are dropped at a time", len(w.Dropped))
	}
	for _, p := range w.Dropped {
		if !slices.Contains(before.Pages, p) || slices.Contains(w.Ledger.Pages, p) {
			t.Fatalf("page %+v is dropped, and was not there or is still", p)
		}
		for _, e := range b.pages[p.ID] {
			if !e.DeadAt(b.now) {
				t.Fatalf("page %+v is dropped with an entry that lives", p)
			}
		}
		delete(b.pages, p.ID)
	}
	if w.Page != nil {
		if _, taken := b.pages[w.Page.ID]; taken {
			t.Fatalf("the name %s has another page", w.Page.ID)
		}
		if !w.Page.Is(w.Entries) || w.Ledger.Pages[len(w.Ledger.Pages)-1] != *w.Page {
			t.Fatalf("page %+v is not its entries, or not the last one", *w.Page)
		}
		b.pages[w.Page.ID] = w.Entries
	}
	if len(b.pages) != len(w.Ledger.Pages) {
		t.Fatalf("%d pages are kept, and %d are listed", len(b.pages), len(w.Ledger.Pages))
	}
	b.ledger = w.Ledger
}

func copied(l ledger.Ledger) ledger.Ledger {
	l.Pages, l.Tail = slices.Clone(l.Pages), slices.Clone(l.Tail)
	return l
}

// reader reads step by step, while others write.
type reader struct {
	at   revocation.Cursor
	have []revocation.Entry
}

// step reads once, and says whether the reader is at the end.
func (r *reader) step(t *rapid.T, b *book, pages int) (end bool) {
	var asked int
	foreign := r.at.Log != b.ledger.Log || r.at.Seq > b.ledger.Seq
	c, err := b.ledger.Since(r.at, pages, func(p ledger.Page) ([]revocation.Entry, error) {
		asked++
		return b.read(p)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := len(b.ledger.Unread(r.at, pages)); asked != want {
		t.Fatalf("%d pages are read, and %d are said to be", asked, want)
	}
	if c.Anew != foreign || asked > pages || c.More && (asked < pages || len(c.Entries) == 0) {
		t.Fatalf("from %+v of %q: anew %t, more %t, %d of %d pages, %d entries", r.at, b.ledger.Log, c.Anew, c.More, asked, pages, len(c.Entries))
	}
	if c.Anew {
		r.at, r.have = revocation.Cursor{}, nil
	}
	for _, e := range c.Entries {
		if e.Seq <= r.at.Seq {
			t.Fatalf("after %d comes %d", r.at.Seq, e.Seq)
		}
		r.at.Seq = e.Seq
		if diff := cmp.Diff(b.list[e.Seq-1], e, equal()); diff != "" {
			t.Fatalf("entry %d is another (-want +got):\n%s", e.Seq, diff)
		}
	}
	if c.Next.Log != b.ledger.Log || c.More && c.Next.Seq != r.at.Seq || !c.More && c.Next.Seq != b.ledger.Seq {
		t.Fatalf("read to %d of %d, more %t, and on it goes from %+v", r.at.Seq, b.ledger.Seq, c.More, c.Next)
	}
	r.have, r.at = append(r.have, c.Entries...), c.Next
	return !c.More
}

// holds compares what a reader at the end has with what lives.
func (r *reader) holds(t *rapid.T, b *book) {
	have := map[uint64]bool{}
	for _, e := range r.have {
		have[e.Seq] = true
	}
	for _, e := range b.living() {
		if !have[e.Seq] {
			t.Fatalf("a reader who went on to the end has not read entry %d", e.Seq)
		}
	}
}

// Whatever is written, whatever dies, and whoever reads in what steps: a reader who
// has come to the end has every entry that lives, each once, in order, as in a list.
func TestALedgerIsReadAsTheListOfWhatWasWritten(t *testing.T) {
	pages, drops := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		b := &book{pages: map[string][]revocation.Entry{}, now: start()}
		readers := make([]reader, 3)
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				was := len(b.ledger.Pages)
				lives := rapid.SampledFrom([]time.Duration{time.Hour, 3 * time.Hour, 100 * time.Hour}).Draw(t, "lives")
				kind := entry
				if rapid.Bool().Draw(t, "long") {
					kind = long
				}
				for range rapid.IntRange(1, 25).Draw(t, "entries") {
					n++
					b.write(t, kind(n, b.now, lives), math.MaxInt)
				}
				pages += max(0, len(b.ledger.Pages)-was)
			},
			"write again": func(t *rapid.T) {
				again := rapid.IntRange(max(1, n-12), n+1).Draw(t, "number")
				n = max(n, again)
				b.write(t, entry(again, b.now, time.Hour), math.MaxInt)
			},
			"write where there is little room": func(t *rapid.T) {
				n++
				b.write(t, entry(n, b.now, time.Hour), max(0, b.ledger.Len()+rapid.IntRange(-2, 1).Draw(t, "room")))
			},
			"wait": func(t *rapid.T) {
				was := len(b.ledger.Pages)
				n++
				b.write(t, entry(n, b.now.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "hours"))*time.Hour), time.Hour), math.MaxInt)
				drops += max(0, was-len(b.ledger.Pages))
			},
			"read": func(t *rapid.T) {
				r := &readers[rapid.IntRange(0, len(readers)-1).Draw(t, "reader")]
				if r.step(t, b, rapid.IntRange(1, 4).Draw(t, "pages")) {
					r.holds(t, b)
				}
			},
			"read anew": func(t *rapid.T) {
				r := reader{at: rapid.SampledFrom([]revocation.Cursor{
					{}, {Log: "another", Seq: 1}, {Log: b.ledger.Log, Seq: b.ledger.Seq + 1}, {Seq: 3},
				}).Draw(t, "cursor")}
				r.step(t, b, 2) // before that cursor comes to be a good one
				readers[0] = r
			},
		})
		for i := range readers {
			for !readers[i].step(t, b, 1) {
			}
			readers[i].holds(t, b)
		}
	})
	if pages == 0 || drops == 0 {
		t.Errorf("there were %d pages, and %d were dropped: that shows nothing", pages, drops)
	}
}
