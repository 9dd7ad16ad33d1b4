package bbolt_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/internal/records"
	"embedseal/domain/key"
)

// BenchmarkOpen opens a store of 20,000 records.
func BenchmarkOpen(b *testing.B) {
	c := bbolt.Config{Path: filepath.Join(b.TempDir(), "store.db"), MasterKey: masterKey(7)}
	if _, err := bbolt.Create(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	s, closeStore, err := bbolt.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	err = s.Records().Update(b.Context(), func(tx *records.Tx) error {
		for i := range 20_000 {
			if err := tx.Put(records.KindRing, fmt.Sprintf("group-%d", i), make([]byte, 600)); err != nil {
				return err
			}
		}
		return nil
	})
	closeStore()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, closeStore, err := bbolt.Open(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		closeStore()
	}
}

// BenchmarkUpdateRing is one durable write.
func BenchmarkUpdateRing(b *testing.B) {
	s := openForBenchmark(b)
	for b.Loop() {
		if err := bbolt.NewKeyStore(s).UpdateRing(b.Context(), "acme", sameRing); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRing is one read.
func BenchmarkRing(b *testing.B) {
	s := openForBenchmark(b)
	if err := bbolt.NewKeyStore(s).UpdateRing(b.Context(), "acme", sameRing); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := bbolt.NewKeyStore(s).Ring(b.Context(), "acme"); err != nil {
			b.Fatal(err)
		}
	}
}

func sameRing(r key.Ring) (key.Ring, error) { return r, nil }

func openForBenchmark(b *testing.B) *bbolt.Store {
	b.Helper()
	c := bbolt.Config{Path: filepath.Join(b.TempDir(), "store.db"), MasterKey: masterKey(7)}
	if _, err := bbolt.Create(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	s, closeStore, err := bbolt.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(closeStore)
	return s
}
