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

func TestARecordIsInTheFileWhenItIsAnswered(t *testing.T) {
	b := newBook(t)
	if got := contents(t, b.config.Path); got != "" {
		t.Errorf("opening alone wrote %q", got)
	}
	want := []string{"audit_opened"}
	for i := range 3 {
		want = append(want, fmt.Sprint("r", i))
		b.record(t, fmt.Sprint("r", i))
		b.wantRecords(t, want...)
	}
	b.reopen(t)
	b.wantRecords(t, want...)
	b.record(t, "after a restart")
	b.wantRecords(t, append(want, "audit_opened", "after a restart")...)
	if r := b.wantVerified(t); r.Records != 6 || r.First != 1 || r.Last != 6 {
		t.Errorf("%+v", r)
	}
}

func TestALineIsTheEventAndItsPlaceInTheChain(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1")
	text := strings.Split(contents(t, b.config.Path), "\n")[1]
	body := strings.TrimSuffix(string(auditlog.AppendEvent(nil, event("r1"))), "}") + `,"seq":2,"log":"local"`
	if !strings.HasPrefix(text, body+`,"mac":"`) || len(text) != len(body)+74 {
		t.Errorf("the line is\n%s, want\n%s and a MAC", text, body)
	}
}

func TestANewFileIsForItsOwnerOnly(t *testing.T) {
	b := newBook(t)
	info, err := os.Stat(b.config.Path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("the mode is %v, want %v", got, os.FileMode(0o600))
	}
}

func TestADoneContextDoesNotStopARecord(t *testing.T) {
	b := newBook(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Record(ctx, event("r1")); err != nil {
		t.Fatal(err)
	}
	b.wantRecords(t, "audit_opened", "r1")
}

func TestAPathThatCannotBeOpenedIsNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	for _, path := range []string{dir, filepath.Join(dir, "missing", "audit.log"), filepath.Join(dir, "file", "audit.log")} {
		l, closeLog, err := auditlog.Open(t.Context(), auditlog.Config{Path: path, Name: "local"})
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

func TestANameThatNoLogCanHaveIsRefused(t *testing.T) {
	_, _, err := auditlog.Open(t.Context(), auditlog.Config{Path: filepath.Join(t.TempDir(), "audit.log"), Name: "../x"})
	if !errors.Is(err, audit.ErrLog) {
		t.Errorf("got %v, want %v", err, audit.ErrLog)
	}
}

func TestASecondLogOfTheSameFileIsRefused(t *testing.T) {
	b := newBook(t)
	_, _, err := auditlog.Open(t.Context(), b.config)
	if !errors.Is(err, ports.ErrHeld) || !strings.Contains(err.Error(), b.config.Path) || !strings.Contains(err.Error(), "audit.path") {
		t.Errorf("got %v, want %v", err, ports.ErrHeld)
	}
	b.record(t, "r1")
	b.reopen(t)
	b.record(t, "r2")
	b.wantVerified(t)
}

func TestAClosedLogRefuses(t *testing.T) {
	b := newBook(t)
	b.close()
	if err := b.Record(t.Context(), minted()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ports.ErrUnavailable)
	}
	if b.Status().OK {
		t.Error("the status is good")
	}
}

func TestTheStatusNamesTheLastRecord(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1", "r2")
	if got, want := b.Status(), (audit.Status{Log: "local", Seq: 3, OK: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestADashIsTheStandardErrorStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(stderr *os.File) { os.Stderr = stderr }(os.Stderr)
	os.Stderr = w
	b := newBook(t, func(c *auditlog.Config) { c.Path = auditlog.StandardError })
	b.record(t, "r1")
	if err := b.Record(t.Context(), change("r2")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context()); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("got %v, want %v", err, ports.ErrNotFound)
	}
	if _, err := b.Search(t.Context(), audit.Query{}, audit.Window{}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("got %v, want %v", err, ports.ErrNotFound)
	}
	b.close()
	b.record(t, "r3") // the stream is not the log's to close
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	// What was collected can be verified with the store's key, all the same.
	collected := filepath.Join(t.TempDir(), "collected")
	write(t, collected, string(got))
	report, err := auditlog.Verify(t.Context(), auditlog.Check{Files: []string{collected}, Key: audit.ChainKey{Key: b.store.state("local").Key}})
	if err != nil || !report.OK() || report.Records != 4 {
		t.Errorf("%+v %v\n%s", report, err, got)
	}
	if err := b.Record(t.Context(), minted()); !errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), "standard error") {
		t.Errorf("on a closed stream: got %v, want %v", err, ports.ErrUnavailable)
	}
}

func TestConcurrentRecordsAreEachALine(t *testing.T) {
	const writers, each = 16, 50
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes = 64 << 10 })
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				e := event(fmt.Sprintf("%d-%d", i, j))
				if j%10 == 0 {
					e.Action = audit.ActionCreateKey
				}
				e.Customer = strings.Repeat("x", 1+(i*j)%500)
				if err := b.Record(t.Context(), e); err != nil {
					t.Error(err)
				}
				if j%25 == 0 {
					if r, err := b.Verify(t.Context()); err != nil || !r.OK() {
						t.Errorf("%+v %v", r, err)
					}
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, name := range b.files(t) {
		for text := range strings.Lines(contents(t, name)) {
			var got line
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
			seen[got.RequestID] = true
		}
	}
	if len(seen) != writers*each+1 {
		t.Errorf("got %d different records, want %d", len(seen), writers*each+1)
	}
	b.wantVerified(t)
}
