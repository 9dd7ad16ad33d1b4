package records_test

import (
	"strconv"
	"strings"
	"testing"

	"embedseal/adapters/internal/records"
)

// large is a store of 20,000 records, half of them rings.
func large(b *testing.B) (*records.Store, *fake) {
	b.Helper()
	const groups = 10_000
	s, f := newStore(b)
	data := []byte(strings.Repeat("x", 500))
	if err := update(b, s, func(tx *records.Tx) error {
		for i := range groups {
			id := "group-" + strconv.Itoa(i)
			if err := tx.Put(records.KindGroup, id, data); err != nil {
				return err
			}
			if err := tx.Put(records.KindRing, id, data); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s, f
}

func BenchmarkGet(b *testing.B) {
	s, _ := large(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Get(records.KindGroup, "group-"+strconv.Itoa(i%10_000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s, f := large(b)
	data, bytes := []byte(strings.Repeat("y", 500)), 0
	f.commit = func(changes []records.Change) error {
		for _, c := range changes {
			bytes += len(c.Blob)
		}
		return nil
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := update(b, s, func(tx *records.Tx) error {
			return tx.Put(records.KindGroup, "group-"+strconv.Itoa(i%10_000), data)
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "sealed-B/op")
}

func BenchmarkOpen(b *testing.B) {
	_, f := large(b)
	b.ReportAllocs()
	for b.Loop() {
		mustOpen(b, f)
	}
}
