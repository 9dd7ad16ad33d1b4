package auditlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/ports"
)

func TestAProbeFindsWhatWouldKeepARecordFromBeingWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path string
		want error
	}{
		"a file":                            {file, nil},
		"standard error":                    {auditlog.StandardError, nil},
		"a device":                          {os.DevNull, nil},
		"a file that can be made":           {filepath.Join(dir, "new.log"), nil},
		"no directory":                      {filepath.Join(dir, "gone", "audit.log"), syscall.ENOENT},
		"a directory":                       {dir, syscall.EISDIR},
		"a file where a directory is meant": {filepath.Join(file, "audit.log"), syscall.ENOTDIR},
	} {
		err := auditlog.NewProbe(auditlog.Config{Path: tt.path}).Check(t.Context())
		if !errors.Is(err, tt.want) || tt.want != nil && !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "{}\n" {
		t.Errorf("the probe left %q, %v", data, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new.log")); err == nil {
		t.Error("the probe made the file")
	}
}

func TestAProbeFindsAFullDiskAndKeepsRoomOnOneThatIsNot(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	early, late := filepath.Join(dir, "early.log"), filepath.Join(dir, "late.log")
	for _, path := range []string{early, late} {
		if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(path string) error { return auditlog.NewProbe(auditlog.Config{Path: path}).Check(t.Context()) }
	if err := check(early); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := check(late); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("a full disk: %v", err)
	}
	if err := check(early); err != nil {
		t.Errorf("the room that was asked for before is not kept: %v", err)
	}
	f, err := os.OpenFile(early, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(make([]byte, 32<<10)); err != nil {
		t.Errorf("a record after that: %v", err)
	}
	if err := check(early); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("half of the room is used, and the rest is called enough: %v", err)
	}
}
