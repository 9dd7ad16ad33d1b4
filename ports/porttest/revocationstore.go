package porttest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/group"
	"embedseal/domain/label"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

// RevocationStores opens the stores under test.
type RevocationStores struct {
	// Open returns an empty store, a new one on each call, and its groups.
	Open func(t *testing.T) (ports.RevocationStore, ports.GroupStore)
	// Reopen closes the store last opened and returns one over its data. Nil when the
	// store does not outlive the process: nothing is asked of it then.
	Reopen func(t *testing.T) (ports.RevocationStore, ports.GroupStore)
	// Many is how many entries fill more than a few documents of the store; 2000 when
	// zero.
	Many int
}

// RevocationStore runs the contract of [ports.RevocationStore].
func RevocationStore(t *testing.T, with RevocationStores) {
	if with.Many == 0 {
		with.Many = 2000
	}
	for _, check := range []struct {
		sentence string
		run      func(*testing.T, RevocationStores)
	}{
		{"a group that nobody revoked in has an empty log", emptyLog},
		{"an entry is read back as it was written, under its number", entrySurvives},
		{"a reader gets what came after its cursor, and nothing twice", newsOnly},
		{"a log longer than a document is read in steps", longLog},
		{"what is dead is removed, and what lives is not", deadEntries},
		{"dead entries make room", deadMakeRoom},
		{"an entry that was added before is not added again", addedOnce},
		{"a log holds no more than there is room for", fullLog},
		{"a cursor of another log, or beyond the end, begins anew", foreignCursor},
		{"groups do not see one another", revocationIsolation},
		{"a group that is deleted, or made anew, has none", groupWithout},
		{"an entry that breaks a rule is refused", invalidEntry},
		{"no concurrent entry is lost, and each has a number of its own", concurrentEntries},
		{"a cancelled context stops every call", cancelledRevocation},
		{"a group that no constructor made has none and gets none", unsafeRevocation},
	} {
		t.Run(check.sentence, func(t *testing.T) { check.run(t, with) })
	}
	if with.Reopen != nil {
		t.Run("revocations outlive the process", func(t *testing.T) { durableRevocations(t, with) })
	}
}

// roomy is more than any of these tests needs.
const roomy = 1 << 20

// newEntry is the entry of a token that is told from others by n.
func newEntry(n int) revocation.Entry {
	var id [8]byte
	copy(id[:], fmt.Sprintf("%08d", n))
	f := token.FingerprintOfSealed([]byte(strconv.Itoa(n)))
	return revocation.Entry{
		ID: revocation.NewID(id), Kind: revocation.Token, Subject: f.String(),
		CreatedAt: start(), ExpiresAt: start().Add(24 * time.Hour),
	}
}

// everyEntry has every kind, with the longest and the strangest texts.
func everyEntry(t *testing.T) []revocation.Entry {
	var list []revocation.Entry
	for i, of := range []struct {
		kind    revocation.Kind
		subject string
	}{
		{revocation.Customer, `Röhren & <Söhne> "1"` + "\u2028\\"},
		{revocation.Customer, strings.Repeat("<", token.MaxID)},
		{revocation.Embed, strings.Repeat("&", token.MaxID)},
		{revocation.Key, "aa111111-1a11-111a-aa11-1aaaa11a1a11"},
	} {
		e := newEntry(1000 + i)
		e.Kind, e.Subject, e.Before = of.kind, of.subject, start().Add(-time.Duration(i)*time.Second)
		e.Note = strings.Repeat("<", label.MaxNote)
		list = append(list, e)
	}
	marked := newEntry(1)
	marked.Creation, marked.Note = newMark(t), "asked for by\n\tÄ & Ö"
	return append(list, newEntry(2), marked)
}

