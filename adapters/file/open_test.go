package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/file"
	"embedseal/ports"
)

// tree is every file below dir with its bytes.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		files[name] = string(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func wantError(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

func TestOpenNeverMakesAStore(t *testing.T) {
	for name, dir := range map[string]string{"no directory": filepath.Join(t.TempDir(), "none"), "an empty directory": t.TempDir()} {
		_, _, err := file.Open(t.Context(), file.Config{Dir: dir, MasterKey: masterKey(1)})
		wantError(t, err, ports.ErrNotFound, dir, "embedseal init")
		if left := tree(t, dir); len(left) > 0 {
			t.Errorf("%s: %v was made", name, left)
		}
	}
}

func TestAStoreIsCreatedOnceAndLeftAlone(t *testing.T) {
	c := newConfig(t)
	before := tree(t, c.Dir)
	for _, key := range []file.MasterKey{c.MasterKey, masterKey(2)} {
		created, err := file.Create(t.Context(), file.Config{Dir: c.Dir, MasterKey: key})
		if created || err != nil {
			t.Errorf("created is %t, and the error %v", created, err)
		}
	}
	s, closing := mustOpen(t, c)
	if created, err := file.Create(t.Context(), c); created || err != nil { // while it is open
		t.Errorf("created is %t, and the error %v", created, err)
	}
	if _, err := dump(t, s); err != nil {
		t.Error(err)
	}
	closing()
	if diff := cmp.Diff(before, tree(t, c.Dir)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

func TestOfConcurrentCreationsOneSucceeds(t *testing.T) {
	for range 5 {
		c := file.Config{Dir: filepath.Join(t.TempDir(), "a", "b"), MasterKey: masterKey(1)}
		var count atomic.Int32
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				created, err := file.Create(t.Context(), c)
				if err != nil {
					t.Error(err)
				}
				if created {
					count.Add(1)
				}
			})
		}
		wg.Wait()
		if n := count.Load(); n != 1 {
			t.Errorf("%d creations say that they made the store", n)
		}
		mustOpen(t, c)
	}
}

func TestADirectoryOfSomethingElseIsLeftAlone(t *testing.T) {
	for name, content := range map[string]string{"notes.txt": "mine", "photos/one.jpg": "mine", "journal": "not ours"} {
		c := file.Config{Dir: t.TempDir(), MasterKey: masterKey(1)}
		path := filepath.Join(c.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		want := ports.ErrExists
		if name == "journal" {
			want = ports.ErrCorrupt
		}
		created, err := file.Create(t.Context(), c)
		wantError(t, err, want, c.Dir)
		if got := tree(t, c.Dir); created || got[path] != content {
			t.Errorf("%s: created is %t, and the directory holds %v", name, created, got)
		}
	}
}

func TestAStoreWithoutItsHeaderIsNotMadeAnew(t *testing.T) {
	for _, lost := range [][]string{{"header.sealed"}, {"header.sealed", "root.sealed"}} {
		c := base(t)
		for _, name := range lost {
			if err := os.Remove(filepath.Join(c.Dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, c.Dir)
		_, _, err := file.Open(t.Context(), c)
		wantError(t, err, ports.ErrCorrupt)
		_, err = file.Create(t.Context(), c)
		wantError(t, err, ports.ErrCorrupt)
		if diff := cmp.Diff(before, tree(t, c.Dir)); diff != "" {
			t.Errorf("something was written:\n%s", diff)
		}
	}
}

func TestAnOpenStoreIsHeld(t *testing.T) {
	c := newConfig(t)
	_, closing := mustOpen(t, c)
	_, _, err := file.Open(t.Context(), c)
	wantError(t, err, ports.ErrHeld, c.Dir, strconv.Itoa(os.Getpid()), "stop")
	if !errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("got the error %v", err)
	}
	closing()
	closing()
	mustOpen(t, c)
}

func TestACreationWaitsForTheOneThatHasTheDirectory(t *testing.T) {
	c := file.Config{Dir: t.TempDir(), MasterKey: masterKey(1)}
	held := newConfig(t)
	_, closing := mustOpen(t, held)
	defer closing()
	// The lock is taken and there is no store yet: another process is at it.
	if err := os.Link(filepath.Join(held.Dir, "lock"), filepath.Join(c.Dir, "lock")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := file.Create(ctx, c)
		done <- err
	}()
	cancel()
	wantError(t, <-done, context.Canceled)
}

func TestACancelledContextStopsTheOpening(t *testing.T) {
	c := newConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := file.Open(ctx, c)
	wantError(t, err, context.Canceled)
}

func TestNothingOpensWithoutAMasterKey(t *testing.T) {
	c := newConfig(t)
	c.MasterKey = file.MasterKey{}
	if _, _, err := file.Open(t.Context(), c); err == nil {
		t.Error("a store was opened without a key")
	}
	c.Dir = filepath.Join(t.TempDir(), "none")
	if _, err := file.Create(t.Context(), c); err == nil {
		t.Error("a store was made without a key")
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	if _, err := file.ParseMasterKey("short"); err == nil {
		t.Error("a short key was read")
	}
}

func TestOnlyTheOwnerMayLookInside(t *testing.T) {
	c := base(t)
	err := filepath.WalkDir(c.Dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
