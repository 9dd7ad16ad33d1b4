package auditlog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

func TestALogThatWasRemovedIsMadeAnewBeforeTheNextRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	log, done, err := auditlog.Open(auditlog.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for range 3 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := log.Record(t.Context(), audit.Event{Action: audit.ActionMint, Outcome: audit.Granted}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || bytes.Count(data, []byte("\n")) != 1 {
			t.Fatalf("the record is not in the file: %q, %v", data, err)
		}
	}
}

func TestALogWhoseDirectoryIsGoneRefusesTheRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	log, done, err := auditlog.Open(auditlog.Config{Path: filepath.Join(dir, "audit.log")})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := log.Record(t.Context(), audit.Event{Action: audit.ActionMint}); err == nil {
		t.Error("a record that nobody can read was acknowledged")
	}
}
