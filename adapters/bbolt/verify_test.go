package bbolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"embedseal/adapters/bbolt"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/ports"
)

func TestAStoreIsVerifiedWithoutAChangeOfIt(t *testing.T) {
	c := bbolt.Config{Path: filepath.Join(t.TempDir(), "store.db"), MasterKey: masterKey(1)}
	if _, err := bbolt.Verify(t.Context(), c); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := bbolt.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s, closing, err := bbolt.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := bbolt.NewGroupStore(s).CreateGroup(t.Context(), group.Group{ID: "acme", Policy: policy.Default()}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := bbolt.Verify(t.Context(), c); !errors.Is(err, ports.ErrHeld) || time.Since(began) > time.Second/2 {
		t.Errorf("held by a writer: %v after %s", err, time.Since(began))
	}
	closing()
	if err := os.Chmod(c.Path, 0o400); err != nil {
		t.Fatal(err)
	}
	before, info := content(t, c.Path)
	if groups, err := bbolt.Verify(t.Context(), c); err != nil || groups != 1 {
		t.Errorf("got %d groups, %v", groups, err)
	}
	if after, now := content(t, c.Path); !bytes.Equal(before, after) || !now.ModTime().Equal(info.ModTime()) {
		t.Error("verifying changed the file")
	}
	if _, err := bbolt.Verify(t.Context(), bbolt.Config{Path: c.Path, MasterKey: masterKey(2)}); !errors.Is(err, ports.ErrWrongMasterKey) {
		t.Errorf("another master key: %v", err)
	}
	if err := os.Chmod(c.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(before, []byte("group/acme")) // the record follows its name
	if at < 0 {
		t.Fatal("the record is not where it is looked for")
	}
	before[at+len("group/acme")+20] ^= 1
	if err := os.WriteFile(c.Path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bbolt.Verify(t.Context(), c); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("a record with a bit changed: %v", err)
	}
}

func content(t *testing.T, path string) ([]byte, os.FileInfo) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, info
}
