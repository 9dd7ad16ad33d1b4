package datadir_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/datadir"
	"embedseal/domain/secret"
)

func TestADirectoryIsMadeWithItsParentsAndClosedToOthers(t *testing.T) {
	dir := datadir.At(filepath.Join(t.TempDir(), "a", "b", "data"))
	for range 2 {
		if tightened, err := dir.Make(); err != nil || tightened {
			t.Fatalf("got %t and %v", tightened, err)
		}
	}
	if info, err := os.Stat(dir.String()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v and %v, want mode 0700", info.Mode(), err)
	}
	if err := os.Chmod(dir.String(), 0o755); err != nil {
		t.Fatal(err)
	}
	if exposed := dir.Exposed(); len(exposed) != 1 || exposed[0] != dir.String() {
		t.Errorf("an open directory is not told of: %v", exposed)
	}
	if tightened, err := dir.Make(); err != nil || !tightened || dir.Exposed() != nil {
		t.Errorf("got %t and %v, want it closed", tightened, err)
	}
}

func TestAFileInTheWayIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{path, filepath.Join(path, "data")} {
		if _, err := datadir.At(at).Make(); err == nil {
			t.Errorf("%s was made", at)
		}
	}
}

func TestOfManyWritersOneWinsAndAllReadItsText(t *testing.T) {
	dir := datadir.At(t.TempDir())
	texts := make([]string, 16)
	var all sync.WaitGroup
	for i := range texts {
		all.Go(func() {
			got, err := dir.WriteOnce(datadir.APIToken, secret.New(string(rune('a'+i))))
			if err != nil {
				t.Error(err)
			}
			texts[i] = got.Reveal()
		})
	}
	all.Wait()
	for _, text := range texts {
		if text == "" || text != texts[0] {
			t.Fatalf("the writers read %q", texts)
		}
	}
	if info, err := os.Stat(dir.Path(datadir.APIToken)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v and %v, want mode 0600", info, err)
	}
	if err := dir.Remove(datadir.APIToken); err != nil || dir.Has(datadir.APIToken) {
		t.Errorf("not removed: %v", err)
	}
	if _, err := dir.Read(datadir.APIToken); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if left, err := os.ReadDir(dir.String()); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestALockedDirectoryIsWaitedFor(t *testing.T) {
	dir := datadir.At(t.TempDir())
	release, err := dir.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := dir.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a locked directory is locked again: %v", err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		release()
	}()
	again, err := dir.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
	if _, err := datadir.At(filepath.Join(dir.String(), "none")).Lock(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWhatMayNotBeSeenIsNotMissing(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root sees everything; a file where a directory should be stands in.
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := datadir.At(filepath.Join(dir, "file")).Look("store.db"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	} else {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
		if err := datadir.At(dir).Look("store.db"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	}
	if err := datadir.At(t.TempDir()).Look("store.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
