package httpload

import (
	"math/bits"
	"time"
)

// A bucket is at most 1/64 of its value wide, so a percentile is exact to 1.6 %.
const (
	subBits = 6
	octaves = 32 // up to 2^38 ns, more than four minutes; longer counts as that
	buckets = (octaves + 1) << subBits
)

// Histogram counts durations. Its zero value is empty.
type Histogram struct {
	count   int64
	longest time.Duration
	in      [buckets]int64
}

// Record counts one duration; below zero is zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.count++
	h.longest = max(h.longest, d)
	h.in[bucketOf(uint64(d))]++
}

// Add counts all that other has.
func (h *Histogram) Add(other *Histogram) {
	if other.count == 0 {
		return
	}
	h.count += other.count
	h.longest = max(h.longest, other.longest)
	for i, n := range other.in {
		h.in[i] += n
	}
}

// Count is how many durations there are.
func (h *Histogram) Count() int64 { return h.count }

// Longest is the longest of them, exactly.
func (h *Histogram) Longest() time.Duration { return h.longest }

// At is the duration that the share (0 to 1) of all does not exceed, rounded up by
// 1.6 % at most; 0 when there are none.
func (h *Histogram) At(share float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := int64(share*float64(h.count-1)) + 1
	for i, n := range h.in {
		if rank -= n; rank <= 0 {
			return min(endOf(i), h.longest)
		}
	}
	return h.longest
}

// bucketOf is exact below 64 ns; above, the octave and the six bits behind the
// leading one.
func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	octave := bits.Len64(ns) - subBits // 1 or more
	if octave > octaves {
		return buckets - 1
	}
	return octave<<subBits | int(ns>>(octave-1)&(1<<subBits-1))
}

// endOf is the longest duration of a bucket.
func endOf(bucket int) time.Duration {
	octave, sub := bucket>>subBits, int64(bucket&(1<<subBits-1))
	if octave == 0 {
		return time.Duration(sub)
	}
	return time.Duration((1<<subBits|sub)+1)<<(octave-1) - 1
}
