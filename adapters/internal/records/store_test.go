package records_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

func TestAStoreIsCreatedOnce(t *testing.T) {
	_, f := newStore(t)
	before := f.copy()
	wantError(t, records.Create(f, masterKey(1), counting), ports.ErrExists)
	wantError(t, records.Create(f, masterKey(2), counting), ports.ErrExists)
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" {
		t.Errorf("a refused creation wrote:\n%s", diff)
	}
	delete(f.blobs, "header")
	wantError(t, records.Create(f, masterKey(1), counting), ports.ErrCorrupt)
}

func TestCreationIsOneCommit(t *testing.T) {
	f := newFake()
	if err := records.Create(f, masterKey(1), counting); err != nil {
		t.Fatal(err)
	}
	if f.commits != 1 {
		t.Errorf("got %d commits, want 1", f.commits)
	}
}

func TestAnEmptyMediumHoldsNoStore(t *testing.T) {
	_, err := records.Open(newFake(), masterKey(1))
	wantError(t, err, ports.ErrNotFound)
}

func TestNothingOpensWithoutAKey(t *testing.T) {
	_, f := newStore(t)
	_, err := records.Open(f, records.MasterKey{})
	wantError(t, err, records.ErrMasterKey)
	wantError(t, records.Create(newFake(), records.MasterKey{}, counting), records.ErrMasterKey)
}

func TestRecordsAreReadBack(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	put(t, s, "globex", "two")
	put(t, s, "acme", "three")
	if err := update(t, s, func(tx *records.Tx) error {
		return errors.Join(tx.Put(records.KindRing, "acme", []byte("ring")), tx.Delete(records.KindGroup, "globex"),
			tx.Put(records.KindGroup, "empty", []byte{}), tx.Delete(records.KindGroup, "unknown"))
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*records.Store{s, mustOpen(t, f)} {
		want(t, s, "acme", "three")
		want(t, s, "globex", "")
		want(t, s, "unknown", "")
		if got, err := s.Get(records.KindRing, "acme"); string(got) != "ring" || err != nil {
			t.Errorf("the ring is %q, and the error %v", got, err)
		}
		if got, err := s.Get(records.KindGroup, "empty"); got == nil || len(got) != 0 || err != nil {
			t.Errorf("the empty record is %#v, and the error %v", got, err)
		}
		ids, err := s.IDs(records.KindGroup)
		if diff := cmp.Diff([]string{"acme", "empty"}, ids); diff != "" || err != nil {
			t.Errorf("ids (-want +got), error %v:\n%s", err, diff)
		}
	}
}

func TestABlobHoldsNothingInClear(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "a very secret text")
	for name, blob := range f.blobs {
		if bytes.Contains(blob, []byte("secret")) || bytes.Contains(blob, []byte("acme")) {
			t.Errorf("%s holds what should be sealed", name)
		}
	}
	seen := map[string]bool{}
	for range 100 {
		put(t, s, "acme", "a very secret text")
		nonce := string(f.blobs["group/acme"][9:21])
		if seen[nonce] {
			t.Fatal("a nonce was used twice")
		}
		seen[nonce] = true
	}
}

func TestAnUpdateSeesItself(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	commits := f.commits
	if err := update(t, s, func(tx *records.Tx) error {
		got, err := tx.Get(records.KindGroup, "acme")
		if string(got) != "one" || err != nil {
			t.Errorf("before: %q, %v", got, err)
		}
		got[0] = 'X'
		mine := []byte("two")
		err = tx.Put(records.KindGroup, "acme", mine)
		mine[0] = 'X'
		got, err2 := tx.Get(records.KindGroup, "acme")
		if string(got) != "two" {
			t.Errorf("after: %q", got)
		}
		return errors.Join(err, err2, tx.Put(records.KindGroup, "gone", mine), tx.Delete(records.KindGroup, "gone"))
	}); err != nil {
		t.Fatal(err)
	}
	want(t, s, "acme", "two")
	want(t, s, "gone", "")
	if f.commits != commits+1 {
		t.Errorf("got %d commits, want 1", f.commits-commits)
	}
}

func TestAFailedUpdateWritesNothing(t *testing.T) {
	s, f := newStore(t)
	put(t, s, "acme", "one")
	before, commits, boom := f.copy(), f.commits, errors.New("boom")
	for name, change := range map[string]func(*records.Tx) error{
		"an error":   func(tx *records.Tx) error { _ = tx.Put(records.KindGroup, "acme", []byte("two")); return boom },
		"no change":  func(tx *records.Tx) error { _, err := tx.Get(records.KindGroup, "acme"); return err },
		"nothing":    func(*records.Tx) error { return nil },
		"no removal": func(tx *records.Tx) error { return tx.Delete(records.KindGroup, "unknown") },
	} {
		if err := update(t, s, change); err != nil && err != boom { //nolint:errorlint // identity is what is promised
			t.Errorf("%s: got the error %v", name, err)
		}
	}
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" || f.commits != commits {
		t.Errorf("%d commits:\n%s", f.commits-commits, diff)
	}
}

