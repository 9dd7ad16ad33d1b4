package ledger_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

func start() time.Time { return time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC) }

// entry is one of a customer, which lives for so long from then on.
func entry(n int, at time.Time, life time.Duration) revocation.Entry {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return revocation.Entry{
		ID: revocation.NewID(id), Kind: revocation.Customer, Subject: fmt.Sprint("customer_", n),
		Before: at, CreatedAt: at, ExpiresAt: at.Add(life),
	}
}

// long is the largest entry there is: six bytes of JSON for each of its texts.
func long(n int, at time.Time, life time.Duration) revocation.Entry {
	e := entry(n, at, life)
	e.Subject, e.Note = strings.Repeat("<", token.MaxID), strings.Repeat("<", 1000)
	return e
}

// site is a ledger with the pages that it lists, and all that was ever written to it.
type site struct {
	ledger ledger.Ledger
	pages  map[string][]revocation.Entry
	all    []revocation.Entry
	drawn  int
}

func newSite() *site { return &site{pages: map[string][]revocation.Entry{}} }

func (s *site) draw() string {
	s.drawn++
	return fmt.Sprintf("%08x", s.drawn)
}

// write adds an entry, as a store does: the page first, then the ledger.
func (s *site) write(e revocation.Entry, room int) error {
	w, err := s.ledger.With(e, room, s.draw)
	if err != nil {
		return err
	}
	if w.Page != nil {
		s.pages[w.Page.ID] = w.Entries
	}
	for _, p := range w.Dropped {
		delete(s.pages, p.ID)
	}
	s.ledger = w.Ledger
	e.Seq = w.Ledger.Seq
	s.all = append(s.all, e)
	return nil
}

func (s *site) read(p ledger.Page) ([]revocation.Entry, error) {
	entries, there := s.pages[p.ID]
	if !there {
		return nil, errors.New("the page is gone")
	}
	return entries, nil
}

// follow reads on from a cursor until there is no more, so many pages at a time.
func (s *site) follow(tb rapid.TB, since revocation.Cursor, pages int) (entries []revocation.Entry, anew bool, next revocation.Cursor) {
	tb.Helper()
	for {
		c, err := s.ledger.Since(since, pages, s.read)
		if err != nil {
			tb.Fatal(err)
		}
		if c.Anew {
			anew, entries = true, nil
		}
		entries = append(entries, c.Entries...)
		if !c.More {
			return entries, anew, c.Next
		}
		if c.Next == since {
			tb.Fatalf("reading does not go on from %+v", since)
		}
		since = c.Next
	}
}

func TestALedgerStaysSmallWhateverIsWritten(t *testing.T) {
	s := newSite()
	most := 0
	for n := range 2000 {
		if err := s.write(long(n, start(), 24*time.Hour), revocation.MaxEntries); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(s.ledger.Tail))
		for id, entries := range s.pages {
			if size := textOf(entries); size > 300<<10 {
				t.Fatalf("page %s has %d bytes of text", id, size)
			}
		}
	}
	if size := most * (len(long(0, start(), 0).Subject) + len(long(0, start(), 0).Note)) * 6; size > 300<<10 {
		t.Errorf("the tail grew to %d entries, %d bytes of text", most, size)
	}
}

func textOf(entries []revocation.Entry) int {
	n := 0
	for _, e := range entries {
		n += 6 * (len(e.Subject) + len(e.Note))
	}
	return n
}

func TestAFullLedgerRefusesOneMoreUntilSomethingDies(t *testing.T) {
	const room = 5
	s := newSite()
	for n := range room {
		if err := s.write(entry(n, start(), time.Hour), room); err != nil {
			t.Fatal(err)
		}
	}
	before := s.ledger
	if err := s.write(entry(room, start(), time.Hour), room); !errors.Is(err, revocation.ErrFull) || s.ledger.Seq != before.Seq {
		t.Errorf("one more: %v", err)
	}
	later := start().Add(time.Hour + revocation.Slack + time.Second)
	if err := s.write(entry(room, later, time.Hour), room); err != nil || s.ledger.Len() != 1 || s.ledger.Seq != room+1 {
		t.Errorf("when all have died: %v, %d entries", err, s.ledger.Len())
	}
}

