package auditlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"embedseal/adapters/auditlog"
)

// TestALogBehindASymbolicLinkIsRotated has its files where the link is.
func TestALogBehindASymbolicLinkIsRotated(t *testing.T) {
	b := newBook(t, small, func(c *auditlog.Config) {
		if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere.log"), c.Path); err != nil {
			t.Fatal(err)
		}
	})
	for i := range 12 {
		b.record(t, fmt.Sprint("r", i))
	}
	if r := b.wantVerified(t); r.Records != 13 {
		t.Errorf("%+v", r)
	}
	b.crash(t)
	b.record(t, "after")
	b.wantVerified(t)
}

// TestALogGoesOnInNoDevice: where the file was removed and something stands there
// that keeps nothing, nothing is recorded.
func TestALogGoesOnInNoDevice(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1")
	if err := os.Remove(b.config.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, b.config.Path); err != nil {
		t.Fatal(err)
	}
	if err := b.Record(t.Context(), event("r2")); err == nil {
		t.Error("a record went to a device")
	}
	if err := os.Remove(b.config.Path); err != nil {
		t.Fatal(err)
	}
	b.record(t, "r3")
	b.wantRecords(t, "audit_truncated", "r3")
}

// TestALogThatWasRenamedBeforeAKillGoesOnBehindIt: the store is told of the end
// later than the file has it.
func TestALogThatWasRenamedBeforeAKillGoesOnBehindIt(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1", "r2")
	before := b.store.state("local")
	b.close()
	b.store.states["local"] = before
	if err := os.Rename(b.config.Path, b.config.Path+".1"); err != nil {
		t.Fatal(err)
	}
	b.open(t)
	b.record(t, "r3")
	if r := b.wantVerified(t); r.Records != 5 {
		t.Errorf("%+v", r)
	}
}

// TestARotationEmptiesNoFileThatALinkNames: whoever may write to the directory
// plants none.
func TestARotationEmptiesNoFileThatALinkNames(t *testing.T) {
	b := newBook(t, small)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, b.config.Path+".new"); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		b.record(t, fmt.Sprint("r", i))
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "kept" {
		t.Errorf("it holds %q, %v", text, err)
	}
}