func mustRevoke(t *testing.T, s ports.RevocationStore, g group.ID, entries ...revocation.Entry) (end revocation.Cursor) {
	t.Helper()
	for _, e := range entries {
		err := insist(func() (err error) {
			end, err = s.Revoke(t.Context(), g, e, roomy)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return end
}

// readLog reads all that came after a cursor.
func readLog(t *testing.T, s ports.RevocationStore, g group.ID, since revocation.Cursor) (all []revocation.Entry, next revocation.Cursor, steps int) {
	t.Helper()
	for {
		c, err := s.Changes(t.Context(), g, since)
		if err != nil {
			t.Fatal(err)
		}
		if c.Anew && steps > 0 {
			t.Fatal("it began anew between two steps")
		}
		if c.More && len(c.Entries) == 0 {
			t.Fatal("there is more, and none of it came")
		}
		all, since, steps = append(all, c.Entries...), c.Next, steps+1
		if !c.More {
			return all, since, steps
		}
	}
}

func wantLog(t *testing.T, s ports.RevocationStore, g group.ID, want ...revocation.Entry) {
	t.Helper()
	got, _, _ := readLog(t, s, g, revocation.Cursor{})
	if diff := cmp.Diff(want, got, sameMark()); diff != "" {
		t.Errorf("the log of %s (-want +got):\n%s", g, diff)
	}
}

func numbered(entries ...revocation.Entry) []revocation.Entry {
	list := make([]revocation.Entry, len(entries))
	for i, e := range entries {
		e.Seq = uint64(i) + 1
		list[i] = e
	}
	return list
}

func emptyLog(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	c, err := s.Changes(t.Context(), "acme", revocation.Cursor{})
	if err != nil || len(c.Entries) > 0 || c.More || c.Next != (revocation.Cursor{}) {
		t.Errorf("got %+v (%v)", c, err)
	}
}

func entrySurvives(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	every := everyEntry(t)
	for i, e := range every {
		if end := mustRevoke(t, s, "acme", e); end.Seq != uint64(i)+1 || end.Log == "" {
			t.Errorf("number %d ends the log at %+v", i, end)
		}
	}
	wantLog(t, s, "acme", numbered(every...)...)
}

func newsOnly(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	mustRevoke(t, s, "acme", newEntry(1), newEntry(2))
	_, at, _ := readLog(t, s, "acme", revocation.Cursor{})
	for n := 3; n < 40; n++ {
		end := mustRevoke(t, s, "acme", newEntry(n))
		c, err := s.Changes(t.Context(), "acme", at)
		if err != nil || c.Anew || c.More || c.Next != end || len(c.Entries) != 1 || c.Entries[0].ID != newEntry(n).ID {
			t.Fatalf("after %d: got %+v (%v), want the one at %+v", n, c, err, end)
		}
		at = c.Next
	}
	if c, err := s.Changes(t.Context(), "acme", at); err != nil || c.Anew || len(c.Entries) > 0 || c.Next != at {
		t.Errorf("nothing came since, and there is %+v (%v)", c, err)
	}
}

func longLog(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	var want []revocation.Entry
	var cursors []revocation.Cursor
	for n := range with.Many {
		e := newEntry(n)
		e.Note = strings.Repeat("n", 900) // fewer of them fill a document
		cursors = append(cursors, mustRevoke(t, s, "acme", e))
		want = append(want, e)
	}
	want = numbered(want...)
	for _, from := range []int{0, 1, with.Many / 3, with.Many - 2, with.Many} {
		var at revocation.Cursor
		if from > 0 {
			at = cursors[from-1]
		}
		got, next, _ := readLog(t, s, "acme", at)
		if len(got) != len(want)-from || len(got) > 0 && (got[0].Seq != uint64(from)+1 || next != cursors[len(cursors)-1]) {
			t.Errorf("from %d: got %d entries to %+v, want %d", from, len(got), next, len(want)-from)
		}
		for i := range got {
			if got[i].Seq != want[from+i].Seq || got[i].Subject != want[from+i].Subject {
				t.Fatalf("from %d: entry %d is %+v", from, i, got[i])
			}
		}
	}
}

func deadEntries(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	long := newEntry(0)
	long.ExpiresAt = start().AddDate(1, 0, 0)
	mustRevoke(t, s, "acme", long)
	for n := range 50 {
		mustRevoke(t, s, "acme", newEntry(1+n))
	}
	_, at, _ := readLog(t, s, "acme", revocation.Cursor{})
	late := newEntry(99)
	late.CreatedAt = start().Add(24*time.Hour + revocation.Slack + time.Second)
	late.ExpiresAt = late.CreatedAt.Add(time.Hour)
	mustRevoke(t, s, "acme", late)
	long.Seq, late.Seq = 1, 52
	wantLog(t, s, "acme", long, late)
	if c, err := s.Changes(t.Context(), "acme", at); err != nil || c.Anew || len(c.Entries) != 1 || c.Entries[0].Seq != 52 {
		t.Errorf("a reader that had the dead ones gets %+v (%v)", c, err)
	}
}

func deadMakeRoom(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	for n := range 5 {
		mustRevoke(t, s, "acme", newEntry(n))
	}
	e := newEntry(9)
	if _, err := s.Revoke(t.Context(), "acme", e, 5); !errors.Is(err, revocation.ErrFull) {
		t.Fatalf("got %v, want %v", err, revocation.ErrFull)
	}
	e.CreatedAt, e.ExpiresAt = start().AddDate(0, 0, 3), start().AddDate(0, 0, 4)
	if _, err := s.Revoke(t.Context(), "acme", e, 5); err != nil {
		t.Fatal(err)
	}
	e.Seq = 6
	wantLog(t, s, "acme", e)
}

func addedOnce(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	var all []revocation.Entry
	for n := range ports.Recent {
		all = append(all, newEntry(n))
	}
	mustRevoke(t, s, "acme", all...)
	again := newEntry(0)
	again.Note = "another"
	if _, err := s.Revoke(t.Context(), "acme", again, roomy); !errors.Is(err, ports.ErrExists) {
		t.Errorf("got %v, want %v", err, ports.ErrExists)
	}
	wantLog(t, s, "acme", numbered(all...)...)
	mustRevoke(t, s, "globex", again)
}

func fullLog(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	var all []revocation.Entry
	for n := range 4 {
		all = append(all, newEntry(n))
		if _, err := s.Revoke(t.Context(), "acme", all[n], 4); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Revoke(t.Context(), "acme", newEntry(4), 4); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("got %v, want %v", err, revocation.ErrFull)
	}
	wantLog(t, s, "acme", numbered(all...)...)
}

func foreignCursor(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	end := mustRevoke(t, s, "acme", newEntry(1), newEntry(2))
	for _, at := range []revocation.Cursor{
		{}, {Log: "another", Seq: 1}, {Log: end.Log, Seq: end.Seq + 1}, {Seq: 2},
	} {
		c, err := s.Changes(t.Context(), "acme", at)
		if err != nil || !c.Anew || len(c.Entries) != 2 || c.Next != end {
			t.Errorf("from %+v: got %+v (%v)", at, c, err)
		}
	}
	// Of a group that has none, too.
	c, err := s.Changes(t.Context(), "globex", end)
	if err != nil || !c.Anew || len(c.Entries) > 0 {
		t.Errorf("of a group without: got %+v (%v)", c, err)
	}
}

func revocationIsolation(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	names := []group.ID{"a", "a-00000001", "a-", "acme", "0", group.ID(strings.Repeat("m", group.MaxID))}
	for i, g := range names {
		mustRevoke(t, s, g, newEntry(i))
	}
	for i, g := range names {
		wantLog(t, s, g, numbered(newEntry(i))...)
	}
}

func groupWithout(t *testing.T, with RevocationStores) {
	s, groups := with.Open(t)
	mustCreate(t, groups, newGroup("acme"))
	mustCreate(t, groups, newGroup("acme-2"))
	mustRevoke(t, s, "acme-2", newEntry(7))
	var last revocation.Cursor
	for n := range 300 { // so that there is more than one document
		e := newEntry(n)
		e.Note = strings.Repeat("n", 900)
		last = mustRevoke(t, s, "acme", e)
	}
	if err := groups.DeleteGroup(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, "acme")
	mustRevoke(t, s, "acme", newEntry(1)) // by whoever did not know yet
	mustCreate(t, groups, newGroup("acme"))
	wantLog(t, s, "acme")
	end := mustRevoke(t, s, "acme", newEntry(2))
	if c, err := s.Changes(t.Context(), "acme", last); err != nil || !c.Anew || end.Log == last.Log || len(c.Entries) != 1 {
		t.Errorf("a reader of the log before gets %+v (%v)", c, err)
	}
	wantLog(t, s, "acme-2", numbered(newEntry(7))...)
}

func invalidEntry(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	mustRevoke(t, s, "acme", newEntry(1))
	for name, spoil := range map[string]func(*revocation.Entry){
		"no id":             func(e *revocation.Entry) { e.ID = "" },
		"no kind":           func(e *revocation.Entry) { e.Kind = revocation.KindUnknown },
		"upper case":        func(e *revocation.Entry) { e.Subject = strings.ToUpper(e.Subject) },
		"a token's instant": func(e *revocation.Entry) { e.Before = start() },
		"no instant":        func(e *revocation.Entry) { e.Kind, e.Subject = revocation.Customer, "c" },
		"no end":            func(e *revocation.Entry) { e.ExpiresAt = time.Time{} },
		"part of a second":  func(e *revocation.Entry) { e.CreatedAt = e.CreatedAt.Add(1) },
		"a control":         func(e *revocation.Entry) { e.Note = "\x1b[2J" },
	} {
		e := newEntry(2)
		spoil(&e)
		if _, err := s.Revoke(t.Context(), "acme", e, roomy); !errors.Is(err, revocation.ErrInvalid) {
			t.Errorf("%s: got %v, want %v", name, err, revocation.ErrInvalid)
		}
	}
	wantLog(t, s, "acme", numbered(newEntry(1))...)
}

func concurrentEntries(t *testing.T, with RevocationStores) {
	const writers, each = 8, 5
	s, _ := with.Open(t)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if err := insist(func() error {
					_, err := s.Revoke(t.Context(), "acme", newEntry(w*each+n), roomy)
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, next, _ := readLog(t, s, "acme", revocation.Cursor{})
	seen := map[revocation.ID]bool{}
	for i, e := range got {
		if e.Seq != uint64(i)+1 {
			t.Errorf("entry %d has the number %d", i, e.Seq)
		}
		seen[e.ID] = true
	}
	if len(seen) != writers*each || next.Seq != writers*each {
		t.Errorf("%d entries are there, want %d; the log ends at %d", len(seen), writers*each, next.Seq)
	}
}

func cancelledRevocation(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	mustRevoke(t, s, "acme", newEntry(1))
	ctx := cancelled(t)
	if _, err := s.Revoke(ctx, "acme", newEntry(2), roomy); !errors.Is(err, ctx.Err()) {
		t.Errorf("Revoke answers %v, want %v", err, ctx.Err())
	}
	if _, err := s.Changes(ctx, "acme", revocation.Cursor{}); !errors.Is(err, ctx.Err()) {
		t.Errorf("Changes answers %v, want %v", err, ctx.Err())
	}
	wantLog(t, s, "acme", numbered(newEntry(1))...)
}

func unsafeRevocation(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	mustRevoke(t, s, "acme", newEntry(1))
	for _, id := range unsafeIDs() {
		if _, err := s.Revoke(t.Context(), id, newEntry(2), roomy); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("Revoke in %q: got %v, want %v", id, err, ports.ErrNotFound)
		}
		if _, err := s.Changes(t.Context(), id, revocation.Cursor{}); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("Changes of %q: got %v, want %v", id, err, ports.ErrNotFound)
		}
	}
	wantLog(t, s, "acme", numbered(newEntry(1))...)
}

func durableRevocations(t *testing.T, with RevocationStores) {
	s, _ := with.Open(t)
	every := everyEntry(t)
	end := mustRevoke(t, s, "acme", every...)
	for range 2 {
		s, _ = with.Reopen(t)
		wantLog(t, s, "acme", numbered(every...)...)
		if c, err := s.Changes(t.Context(), "acme", end); err != nil || c.Anew || len(c.Entries) > 0 {
			t.Errorf("from %+v: got %+v (%v)", end, c, err)
		}
	}
}
