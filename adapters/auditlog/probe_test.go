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