func TestNoLedgerListsMorePagesThanItMay(t *testing.T) {
	s := newSite()
	n := 0
	// All pages but the last few were written before.
	s.ledger.Log, s.ledger.Seq = "log", ledger.MaxPages-3
	for seq := range s.ledger.Seq {
		s.ledger.Pages = append(s.ledger.Pages, ledger.Page{
			ID: fmt.Sprint("before-", seq), Last: seq + 1, Count: 1, Dies: start().Add(time.Hour),
		})
	}
	for len(s.ledger.Pages) < ledger.MaxPages {
		if err := s.write(long(n, start(), time.Hour), 1<<30); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := s.ledger.Check(); err != nil {
		t.Fatal(err)
	}
	var full error
	for range 200 { // the tail takes some
		if full = s.write(long(n, start(), time.Hour), 1<<30); full != nil {
			break
		}
		n++
	}
	if !errors.Is(full, revocation.ErrFull) || len(s.ledger.Pages) != ledger.MaxPages {
		t.Fatalf("%d pages, %v", len(s.ledger.Pages), full)
	}
	// Pages that have died go a few with each write, and none of them is read.
	later := start().Add(time.Hour + revocation.Slack + time.Second)
	for range 2 {
		if err := s.write(entry(n, later, time.Hour), 1<<30); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if gone := ledger.MaxPages - len(s.ledger.Pages); gone < 2 || gone > 64 {
		t.Errorf("two writes dropped %d pages", gone)
	}
}

func TestTheSameEntryIsTakenOnce(t *testing.T) {
	s := newSite()
	e := entry(1, start(), time.Hour)
	for range 2 {
		err := s.write(e, 10)
		if s.ledger.Seq == 1 && len(s.all) == 1 && err != nil && !errors.Is(err, ports.ErrExists) {
			t.Fatal(err)
		}
	}
	if len(s.all) != 1 {
		t.Errorf("it was written %d times", len(s.all))
	}
	for n := 2; n < 2+ports.Recent; n++ { // then nobody remembers
		if err := s.write(entry(n, start(), time.Hour), 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write(e, 100); err != nil {
		t.Errorf("behind %d others: %v", ports.Recent, err)
	}
	broken := e
	broken.Subject = ""
	if err := s.write(broken, 100); !errors.Is(err, revocation.ErrInvalid) {
		t.Errorf("one that breaks a rule: %v", err)
	}
}

func TestTheLatestEntriesAreRememberedWhenAPageIsWritten(t *testing.T) {
	s := newSite()
	for n := 0; len(s.ledger.Pages) < 3; n++ {
		pages := len(s.ledger.Pages)
		if err := s.write(long(n, start(), time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
		if len(s.ledger.Pages) == pages {
			continue
		}
		for _, e := range s.all[len(s.all)-ports.Recent:] {
			if err := s.write(e, 1000); !errors.Is(err, ports.ErrExists) {
				t.Fatalf("entry %d again, %d pages: %v", e.Seq, len(s.ledger.Pages), err)
			}
		}
	}
}

// TestTwoWritersOfOneLedgerDoNotShareAnything lets two write on from the same ledger,
// of which a store takes one: the other has changed nothing of what it began with.
func TestTwoWritersOfOneLedgerDoNotShareAnything(t *testing.T) {
	s := newSite()
	for n := range 60 {
		if err := s.write(long(n, start(), time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
	}
	tail := slices.Clone(s.ledger.Tail)
	first, err := s.ledger.With(entry(100, start(), time.Hour), 1000, s.draw)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.ledger.With(entry(200, start(), time.Hour), 1000, s.draw)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.ledger.Tail, tail) {
		t.Error("the ledger that they began with was changed")
	}
	for want, w := range map[int]ledger.Written{100: first, 200: second} {
		if last := w.Ledger.Tail[len(w.Ledger.Tail)-1]; last.Subject != entry(want, start(), 0).Subject {
			t.Errorf("the last of one is %s", last.Subject)
		}
	}
	if first.Page != nil && second.Page != nil && first.Page.ID == second.Page.ID {
		t.Error("both write the same page")
	}
}

func TestACursorOfAnotherLogOrBeyondTheEndReadsAnew(t *testing.T) {
	s := newSite()
	for n := range 3 {
		if err := s.write(entry(n, start(), time.Hour), 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, since := range []revocation.Cursor{{}, {Log: "another", Seq: 1}, {Log: s.ledger.Log, Seq: 4}} {
		if got, anew, _ := s.follow(t, since, 1); !anew || len(got) != 3 {
			t.Errorf("from %+v: %d entries, anew is %t", since, len(got), anew)
		}
	}
	if got, anew, _ := s.follow(t, revocation.Cursor{Log: s.ledger.Log, Seq: 2}, 1); anew || len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("behind the second: %+v, anew is %t", got, anew)
	}
}

func TestAPageThatCannotBeReadIsNoPageWithoutEntries(t *testing.T) {
	s := newSite()
	for n := range 60 {
		if err := s.write(long(n, start(), time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
	}
	clear(s.pages)
	if c, err := s.ledger.Since(revocation.Cursor{}, 100, s.read); err == nil {
		t.Errorf("there are %d entries", len(c.Entries))
	}
}

// TestALedgerThatContradictsItselfIsRefused damages one in each way.
func TestALedgerThatContradictsItselfIsRefused(t *testing.T) {
	make60 := func() ledger.Ledger {
		s := newSite()
		for n := range 60 {
			if err := s.write(long(n, start(), time.Hour), 1000); err != nil {
				t.Fatal(err)
			}
		}
		l := s.ledger
		l.Pages, l.Tail = slices.Clone(l.Pages), slices.Clone(l.Tail)
		if len(l.Pages) < 2 {
			t.Fatal("there are not enough pages")
		}
		return l
	}
	if err := make60().Check(); err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func(*ledger.Ledger){
		"without a name":                func(l *ledger.Ledger) { l.Log = "" },
		"a number too high":             func(l *ledger.Ledger) { l.Seq++ },
		"a number too low":              func(l *ledger.Ledger) { l.Seq-- },
		"without its tail":              func(l *ledger.Ledger) { l.Tail = nil },
		"without the last entry":        func(l *ledger.Ledger) { l.Tail = l.Tail[:len(l.Tail)-1] },
		"entries in another order":      func(l *ledger.Ledger) { l.Tail[0], l.Tail[1] = l.Tail[1], l.Tail[0] },
		"an entry twice":                func(l *ledger.Ledger) { l.Tail[1] = l.Tail[0] },
		"an entry that breaks a rule":   func(l *ledger.Ledger) { l.Tail[0].Subject = "" },
		"pages in another order":        func(l *ledger.Ledger) { l.Pages[0], l.Pages[1] = l.Pages[1], l.Pages[0] },
		"a page twice":                  func(l *ledger.Ledger) { l.Pages[1] = l.Pages[0] },
		"a page without a name":         func(l *ledger.Ledger) { l.Pages[0].ID = "" },
		"a page without entries":        func(l *ledger.Ledger) { l.Pages[0].Count = 0 },
		"a page that never dies":        func(l *ledger.Ledger) { l.Pages[0].Dies = time.Time{} },
		"a page beyond the end":         func(l *ledger.Ledger) { l.Pages[len(l.Pages)-1].Last = l.Seq + 1 },
		"more entries than numbers":     func(l *ledger.Ledger) { l.Pages[0].Count = int(l.Pages[0].Last) + 1 },
		"more than since the page":      func(l *ledger.Ledger) { l.Pages[1].Count = int(l.Pages[1].Last) },
		"a page that reaches into tail": func(l *ledger.Ledger) { l.Pages[len(l.Pages)-1].Last = l.Tail[0].Seq },
	} {
		l := make60()
		damage(&l)
		if err := l.Check(); err == nil {
			t.Errorf("%s: it passes", what)
		}
	}
}

func TestAPageIsKnownByItsEntries(t *testing.T) {
	s := newSite()
	for n := range 60 {
		if err := s.write(long(n, start(), time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
	}
	p := s.ledger.Pages[0]
	entries := s.pages[p.ID]
	if !p.Is(entries) {
		t.Fatal("it is not known by its own")
	}
	later := slices.Clone(entries)
	later[0].ExpiresAt = later[0].ExpiresAt.Add(time.Hour)
	for what, other := range map[string][]revocation.Entry{
		"none": nil, "one too few": entries[1:], "the end is missing": entries[:len(entries)-1], "one that lives longer": later,
	} {
		if p.Is(other) {
			t.Errorf("%s: it is known by that", what)
		}
	}
}

func TestTheFirstEntryNamesTheLog(t *testing.T) {
	s := newSite()
	if err := s.write(entry(0, start(), time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	name := s.ledger.Log
	if _, err := hex.DecodeString(name); err != nil || name == "" {
		t.Fatalf("it is called %q", name)
	}
	if err := s.write(entry(1, start(), time.Hour), 10); err != nil || s.ledger.Log != name {
		t.Errorf("it is called %q now (%v)", s.ledger.Log, err)
	}
}
