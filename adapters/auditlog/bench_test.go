package auditlog_test

import (
	"testing"

	"embedseal/domain/audit"
)

// BenchmarkRecord is a minted token's record: encoded, chained, written.
func BenchmarkRecord(b *testing.B) {
	log := newBook(b)
	e := minted()
	b.ReportAllocs()
	for b.Loop() {
		if err := log.Record(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordChange is a change's record, on the disk when it returns.
func BenchmarkRecordChange(b *testing.B) {
	log := newBook(b)
	e := minted()
	e.Action = audit.ActionCreateKey
	b.ReportAllocs()
	for b.Loop() {
		if err := log.Record(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordChangesTogether is the same by 32 at once, who share syncs.
func BenchmarkRecordChangesTogether(b *testing.B) {
	log := newBook(b)
	e := minted()
	e.Action = audit.ActionCreateKey
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := log.Record(b.Context(), e); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkVerify is a log of 10,000 records.
func BenchmarkVerify(b *testing.B) {
	log := newBook(b)
	for range 10_000 {
		if err := log.Record(b.Context(), minted()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if r, err := log.Verify(b.Context()); err != nil || !r.OK() {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkSearch looks through 10,000 records for none.
func BenchmarkSearch(b *testing.B) {
	log := newBook(b)
	for range 10_000 {
		if err := log.Record(b.Context(), minted()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := log.Search(b.Context(), audit.Query{Group: "globex"}, audit.Window{}); err != nil {
			b.Fatal(err)
		}
	}
}
