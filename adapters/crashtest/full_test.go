//go:build linux

package crashtest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"embedseal/ports/porttest"
)

// A full disk refuses writes, loses none, and takes more once there is room.
func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			dir := smallDisk(t)
			fillAndFree(t, b, dir, func() { fill(t, dir) }, func() {
				if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// smallDisk is a file system of 4 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m")
	if err != nil {
		t.Skipf("a small file system cannot be mounted (%v); TestALimitOnTheSizeOfFilesRefusesAndLosesNothing shows the same without one", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until there is no room for a single byte.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0 && err == nil; {
		if _, err = f.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, syscall.ENOSPC) {
			size, err = size/2, nil
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// envLimited makes the test binary run the next test itself, in a process whose
// files may be limited without harm to others.
const envLimited = "EMBEDSEAL_CRASH_LIMITED"

// Files that may not grow refuse writes in the same way. It needs no privilege.
func TestALimitOnTheSizeOfFilesRefusesAndLosesNothing(t *testing.T) {
	if os.Getenv(envLimited) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), envLimited+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // an error instead of the end of the process
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			var before syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
				t.Fatal(err)
			}
			restore := func() { setLimit(t, before) }
			defer restore()
			fillAndFree(t, b, t.TempDir(), func() { setLimit(t, syscall.Rlimit{Cur: 100, Max: before.Max}) }, restore)
		})
	}
}

func setLimit(t *testing.T, limit syscall.Rlimit) {
	t.Helper()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

// fillAndFree writes before, while and after there is no room, and compares
// everything with what was acknowledged.
func fillAndFree(t *testing.T, b backend, dir string, fill, free func()) {
	t.Helper()
	ctx, seed := t.Context(), porttest.Seed(t)
	if _, err := b.create(ctx, dir); err != nil {
		t.Fatal(err)
	}
	s, err := b.open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.close() }()
	const each, refusals = 20, 10
	acknowledged := writeSome(t, s, seed, 0, each)
	fill()
	refused := 0
	for tries := 0; refused < refusals && tries < 2000; tries++ {
		err := nextOp(seed, acknowledged, stateAfter(seed, acknowledged)).run(ctx, s)
		switch {
		case err == nil:
			acknowledged++
		case !isRefusal(err) || !strings.Contains(err.Error(), dir):
			t.Fatalf("refused without saying what and where: %v", err)
		default:
			refused++
			if acknowledged, err = settle(ctx, s, seed, acknowledged); err != nil {
				t.Fatalf("after refusal %d (%v): %v", refused, err, err)
			}
		}
	}
	if refused < refusals {
		t.Fatalf("%d refusals only: there was room", refused)
	}
	whileFull := acknowledged - each
	free()
	acknowledged = writeSome(t, s, seed, acknowledged, each)
	s.close()
	if s, err = b.open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	got, err := readState(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	if want := stateAfter(seed, acknowledged); got.String() != want.String() {
		t.Fatalf("after %d writes the store holds\n%s\nand not\n%s", acknowledged, got, want)
	}
	t.Logf("%s: %d acknowledged writes, %d of them while it was full, %d refused, 0 lost", b.name, acknowledged, whileFull, refused)
}

func writeSome(t *testing.T, s stores, seed uint64, first, count int) (next int) {
	t.Helper()
	for i := first; i < first+count; i++ {
		if err := nextOp(seed, i, stateAfter(seed, i)).run(t.Context(), s); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
	}
	return first + count
}

// settle reads the store after a refused write: it holds all that was
// acknowledged, and perhaps the refused one.
func settle(ctx context.Context, s stores, seed uint64, acknowledged int) (int, error) {
	got, err := readState(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, n := range []int{acknowledged, acknowledged + 1} {
		if got.String() == stateAfter(seed, n).String() {
			return n, nil
		}
	}
	return 0, errLost
}
