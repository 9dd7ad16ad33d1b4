package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestANewStoreGetsANewToken is what somebody does whose token leaked.
func TestANewStoreGetsANewToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	before := initialise(t, dir, storeBbolt)
	if err := os.Remove(filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	after := initialise(t, dir, storeBbolt)
	if after.APIToken == "" || after.APIToken == before.APIToken {
		t.Error("the token of the old store is that of the new one")
	}
	if got := contents(t, filepath.Join(dir, "api-token")); got != after.APIToken+"\n" {
		t.Error("the file has another token than the one that was shown")
	}
}

func TestAnEmptyDataDirIsAFault(t *testing.T) {
	t.Chdir(t.TempDir())
	run(t, "init", "--data-dir", "").want(t, exitConfig, "data_dir", "empty")
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("something was made: %v, %v", left, err)
	}
}

func TestAnOpenDataDirIsWarnedOf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	if err := os.Chmod(filepath.Join(dir, "master.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--data-dir", dir)
	s.stop(t)
	for _, words := range []string{"other users", "master.key"} {
		if log := s.stderr.String(); !strings.Contains(log, words) {
			t.Errorf("the log lacks %q: %s", words, log)
		}
	}
}
