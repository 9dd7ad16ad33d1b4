package prefetch_test

import (
	"slices"
	"testing"
	"unsafe"

	"embedseal/adapters/internal/prefetch"
)

// What is fetched is as it was, and what lies behind it may be anything, or nothing.
func TestFetchingChangesNothingAndFindsNoFault(t *testing.T) {
	prefetch.First[int](nil, 64)
	prefetch.Behind(nil, 64)
	prefetch.Text("")
	prefetch.Text("a text")
	all := make([]byte, 1<<20)
	for i := range all {
		all[i] = byte(i)
	}
	was := slices.Clone(all)
	for _, bytes := range []uintptr{0, 1, 63, 64, 65, 1 << 10, 1 << 24} { // also far beyond its end
		for at := 0; at < len(all); at += 4099 {
			prefetch.First(&all[at], bytes)
		}
		prefetch.First(&all[len(all)-1], bytes)
		prefetch.Behind(&all, bytes)
		prefetch.Behind(t, bytes)
		prefetch.Behind(7, bytes)
		prefetch.Behind("a text", bytes)
		prefetch.Behind(struct{}{}, bytes)
	}
	if !slices.Equal(all, was) {
		t.Error("fetching changed what it fetched")
	}
}

// What was fetched is read sooner. Of what lies in no order, far more than a processor
// keeps at hand, a place is read a while after it was fetched, beside one that was not.
// How much sooner is the machine's business, so that this is no test.
func BenchmarkReadingWhatWasFetched(b *testing.B) {
	type place struct {
		next, value uint64
		_           [48]byte
	}
	all := make([]place, 1<<20)
	at := uint64(1)
	for i := range all {
		at = (at*6364136223846793005 + 1442695040888963407) % (1 << 20)
		all[i] = place{next: at, value: uint64(i)}
	}
	for name, fetches := range map[string]bool{"fetched": true, "not fetched": false} {
		b.Run(name, func(b *testing.B) {
			sum, i := uint64(0), uint64(0)
			for b.Loop() {
				i = (i*2862933555777941757 + 3037000493) % (1 << 20)
				p := &all[i]
				if fetches {
					prefetch.First(p, unsafe.Sizeof(*p))
				}
				for range 500 { // something to do meanwhile
					sum = sum*31 + 7
				}
				sum += p.value
				i += sum & 1
			}
			b.ReportMetric(float64(sum&1), "sum")
		})
	}
}
