package file_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/file"
	"embedseal/ports"
)

func TestAStoreIsVerifiedWithoutAChangeOfIt(t *testing.T) {
	c := base(t)
	before := tree(t, c.Dir)
	if groups, err := file.Verify(t.Context(), c); err != nil || groups != 2 {
		t.Errorf("got %d groups, %v", groups, err)
	}
	if err := file.CheckKey(c); err != nil {
		t.Error(err)
	}
	other := file.Config{Dir: c.Dir, MasterKey: masterKey(2)}
	_, err := file.Verify(t.Context(), other)
	wantError(t, err, ports.ErrWrongMasterKey)
	wantError(t, file.CheckKey(other), ports.ErrWrongMasterKey)

	_, closing := mustOpen(t, c)
	_, err = file.Verify(t.Context(), c)
	wantError(t, err, ports.ErrHeld, c.Dir)
	wantError(t, file.CheckKey(other), ports.ErrWrongMasterKey) // beside a writer as well
	closing()

	journal := filepath.Join(c.Dir, "journal")
	if err := os.WriteFile(journal, []byte("half a commit"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = file.Verify(t.Context(), c)
	wantError(t, err, file.ErrInterrupted, c.Dir)
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	after := tree(t, c.Dir)
	delete(before, "lock")
	if diff := cmp.Diff(without(before, c.Dir), without(after, c.Dir)); diff != "" {
		t.Errorf("verifying changed the store: %s", diff)
	}

	record := filepath.Join(c.Dir, "group", "acme.sealed")
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(record, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = file.Verify(t.Context(), c)
	wantError(t, err, ports.ErrCorrupt, "group/acme")

	gone := file.Config{Dir: filepath.Join(t.TempDir(), "gone"), MasterKey: masterKey(1)}
	_, err = file.Verify(t.Context(), gone)
	wantError(t, err, ports.ErrNotFound, "embedseal init")
	wantError(t, file.CheckKey(gone), ports.ErrNotFound, "embedseal init")
}

// without leaves out the lock file, which names the last process.
func without(files map[string]string, dir string) map[string]string {
	delete(files, filepath.Join(dir, "lock"))
	return files
}

func TestAnOpeningWaitsForOneWhoOnlyReads(t *testing.T) {
	c := base(t)
	f, err := os.Open(filepath.Join(c.Dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = f.Close() })
	_, closing, err := file.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	closing()
}
