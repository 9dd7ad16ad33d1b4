package auditlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/ports"
)

func open(t *testing.T, path string) *auditlog.Log {
	t.Helper()
	l, closeLog, err := auditlog.Open(auditlog.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeLog)
	return l
}

func record(t *testing.T, l *auditlog.Log, e audit.Event) {
	t.Helper()
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// event is one that is told from others by its request id, and its line.
func event(id string) (e audit.Event, line string) {
	e = minted()
	e.RequestID = id
	return e, string(auditlog.AppendEvent(nil, e)) + "\n"
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("the file holds\n%q, want\n%q", got, want)
	}
}

func TestARecordIsInTheFileWhenItIsAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	wantFile(t, path, "")
	want := ""
	for i := range 3 {
		e, line := event(fmt.Sprint("r", i))
		record(t, l, e)
		want += line
		wantFile(t, path, want)
	}
	e, line := event("after a restart")
	record(t, open(t, path), e)
	wantFile(t, path, want+line)
}

func TestANewFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("the mode is %v, want %v", got, os.FileMode(0o600))
	}
}

func TestADoneContextDoesNotStopARecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, line := event("r1")
	if err := l.Record(ctx, e); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, line)
}

func TestALastLineThatACrashCutShortIsEnded(t *testing.T) {
	e, line := event("r1")
	for what, tt := range map[string]struct{ before, want string }{
		"half a line":                {line[:40], line[:40] + "\n" + line},
		"a line without its end":     {line[:len(line)-1], line[:len(line)-1] + "\n" + line},
		"a line and one byte":        {line + "{", line + "{\n" + line},
		"a whole line":               {line, line + line},
		"an empty line":              {"\n", "\n" + line},
		"nothing":                    {"", line},
		"zeros after a power cut":    {line + "\x00\x00\x00", line + "\x00\x00\x00\n" + line},
		"a line in another's format": {"x\r", "x\r\n" + line},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t, path)
			wantFile(t, path, tt.before) // opening alone writes nothing
			record(t, l, e)
			wantFile(t, path, tt.want)
			record(t, l, e)
			wantFile(t, path, tt.want+line)
		})
	}
}

func TestAPathThatCannotBeOpenedIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing", "audit.log"), filepath.Join(dir, "file", "audit.log")} {
		l, closeLog, err := auditlog.Open(auditlog.Config{Path: path})
		if err == nil || l != nil || closeLog != nil {
			t.Fatalf("%s was opened", path)
		}
		for _, want := range []string{"auditlog: ", path, "audit.path"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error has no %s: %v", want, err)
			}
		}
	}
}

func TestAClosedLogRefuses(t *testing.T) {
	l, closeLog, err := auditlog.Open(auditlog.Config{Path: filepath.Join(t.TempDir(), "audit.log")})
	if err != nil {
		t.Fatal(err)
	}
	closeLog()
	if err := l.Record(t.Context(), minted()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ports.ErrUnavailable)
	}
}

func TestADashIsTheStandardErrorStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(stderr *os.File) { os.Stderr = stderr }(os.Stderr)
	os.Stderr = w
	l, closeLog, err := auditlog.Open(auditlog.Config{Path: auditlog.StandardError})
	if err != nil {
		t.Fatal(err)
	}
	e, line := event("r1")
	record(t, l, e)
	closeLog()
	record(t, l, e) // the stream is not the log's to close
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != line+line {
		t.Errorf("got %q and %v", got, err)
	}
	if err := l.Record(t.Context(), e); !errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), "standard error") {
		t.Errorf("on a closed stream: got %v, want %v", err, ports.ErrUnavailable)
	}
}

func TestConcurrentRecordsAreEachALine(t *testing.T) {
	const writers, each = 16, 50
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				e, _ := event(fmt.Sprintf("%d-%d", i, j))
				e.Customer = strings.Repeat("x", 1+(i*j)%500)
				if err := l.Record(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for text := range strings.Lines(string(data)) {
		var got line
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		seen[got.RequestID] = true
	}
	if len(seen) != writers*each {
		t.Errorf("got %d different records, want %d", len(seen), writers*each)
	}
}