func TestUnsafeNamesAreAbsentAndRefused(t *testing.T) {
	s, f := newStore(t)
	before := f.copy()
	long := strings.Repeat("a", 50)
	for _, n := range []struct{ kind, id string }{
		{"group", ""}, {"group", "../x"}, {"group", "a/b"}, {"group", "A"}, {"group", long}, {"group", "a\x00"}, {"group", "."},
		{"", "a"}, {"index", "00"}, {"root", "a"}, {"header", "a"}, {"..", "a"}, {"group/a", "b"}, {"Group", "a"}, {long, "a"},
	} {
		got, err := s.Get(records.Kind(n.kind), n.id)
		if got != nil || err != nil {
			t.Errorf("%q/%q: got %q and %v", n.kind, n.id, got, err)
		}
		err = update(t, s, func(tx *records.Tx) error { return tx.Put(records.Kind(n.kind), n.id, []byte("x")) })
		if err == nil {
			t.Errorf("%q/%q was written", n.kind, n.id)
		}
		if err := update(t, s, func(tx *records.Tx) error { return tx.Delete(records.Kind(n.kind), n.id) }); err != nil {
			t.Errorf("%q/%q: removal: %v", n.kind, n.id, err)
		}
	}
	if err := update(t, s, func(tx *records.Tx) error {
		return tx.Put(records.KindGroup, "huge", make([]byte, records.MaxRecord+1))
	}); err == nil {
		t.Error("a record beyond the limit was written")
	}
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

func TestACancelledContextStopsAnUpdate(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Update(ctx, func(*records.Tx) error { t.Error("change ran"); return nil })
	wantError(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	err = s.Update(ctx, func(tx *records.Tx) error {
		cancel()
		return tx.Put(records.KindGroup, "acme", []byte("begun"))
	})
	if err != nil {
		t.Errorf("a write that had begun was not finished: %v", err)
	}
	want(t, s, "acme", "begun")
}

func TestReadersSeeWholeUpdates(t *testing.T) {
	const writes = 200
	s, _ := newStore(t)
	put(t, s, "acme", "0000")
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for last := ""; ; {
				got, err := s.Get(records.KindGroup, "acme")
				if err != nil || string(got) < last {
					t.Errorf("got %q after %q, and the error %v", got, last, err)
					return
				}
				last = string(got)
				if _, err := s.IDs(records.KindGroup); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range writes {
		put(t, s, "acme", fmt.Sprintf("%04d", i+1))
		put(t, s, fmt.Sprintf("other-%d", i%7), "x")
	}
	close(done)
	wg.Wait()
}

func TestManyRecordsFillAndEmptyTheIndex(t *testing.T) {
	const count = 2000
	s, f := newStore(t)
	var ids []string
	if err := update(t, s, func(tx *records.Tx) error {
		for i := range count {
			ids = append(ids, fmt.Sprintf("id-%d", i))
			if err := tx.Put(records.KindGroup, ids[i], []byte(ids[i])); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	s = mustOpen(t, f)
	got, err := s.IDs(records.KindGroup)
	if diff := cmp.Diff(ids, got); diff != "" || err != nil {
		t.Fatalf("error %v, ids:\n%s", err, diff)
	}
	for _, id := range ids {
		want(t, s, id, id)
	}
	if err := update(t, s, func(tx *records.Tx) error {
		for _, id := range ids {
			if err := tx.Delete(records.KindGroup, id); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(f.blobs) != 2 {
		t.Errorf("%d blobs are left, want the header and the root", len(f.blobs))
	}
	if got, err := mustOpen(t, f).IDs(records.KindGroup); len(got) != 0 || err != nil {
		t.Errorf("got %d ids and %v", len(got), err)
	}
}
