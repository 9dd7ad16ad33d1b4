package records_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

func TestACommitThatWroteNothingChangesNothing(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	before := f.copy()
	f.commit = func([]records.Change) error { return errDisk }
	err := update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, "acme", []byte("two")) })
	if err != errDisk { //nolint:errorlint // the medium's error comes back as it was
		t.Errorf("got the error %v", err)
	}
	want(t, s, "acme", "one")
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" || f.reopens != 0 {
		t.Errorf("reopened %d times:\n%s", f.reopens, diff)
	}
	f.commit = nil
	put(t, s, "acme", "three")
	want(t, mustOpen(t, f), "acme", "three")
}

func TestAnUnknownOutcomeIsFoundOutByTheNextCall(t *testing.T) {
	for name, next := range map[string]func(*records.Store) error{
		"a read":            func(s *records.Store) error { _, err := s.Get(records.KindGroup, "acme"); return err },
		"a list":            func(s *records.Store) error { _, err := s.IDs(records.KindGroup); return err },
		"a write":           func(s *records.Store) error { return s.Update(t.Context(), func(*records.Tx) error { return nil }) },
		"a read of nothing": func(s *records.Store) error { _, err := s.Get(records.KindGroup, "unknown"); return err },
	} {
		for _, lost := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, lost %t", name, lost), func(t *testing.T) {
				s, f := newStore(t)
				put(t, s, "acme", "one")
				f.lost = lost
				f.commit = func([]records.Change) error { return fmt.Errorf("fake: sync: %w", ports.ErrUnknownOutcome) }
				err := update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, "acme", []byte("two")) })
				wantError(t, err, ports.ErrUnknownOutcome)
				f.commit = nil

				f.reopen = func() error { return errDisk }
				for range 2 {
					wantError(t, next(s), ports.ErrUnavailable)
				}
				f.reopen = nil
				if err := next(s); err != nil {
					t.Fatal(err)
				}
				after := map[bool]string{true: "one", false: "two"}[lost]
				want(t, s, "acme", after)
				if f.reopens != 3 {
					t.Errorf("reopened %d times, want 3", f.reopens)
				}
				put(t, s, "acme", "three")
				want(t, s, "acme", "three")
				want(t, mustOpen(t, f), "acme", "three")
			})
		}
	}
}

func TestAnErrorWithoutANameIsAnUnknownOutcome(t *testing.T) {
	s, f := newStore(t)
	f.commit = func([]records.Change) error { return errors.New("what is this?") }
	if err := update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, "acme", []byte("one")) }); err == nil {
		t.Fatal("the error was lost")
	}
	f.commit = nil
	want(t, s, "acme", "")
	if f.reopens != 1 {
		t.Errorf("reopened %d times, want 1", f.reopens)
	}
}

func TestAnOlderStoreThatComesBackAfterAnUnknownOutcomeIsRefused(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	old := f.copy()
	put(t, s, "acme", "two")
	put(t, s, "acme", "three")
	f.commit = func([]records.Change) error { return ports.ErrUnknownOutcome }
	wantError(t, update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, "acme", []byte("four")) }), ports.ErrUnknownOutcome)
	f.commit = nil
	f.blobs = old.blobs
	for range 2 {
		_, err := s.Get(records.KindGroup, "acme")
		wantError(t, err, ports.ErrCorrupt)
		wantError(t, update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, "acme", []byte("x")) }), ports.ErrCorrupt)
	}
}

func TestAMediumThatCannotBeReadIsUnavailable(t *testing.T) {
	for _, failing := range []string{"header", "root", "index/00", "index/ff"} {
		_, f := newStore(t)
		f.load = func(name string) error {
			if name == failing {
				return errDisk
			}
			return nil
		}
		_, err := records.Open(f, masterKey(1))
		wantError(t, err, ports.ErrUnavailable)
	}
	f := newFake()
	f.load = func(string) error { return errDisk }
	wantError(t, records.Create(f, masterKey(1), counting), ports.ErrUnavailable)

	s, f := newStore(t)
	put(t, s, "acme", "one")
	before := f.copy()
	f.load = func(string) error { return errDisk }
	_, err := s.Get(records.KindGroup, "acme")
	wantError(t, err, ports.ErrUnavailable)
	wantError(t, update(t, s, func(tx *records.Tx) error {
		_ = tx.Put(records.KindGroup, "acme", []byte("two")) // its failure is remembered
		return nil
	}), ports.ErrUnavailable)
	f.load = nil
	want(t, s, "acme", "one")
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" {
		t.Error("something was written")
	}
}

func TestAReaderThatMeetsACommitWaitsForIt(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	slow := &slowMedium{fake: f, written: make(chan struct{}), release: make(chan struct{})}
	s = mustOpen(t, slow)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Update(t.Context(), func(tx *records.Tx) error {
			return errors.Join(tx.Put(records.KindGroup, "acme", []byte("two")), tx.Put(records.KindGroup, "globex", []byte("new")))
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-slow.written
	for id, data := range map[string]string{"acme": "two", "globex": "new"} {
		wg.Go(func() {
			got, err := s.Get(records.KindGroup, id)
			if string(got) != data || err != nil {
				t.Errorf("%s is %q, and the error %v", id, got, err)
			}
		})
	}
	close(slow.release)
	wg.Wait()
}

// slowMedium has written a commit before it says so.
type slowMedium struct {
	*fake
	written, release chan struct{}
}

func (m *slowMedium) Commit(changes []records.Change) error {
	err := m.fake.Commit(changes)
	close(m.written)
	<-m.release
	return err
}
