package crashtest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/ports"
)

// point is a sync: the n-th of that system call since the start of the process.
type point struct {
	call string
	n    int
}

func (p point) inject(more string) string {
	return fmt.Sprintf("inject=%s:error=EIO:when=%d%s", p.call, p.n, more)
}

// syncPoints are the syncs before the writer is ready, and those from then until
// its first acknowledgement.
func syncPoints(calls []call) (starting, writing []point) {
	counts, ready := map[string]int{}, false
	for _, c := range calls {
		switch word := c.says(); {
		case word == sayReady:
			ready = true
		case strings.HasPrefix(word, sayAck):
			return starting, writing
		}
		if !c.isSync() {
			continue
		}
		counts[c.name]++
		if p := (point{c.name, counts[c.name]}); ready {
			writing = append(writing, p)
		} else {
			starting = append(starting, p)
		}
	}
	return starting, writing
}

// grown makes a store with some writes in a directory, which copies are made of.
func grown(t *testing.T, b backend, seed uint64, writes int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	w := startCommand(t, []string{os.Args[0]}, writerEnv(b, dir, seed, 0, writes))
	if err := w.wait(); err != nil || w.acks != writes {
		t.Fatalf("%d acknowledgements, %v, %s", w.acks, err, w.last)
	}
	return dir
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// Each sync of one write fails, on its own: the write is refused. The store
// then finds out by itself what became of it, and goes on. The first write of a
// store is another one: the file grows, directories are made. So is one that moves
// revocations into a page.
func TestAWriteWhoseSyncFailsIsRefused(t *testing.T) {
	const seed = 5
	for _, b := range backends() {
		for _, before := range []int{0, 9, pageWrites(seed, 1000)[0]} {
			dir := grown(t, b, seed, before)
			_, calls := straced(t, writerEnv(b, copyOf(t, dir), seed, before, 1))
			_, writing := syncPoints(calls)
			if len(writing) < 2 {
				t.Fatalf("a write makes the syncs %v only", writing)
			}
			for _, p := range writing {
				t.Run(fmt.Sprintf("%s, write %d, %s %d", b.name, before, p.call, p.n), func(t *testing.T) {
					failOneSync(t, b, copyOf(t, dir), seed, before, p)
				})
			}
		}
	}
}

func failOneSync(t *testing.T, b backend, dir string, seed uint64, before int, p point) {
	t.Helper()
	w, calls := straced(t, writerEnv(b, dir, seed, before, 2), "-e", p.inject(""))
	if !w.ready || len(w.refusals) != 1 || !strings.HasPrefix(w.refusals[0], fmt.Sprintf("%s %d ", sayRefused, before)) {
		t.Fatalf("want one refusal of the first write, got ready %t, %v, and at last %q", w.ready, w.refusals, w.last)
	}
	if w.acks != 2 {
		t.Errorf("%d of 2 writes went through afterwards", w.acks)
	}
	mustHold(t, b, dir, seed, before+w.acks)
	_, faults := audit(calls, dir)
	for _, fault := range faults {
		t.Error(fault)
	}
}

// From the first sync of a write on, all fail: nothing is acknowledged, and what
// was before is still there.
func TestADiskThatFailsForGoodRefusesEverything(t *testing.T) {
	const before, seed = 9, 5
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			dir := grown(t, b, seed, before)
			_, calls := straced(t, writerEnv(b, copyOf(t, dir), seed, before, 1))
			starting, _ := syncPoints(calls)
			counts := map[string]int{}
			for _, p := range starting {
				counts[p.call]++
			}
			dir = copyOf(t, dir)
			w, _ := straced(t, writerEnv(b, dir, seed, before, 3),
				"-e", point{"fsync", counts["fsync"] + 1}.inject("+"),
				"-e", point{"fdatasync", counts["fdatasync"] + 1}.inject("+"))
			if !w.ready || w.acks != 0 || len(w.refusals) == 0 {
				t.Fatalf("want refusals only, got ready %t, %d acknowledgements, %v", w.ready, w.acks, w.refusals)
			}
			t.Logf("%d refusals: %v", len(w.refusals), w.refusals)
			if n, err := check(t.Context(), b, dir, seed, before, w, readers{}); err != nil {
				t.Error(err)
			} else {
				t.Logf("%d of its writes are there, 0 acknowledged", n-before)
			}
		})
	}
}

// Each sync of the creation fails, on its own: the start is refused, or that
// sync did not matter; the next start makes a store that works.
func TestAFirstStartWhoseSyncFailsIsRefused(t *testing.T) {
	const seed = 5
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			_, calls := straced(t, writerEnv(b, t.TempDir(), seed, 0, 1))
			starting, _ := syncPoints(calls)
			if len(starting) < 3 {
				t.Fatalf("a first start makes the syncs %v only", starting)
			}
			for _, p := range starting {
				t.Run(fmt.Sprintf("%s %d", p.call, p.n), func(t *testing.T) {
					dir := t.TempDir()
					w, _ := straced(t, writerEnv(b, dir, seed, 0, 1), "-e", p.inject(""))
					if w.ready || w.acks != 0 || len(w.refusals) != 1 {
						t.Errorf("want a refused start, got ready %t, %d acknowledgements, %v", w.ready, w.acks, w.refusals)
					}
					again := startCommand(t, []string{os.Args[0]}, writerEnv(b, dir, seed, 0, 3))
					if err := again.wait(); err != nil || again.acks != 3 {
						t.Fatalf("the next start: %v, %d acknowledgements, %s", err, again.acks, again.last)
					}
					mustHold(t, b, dir, seed, 3)
				})
			}
		})
	}
}

// mustHold checks that the store holds exactly the first n writes.
func mustHold(t *testing.T, b backend, dir string, seed uint64, n int) {
	t.Helper()
	s, err := b.open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	got, err := readState(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if want := stateAfter(seed, n); got.String() != want.String() {
		t.Errorf("after %d writes the store holds\n%s\nand not\n%s", n, got, want)
	}
}

// isRefusal reports whether an error is one of those that a full disk may give.
func isRefusal(err error) bool {
	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrUnknownOutcome)
}
