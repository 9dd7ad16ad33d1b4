package auditlog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/ports"
)

// full is a file on a disk that is full after so many more bytes.
type full struct {
	auditlog.Output
	left int
	// stuck says that nothing can be taken back either.
	stuck bool
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.left {
		f.left -= len(p)
		return f.Output.Write(p)
	}
	n, err := f.Output.Write(p[:f.left])
	if err != nil {
		return n, err
	}
	f.left = 0
	return n, syscall.ENOSPC
}

func (f *full) Truncate(size int64) error {
	if f.stuck {
		return syscall.EIO
	}
	return f.Output.Truncate(size)
}

// breakAfter lets the log write so many more bytes; the func it returns makes
// room again.
func breakAfter(l *auditlog.Log, bytes int, stuck bool) (repair func()) {
	f := &full{left: bytes, stuck: stuck}
	l.Break(func(out auditlog.Output) auditlog.Output {
		f.Output = out
		return f
	})
	return func() { f.left = 1 << 30 }
}

func wantUnavailable(t *testing.T, err, cause error) {
	t.Helper()
	if !errors.Is(err, ports.ErrUnavailable) || !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v because of %v", err, ports.ErrUnavailable, cause)
	}
}

func TestARecordThatDoesNotFitIsTakenBack(t *testing.T) {
	e1, line1 := event("r1")
	e2, _ := event("r2")
	e3, line3 := event("r3")
	for _, torn := range []string{"", "{\"torn"} {
		for bytes := range len(line1) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
				t.Fatal(err)
			}
			l, want := open(t, path), ""
			if torn == "" {
				record(t, l, e1)
				want = line1
			}
			repair := breakAfter(l, bytes, false)
			for range 2 {
				wantUnavailable(t, l.Record(t.Context(), e2), syscall.ENOSPC)
				wantFile(t, path, torn+want)
			}
			repair()
			record(t, l, e3)
			if torn != "" {
				want = "\n"
			}
			wantFile(t, path, torn+want+line3)
		}
	}
}

func TestAPieceThatCannotBeTakenBackIsALineOfItsOwn(t *testing.T) {
	e1, line1 := event("r1")
	e2, line2 := event("r2")
	e3, line3 := event("r3")
	for bytes := range len(line2) {
		path := filepath.Join(t.TempDir(), "audit.log")
		l := open(t, path)
		record(t, l, e1)
		repair := breakAfter(l, bytes, true)
		wantUnavailable(t, l.Record(t.Context(), e2), syscall.ENOSPC)
		repair()
		record(t, l, e3)
		record(t, l, e1)
		piece := ""
		if bytes > 0 {
			piece = line2[:bytes] + "\n"
		}
		wantFile(t, path, line1+piece+line3+line1)
	}
}

func TestTheEndOfATornLineIsNotWrittenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("{\"torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	e, line := event("r1")
	repair := breakAfter(l, 1, true) // the end of the torn line fits, and stays
	wantUnavailable(t, l.Record(t.Context(), e), syscall.ENOSPC)
	repair()
	record(t, l, e)
	wantFile(t, path, "{\"torn\n"+line)
}

func TestWhatOthersWroteIsNeverTakenBack(t *testing.T) {
	e, line := event("r1")
	for what, tt := range map[string]struct {
		meanwhile func(path string) error
		want      string
	}{
		"rotated by copying":  {func(path string) error { return os.Truncate(path, 0) }, line[:10] + "\n" + line},
		"another process":     {func(path string) error { return os.WriteFile(path, []byte(line+"other\n"), 0o600) }, line + "other\n" + line[:10] + "\n" + line},
		"nothing in the time": {func(string) error { return nil }, line + line},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			l := open(t, path)
			record(t, l, e)
			if err := tt.meanwhile(path); err != nil {
				t.Fatal(err)
			}
			repair := breakAfter(l, 10, false)
			wantUnavailable(t, l.Record(t.Context(), e), syscall.ENOSPC)
			repair()
			record(t, l, e)
			wantFile(t, path, tt.want)
		})
	}
}

func TestAFullDeviceRefusesEveryRecord(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatalf("this test needs /dev/full: %v", err)
	}
	l := open(t, "/dev/full")
	for range 3 {
		err := l.Record(t.Context(), minted())
		wantUnavailable(t, err, syscall.ENOSPC)
		if !strings.Contains(err.Error(), "/dev/full") || strings.Contains(err.Error(), "customer_1") {
			t.Errorf("the error must name the file and nothing of the record: %v", err)
		}
	}
}

// TestEveryAcknowledgedRecordIsALine breaks the log at one place after the
// other and reads the file as a program would that skips what is no JSON.
func TestEveryAcknowledgedRecordIsALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	acknowledged := map[string]bool{}
	for bytes := range 700 {
		repair := breakAfter(l, bytes, bytes%2 == 0)
		for i := range 3 {
			e, _ := event(fmt.Sprintf("%d-%d", bytes, i))
			if l.Record(t.Context(), e) == nil {
				acknowledged[e.RequestID] = true
			}
		}
		repair()
	}
	if len(acknowledged) == 0 {
		t.Fatal("none was written: the test looks at nothing")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(data)) {
		var l line
		if json.Unmarshal([]byte(text), &l) == nil {
			delete(acknowledged, l.RequestID)
		}
	}
	if len(acknowledged) != 0 {
		t.Errorf("acknowledged and not in the file: %v", acknowledged)
	}
}
