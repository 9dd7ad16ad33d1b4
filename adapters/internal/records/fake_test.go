package records_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

// fake is a medium in memory that can be told to fail.
type fake struct {
	mu    sync.Mutex
	blobs map[string][]byte
	stale bool // an outcome is unknown: Reopen is due

	// commit, load and reopen are asked before the work is done, when set.
	commit func([]records.Change) error
	load   func(name string) error
	reopen func() error
	// lost makes a commit that fails with an unknown outcome happen nevertheless.
	lost bool

	commits, reopens int
}

func newFake() *fake { return &fake{blobs: map[string][]byte{}} }

func (f *fake) Load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale {
		return nil, errors.New("the medium was read before it was opened again")
	}
	if f.load != nil {
		if err := f.load(name); err != nil {
			return nil, err
		}
	}
	return bytes.Clone(f.blobs[name]), nil
}

func (f *fake) Commit(changes []records.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale {
		return errors.New("the medium was written before it was opened again")
	}
	f.commits++
	var failure error
	if f.commit != nil {
		failure = f.commit(changes)
	}
	f.stale = errors.Is(failure, ports.ErrUnknownOutcome)
	if failure != nil && (!f.stale || f.lost) {
		return failure
	}
	for _, c := range changes {
		if c.Blob == nil {
			delete(f.blobs, c.Name)
			continue
		}
		f.blobs[c.Name] = bytes.Clone(c.Blob)
	}
	return failure
}

func (f *fake) Reopen() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reopens++
	if f.reopen != nil {
		if err := f.reopen(); err != nil {
			return err
		}
	}
	f.stale = false
	return nil
}

// copy has the blobs only.
func (f *fake) copy() *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fake{blobs: maps.Clone(f.blobs)}
}

// masterKey is a key whose bytes count up from first.
func masterKey(first byte) records.MasterKey {
	var raw [records.MasterKeySize]byte
	for i := range raw {
		raw[i] = first + byte(i)
	}
	return records.NewMasterKey(raw)
}

func counting(p []byte) {
	for i := range p {
		p[i] = byte(i)
	}
}

// newStore is an empty store in a fake.
func newStore(t testing.TB) (*records.Store, *fake) {
	t.Helper()
	f := newFake()
	if err := records.Create(f, masterKey(1), counting); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, f), f
}

func mustOpen(t testing.TB, m records.Medium) *records.Store {
	t.Helper()
	s, err := records.Open(m, masterKey(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes one record.
func put(t testing.TB, s *records.Store, id, data string) {
	t.Helper()
	if err := update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, id, []byte(data)) }); err != nil {
		t.Fatal(err)
	}
}

func update(t testing.TB, s *records.Store, change func(*records.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), change)
}

// want compares a record; "" is none.
func want(t testing.TB, s *records.Store, id, data string) {
	t.Helper()
	got, err := s.Get(records.KindGroup, id)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != data || (got == nil) != (data == "") {
		t.Errorf("record %s is %q, want %q", id, got, data)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
}

var errDisk = fmt.Errorf("fake: write: no space: %w", ports.ErrUnavailable)
