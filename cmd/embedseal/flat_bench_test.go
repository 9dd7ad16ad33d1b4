package main

import (
	bigendian "encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"embedseal/adapters/datadir"
	"embedseal/configs"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
)

// population is a store with so many groups, of so many keys each.
type population struct{ groups, keys int }

// populations have one key, 1,000 and 100,000.
func populations() []population { return []population{{1, 1}, {100, 10}, {10_000, 10}} }

// BenchmarkFlat mints with 1 key, 1,000 and 100,000 in 10,000 groups, in turns, on
// each local store. It reports how much longer a mint takes with the most keys than
// with one, by the median of the turns and their quartiles: hot always for the same
// group among them, spread for each in turn, so that none is in the processor's
// cache. For the largest also the time from opening the store to a ring, and the
// memory of each key that was read, with its share of its group, API token included.
func BenchmarkFlat(b *testing.B) {
	for _, store := range []string{storeMemory, storeBbolt, storeFile} {
		b.Run(store, func(b *testing.B) { benchmarkFlat(b, store) })
	}
}

func benchmarkFlat(b *testing.B, store string) {
	const turn = 500
	runtime.LockOSThread() // whose time is measured
	var hot, spread []func() func()
	var last footprint
	for _, p := range populations() {
		run, callers, took := populated(b, store, p)
		last = took
		hot = append(hot, run.inTurns(b, callers[:1], turn))
		spread = append(spread, run.inTurns(b, callers, turn))
	}
	all := slices.Concat(hot, spread)
	took := make([][]float64, len(all)) // ns a mint, by population and turn
	for _, ready := range all {
		times(turn, ready()) // warm
	}
	for b.Loop() {
		for round := range 20 {
			for i := range all { // nobody is always the first
				i = (i + round) % len(all)
				took[i] = append(took[i], float64(threadTime(b, turn, all[i]()).Nanoseconds())/turn)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(took[0], took[0])[3], "cpu-ns/mint")
	b.ReportMetric(last.bytes, "B/key")
	if store != storeMemory {
		b.ReportMetric(float64(last.start.Milliseconds()), "start-ms")
	}
	for name, of := range map[string]int{"hot-1k/1": 1, "hot-100k/1": 2, "spread-1k/1": 4, "spread-100k/1": 5} {
		reportRatio(b, name, took[of], took[0])
	}
}

// inTurns mints for each of the callers in turn, so many times in one turn. What it
// returns readies a turn: it writes down the texts of its API tokens, as the kernel writes
// a request right before it is read.
func (run bench) inTurns(b *testing.B, callers []string, turn int) (ready func() (mint func())) {
	b.Helper()
	texts := make([]string, turn)
	next, at := 0, 0
	mint := run.mintingFor(b, func() string { at++; return texts[at-1] })
	return func() func() {
		at = 0
		var written strings.Builder
		for range turn {
			written.WriteString(callers[next%len(callers)])
			next++
		}
		rest := written.String()
		for i := range texts {
			size := len(callers[(next-turn+i)%len(callers)])
			texts[i], rest = rest[:size], rest[size:]
		}
		return mint
	}
}

// reportRatio reports how much longer one took than the other, with the quartiles.
func reportRatio(b *testing.B, name string, took, than []float64) {
	b.Helper()
	q := middle(took, than)
	b.ReportMetric(q[1], name)
	b.ReportMetric(q[0], name+"-p25")
	b.ReportMetric(q[2], name+"-p75")
}

// threadTime is the processor time of doing it n times: a turn in which somebody
// else had the processor counts like any other.
func threadTime(b *testing.B, n int, do func()) time.Duration {
	b.Helper()
	before := usedBy(b, unix.CLOCK_THREAD_CPUTIME_ID)
	times(n, do)
	return usedBy(b, unix.CLOCK_THREAD_CPUTIME_ID) - before
}

// footprint is what a population costs: the memory of each key that was read, and the
// time from opening the store to the first ring.
type footprint struct {
	bytes float64
	start time.Duration
}

// middle are the quartiles of the ratios, turn by turn, and the median of the first.
func middle(took, than []float64) [4]float64 {
	n := len(took)
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = took[i] / than[i]
	}
	slices.Sort(ratios)
	return [4]float64{ratios[n/4], ratios[n/2], ratios[n*3/4], slices.Sorted(slices.Values(took))[n/2]}
}

// populated is the product on a store of that size, everything of it read once, and
// the texts of an API token for each group.
func populated(b *testing.B, store string, p population) (run bench, callers []string, cost footprint) {
	b.Helper()
	before := heap()
	dir := b.TempDir()
	flags := map[string]string{"store": store, "data_dir": dir, "audit.path": filepath.Join(dir, "audit.log")}
	callers = make([]string, p.groups)
	if store != storeMemory {
		cost.start = fillLasting(b, flags, p, callers)
	}
	run = newBenchWith(b, flags, nil)
	if store == storeMemory {
		fillStores(b, run.stores, p, callers)
	}
	next := 0
	mint := run.mintingFor(b, func() string { next++; return callers[next%len(callers)] })
	times(p.groups, mint)
	cost.bytes = float64(heap()-before) / float64(p.groups*p.keys)
	return run, callers, cost
}

// fillLasting fills a store on the disk, closes it, and times the next start.
func fillLasting(b *testing.B, flags map[string]string, p population, callers []string) time.Duration {
	b.Helper()
	cfg, err := configs.Load(configs.Input{Flags: maps.Clone(flags)})
	must(b, err)
	dir := datadir.At(cfg.DataDir)
	_, err = dir.Make()
	must(b, err)
	must(b, ensureStore(b.Context(), cfg, dir))
	s, release, err := openStores(b.Context(), cfg, nil)
	must(b, err)
	fillStores(b, s, p, callers)
	release()
	begin := time.Now()
	s, release, err = openStores(b.Context(), cfg, nil)
	must(b, err)
	ring, err := s.Keys.Ring(b.Context(), groupNo(p.groups/2))
	must(b, err)
	if len(ring.Keys()) != p.keys {
		b.Fatalf("%d keys", len(ring.Keys()))
	}
	took := time.Since(begin)
	release()
	return took
}

func fillStores(b *testing.B, s stores, p population, callers []string) {
	b.Helper()
	made := time.Now().UTC().Truncate(time.Second)
	var texts []string
	for i := range p.groups {
		var random [apitoken.Entropy]byte
		bigendian.BigEndian.PutUint64(random[:], uint64(i))
		text := apitoken.New(string(groupNo(i)), random)
		texts = append(texts, text.Reveal())
		must(b, s.Groups.CreateGroup(b.Context(), group.Group{
			ID: groupNo(i), Name: "a group", Policy: policy.Default(), CreatedAt: made,
			Tokens: []apitoken.Token{{ID: fmt.Sprintf("%016x", i), Name: "backend", Digest: apitoken.DigestOf(text), Scopes: apitoken.ReadWrite, CreatedAt: made,
				LastUsedAt: apitoken.HourOf(made), // as it is written a minute after the first use of an hour
			}},
		}))
		must(b, s.Keys.UpdateRing(b.Context(), groupNo(i), func(r key.Ring) (key.Ring, error) {
			for n := range p.keys {
				var material [key.SecretEntropy]byte
				bigendian.BigEndian.PutUint64(material[:], uint64(i*p.keys+n))
				k := key.Key{ID: key.ID(fmt.Sprintf("%08x-0000-4000-8000-%012x", i, n)), State: key.Active, Custody: key.Material, CreatedAt: made, Secret: key.NewSecret(material)}
				add := r.With
				if n == 0 {
					add = r.WithDefault
				}
				var err error
				if r, err = add(k); err != nil {
					return r, err
				}
			}
			return r, nil
		}))
	}
	copy(callers, texts)
}

func groupNo(i int) group.ID { return group.ID(fmt.Sprintf("group-%05d", i)) }

// heap is what is alive.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
