package records_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

// filled is a store of three groups and a ring, and its blobs of earlier on.
func filled(t *testing.T) (now *fake, earlier map[string][]byte) {
	t.Helper()
	s, f := newStore(t)
	for _, id := range []string{"acme", "globex", "initech", "gone"} {
		put(t, s, id, "first "+id)
	}
	earlier = f.copy().blobs
	if err := update(t, s, func(tx *records.Tx) error {
		return errors.Join(tx.Put(records.KindGroup, "acme", []byte("second acme")), tx.Delete(records.KindGroup, "gone"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := update(t, s, func(tx *records.Tx) error { // of one version
		return errors.Join(tx.Put(records.KindRing, "acme", []byte("a ring")), tx.Put(records.KindRing, "initech", []byte("other ring")))
	}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "globex", "second globex")
	return f, earlier
}

// wantRefused opens the damaged medium and reads all of it. Something must be
// refused, what is not refused must be as it was written, and nothing may be
// written over what is refused.
func wantRefused(t *testing.T, what string, f *fake) {
	t.Helper()
	before := f.copy()
	err := useAll(t, what, f)
	if !errors.Is(err, ports.ErrCorrupt) || errors.Is(err, ports.ErrWrongMasterKey) {
		t.Errorf("%s: got the error %v, want %v", what, err, ports.ErrCorrupt)
	}
	if !maps.EqualFunc(before.blobs, f.blobs, bytes.Equal) {
		t.Errorf("%s: something was written", what)
	}
}

func useAll(t *testing.T, what string, f *fake) error {
	t.Helper()
	s, err := records.Open(f, masterKey(1))
	if err != nil {
		return err
	}
	var first error
	for n, want := range map[[2]string]string{
		{"group", "acme"}: "second acme", {"group", "globex"}: "second globex", {"group", "initech"}: "first initech",
		{"group", "gone"}: "", {"ring", "acme"}: "a ring", {"ring", "initech"}: "other ring", {"ring", "globex"}: "",
	} {
		kind, id := records.Kind(n[0]), n[1]
		got, err := s.Get(kind, id)
		if err == nil {
			if string(got) != want {
				t.Errorf("%s: %s/%s is %q, want %q", what, kind, id, got, want)
			}
			continue
		}
		if first == nil {
			first = err
		}
		if !strings.Contains(err.Error(), n[0]+"/"+n[1]) {
			t.Errorf("%s: the error %q does not name the record", what, err)
		}
		for name, change := range map[string]func(*records.Tx) error{
			"a read":      func(tx *records.Tx) error { _, err := tx.Get(kind, id); return err },
			"a blind put": func(tx *records.Tx) error { return tx.Put(kind, id, []byte("over it")) },
			"a removal":   func(tx *records.Tx) error { return tx.Delete(kind, id) },
			"a put whose error is not looked at": func(tx *records.Tx) error {
				_ = tx.Put(kind, id, []byte("over it"))
				_ = tx.Put(records.KindGroup, "other", []byte("beside it"))
				return nil
			},
		} {
			if err := update(t, s, change); !errors.Is(err, ports.ErrCorrupt) {
				t.Errorf("%s: an update with %s answers %v", what, name, err)
			}
		}
	}
	return first
}

func TestAnUntouchedStoreIsWhole(t *testing.T) {
	f, _ := filled(t)
	if err := useAll(t, "untouched", f); err != nil {
		t.Error(err)
	}
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	f, _ := filled(t)
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		for i := range f.blobs[name] {
			damaged := f.copy()
			damaged.blobs[name] = bytes.Clone(damaged.blobs[name])
			damaged.blobs[name][i] ^= 1 << (i % 8)
			wantRefused(t, fmt.Sprintf("%s, byte %d", name, i), damaged)
		}
	}
}

func TestEveryTruncatedBlobIsRefused(t *testing.T) {
	f, _ := filled(t)
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		for n := range f.blobs[name] {
			damaged := f.copy()
			damaged.blobs[name] = damaged.blobs[name][:n]
			wantRefused(t, fmt.Sprintf("%s, %d bytes", name, n), damaged)
		}
		damaged := f.copy()
		damaged.blobs[name] = append(bytes.Clone(damaged.blobs[name]), 0)
		wantRefused(t, name+", one byte more", damaged)
	}
}

func TestAMisplacedBlobIsRefused(t *testing.T) {
	f, earlier := filled(t)
	another, _ := filled(t) // same key, same contents, other nonces: another store but for its id
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		damaged := f.copy()
		delete(damaged.blobs, name)
		wantRefused(t, name+" removed", damaged)
		for _, from := range slices.Sorted(maps.Keys(f.blobs)) {
			if from != name {
				damaged := f.copy()
				damaged.blobs[name] = f.blobs[from]
				wantRefused(t, name+" replaced by "+from, damaged)
			}
		}
	}
	for name, blob := range earlier {
		if !bytes.Equal(blob, f.blobs[name]) {
			damaged := f.copy()
			damaged.blobs[name] = blob
			wantRefused(t, name+" of an earlier time", damaged)
			if now := f.blobs[name]; now != nil {
				damaged.blobs[name] = append(bytes.Clone(now[:9]), blob[9:]...)
				wantRefused(t, name+" of an earlier time, with the version of now", damaged)
			}
		}
	}
	for _, stray := range []string{"group/gone", "ring/globex", "index/00"} {
		damaged := f.copy()
		damaged.blobs[stray] = another.blobs["group/acme"]
		wantRefused(t, stray+" made of another", damaged)
	}
}

func TestARecordOfAnotherStoreIsRefused(t *testing.T) {
	f, _ := filled(t)
	other := newFake()
	if err := records.Create(other, masterKey(1), func(p []byte) { p[0] = 99 }); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, other)
	for _, id := range []string{"acme", "globex", "initech", "gone"} {
		put(t, s, id, "first "+id)
	}
	for _, name := range []string{"header", "root", "group/initech"} {
		damaged := f.copy()
		damaged.blobs[name] = other.blobs[name]
		wantRefused(t, name+" of another store", damaged)
	}
}

func TestAWrongMasterKeyIsNotDamage(t *testing.T) {
	f, _ := filled(t)
	before := f.copy()
	_, err := records.Open(f, masterKey(2))
	wantError(t, err, ports.ErrWrongMasterKey)
	if diff := cmp.Diff(before.blobs, f.blobs); diff != "" {
		t.Error("something was written")
	}
	f.blobs["header"][3] ^= 1
	_, err = records.Open(f, masterKey(2))
	if !errors.Is(err, ports.ErrCorrupt) || errors.Is(err, ports.ErrWrongMasterKey) {
		t.Errorf("a damaged header under a wrong key: got %v", err)
	}
}
