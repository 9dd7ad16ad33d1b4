package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// directories are those below a path.
func directories(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWhatAKilledServerInMemoryLeavesTheNextOneRemoves(t *testing.T) {
	for name, args := range map[string][]string{
		demoDir: {"demo", "--listen", "127.0.0.1:0"},
		devDir:  {"serve", "--dev", "--listen", "127.0.0.1:0", "--audit-path", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			begin := func() *process {
				p := start(t, []string{"TMPDIR=" + dir}, args...)
				p.printed(t, map[string]string{demoDir: "Open this in a browser", devDir: "/admin.sock\n"}[name])
				return p
			}
			killed := begin()
			left := directories(t, dir)
			killed.signal(t, syscall.SIGKILL)
			killed.wait(t)
			runs := begin()
			if now := directories(t, dir); len(left) != 1 || len(now) != 2 {
				t.Fatalf("one that is young may be about to begin: %q and %q", left, now)
			}
			for _, d := range directories(t, dir) {
				old := time.Now().Add(-time.Hour)
				if err := os.Chtimes(filepath.Join(dir, d), old, old); err != nil {
					t.Fatal(err)
				}
			}
			second := begin()
			if now := directories(t, dir); len(now) != 2 || slices.Contains(now, left[0]) {
				t.Errorf("there are %q, and %q of the one that was killed", now, left)
			}
			runs.terminate(t).want(t, exitOK)
			second.terminate(t).want(t, exitOK)
			if now := directories(t, dir); len(now) != 0 {
				t.Errorf("left are %q", now)
			}
		})
	}
}

func TestNothingElseOfThatNameIsRemoved(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("TMPDIR", dir)
	at := func(name string) string { return filepath.Join(dir, demoDir+name) }
	for name, mode := range map[string]os.FileMode{"open": 0o755, "gone": 0o700, "young": 0o700} {
		if err := os.Mkdir(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(t, at("file"), "")
	if err := os.Symlink(at("open"), at("link")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * settled)
	for _, name := range []string{"open", "gone", "file"} {
		if err := os.Chtimes(at(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweepAbandoned(demoDir, time.Now())
	if now := directories(t, dir); !slices.Equal(now, []string{demoDir + "file", demoDir + "link", demoDir + "open", demoDir + "young"}) {
		t.Errorf("left are %q", now)
	}
}
