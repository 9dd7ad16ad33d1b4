package auditlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/ports"
)

// full is a file on a disk that fails after so many more bytes.
type full struct {
	auditlog.Output
	mu    sync.Mutex // the log syncs on its own, too
	left  int
	cause error
	// stuck says that nothing can be taken back either, syncs that no sync works.
	stuck, unsynced bool
}

// heal ends every fault.
func (f *full) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.stuck, f.unsynced, f.cause = 1<<30, false, false, nil
}

func (f *full) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) <= f.left {
		f.left -= len(p)
		return f.Output.Write(p)
	}
	n, err := f.Output.Write(p[:f.left])
	if err != nil {
		return n, err
	}
	f.left = 0
	return n, f.cause
}

func (f *full) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stuck {
		return syscall.EIO
	}
	return f.Output.Truncate(size)
}

func (f *full) Sync() error {
	f.mu.Lock()
	broken := f.unsynced
	f.mu.Unlock()
	if broken {
		return syscall.EIO
	}
	return f.Output.Sync()
}

// breakAfter lets the log write so many more bytes; the func it returns makes
// room again.
func breakAfter(l *auditlog.Log, bytes int, stuck bool) (repair func()) {
	f := &full{left: bytes, stuck: stuck, cause: syscall.ENOSPC}
	l.Break(func(out auditlog.Output) auditlog.Output {
		f.Output = out
		return f
	})
	return f.heal
}

func wantUnavailable(t *testing.T, err, cause error) {
	t.Helper()
	if !errors.Is(err, ports.ErrUnavailable) || !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v because of %v", err, ports.ErrUnavailable, cause)
	}
}

// lineLength is that of the record of an event like these.
func lineLength(t *testing.T) int {
	t.Helper()
	b := newBook(t)
	b.record(t, "r1")
	return len(strings.Split(contents(t, b.config.Path), "\n")[1]) + 1
}

func TestARecordThatDoesNotFitIsTakenBack(t *testing.T) {
	for bytes := 0; bytes < lineLength(t); bytes += 9 {
		b := newBook(t)
		b.record(t, "r1")
		before := contents(t, b.config.Path)
		repair := breakAfter(b.Log, bytes, false)
		for range 2 {
			wantUnavailable(t, b.Record(t.Context(), event("r2")), syscall.ENOSPC)
			if got := contents(t, b.config.Path); got != before || b.Status().OK {
				t.Fatalf("the file holds %q, and the status is %+v", got, b.Status())
			}
		}
		repair()
		b.record(t, "r3")
		b.wantRecords(t, "audit_opened", "r1", "r3")
		b.wantVerified(t)
	}
}

func TestAPieceThatCannotBeTakenBackIsToldOf(t *testing.T) {
	length := lineLength(t)
	for _, bytes := range []int{0, 1, 2, 10, 11, 100, 200, 300, length - 76, length - 75, length - 74, length - 3, length - 2, length - 1} {
		b := newBook(t)
		b.record(t, "r1")
		repair := breakAfter(b.Log, bytes, true)
		wantUnavailable(t, b.Record(t.Context(), event("r2")), syscall.ENOSPC)
		repair()
		b.record(t, "r3", "r4")
		switch bytes {
		case 0:
			b.wantRecords(t, "audit_opened", "r1", "r3", "r4")
			b.wantVerified(t)
		case length - 1: // whole but for the end of the line
			b.wantRecords(t, "audit_opened", "r1", "r2", "r3", "r4")
			b.wantVerified(t)
		default:
			b.wantRecords(t, "audit_opened", "r1", "?", "audit_torn", "r3", "r4")
			b.wantVerified(t, audit.Recovered)
		}
		b.reopen(t)
		b.record(t, "r5")
		if r, err := b.Verify(t.Context()); err != nil || !r.OK() {
			t.Fatalf("%d: %+v %v", bytes, r, err)
		}
	}
}

func TestAFullDeviceRefusesEveryRecord(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatalf("this test needs /dev/full: %v", err)
	}
	b := newBook(t, func(c *auditlog.Config) { c.Path = "/dev/full" })
	for range 3 {
		err := b.Record(t.Context(), minted())
		wantUnavailable(t, err, syscall.ENOSPC)
		if !strings.Contains(err.Error(), "/dev/full") || strings.Contains(err.Error(), "customer_1") {
			t.Errorf("the error must name the file and nothing of the record: %v", err)
		}
	}
}

// TestEveryAcknowledgedRecordIsALine breaks the log at one place after the other,
// in every way there is, and looks for every record that was acknowledged.
func TestEveryAcknowledgedRecordIsALine(t *testing.T) {
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes = 20 << 10 })
	acknowledged := map[string]bool{}
	for bytes := range 1000 {
		f := &full{left: bytes, stuck: bytes%2 == 0, unsynced: bytes%3 == 0, cause: []error{syscall.ENOSPC, syscall.EIO}[bytes%2]}
		b.Break(func(out auditlog.Output) auditlog.Output {
			if old, ok := out.(*full); ok {
				out = old.Output
			}
			f.Output = out
			return f
		})
		for i := range 3 {
			e := event(fmt.Sprintf("%d-%d", bytes, i))
			if i == 1 {
				e.Action = audit.ActionCreateKey
			}
			err := b.Record(t.Context(), e)
			if err == nil {
				acknowledged[e.RequestID] = true
				if i == 1 && f.unsynced {
					t.Fatal("a change was acknowledged that is not on the disk")
				}
			} else if !errors.Is(err, ports.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		f.heal()
	}
	if len(acknowledged) < 250 {
		t.Fatalf("%d were written: the test looks at next to nothing", len(acknowledged))
	}
	b.record(t, "last")
	r, err := b.Verify(t.Context())
	if err != nil || !r.OK() {
		t.Errorf("%d records, %v, %v", r.Records, kinds(r), err)
	}
	all := ""
	for _, name := range b.files(t) {
		all += contents(t, name)
	}
	for id := range acknowledged {
		if !strings.Contains(all, `"request_id":"`+id+`"`) {
			t.Errorf("%s is acknowledged and not in the file", id)
		}
	}
}

func TestAChangeWhoseRecordCannotBeSyncedIsRefused(t *testing.T) {
	b := newBook(t)
	f := &full{left: 1 << 30, unsynced: true}
	b.Break(func(out auditlog.Output) auditlog.Output {
		f.Output = out
		return f
	})
	b.record(t, "a mint needs no sync")
	wantUnavailable(t, b.Record(t.Context(), change("r1")), syscall.EIO)
	f.heal()
	if err := b.Record(t.Context(), change("r2")); err != nil {
		t.Fatal(err)
	}
	b.wantVerified(t)
}

func TestALogThatWasRemovedIsMadeAnewBeforeTheNextRecord(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1")
	for i := range 3 {
		if err := os.Remove(b.config.Path); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("after ", i)
		b.record(t, id)
		b.wantRecords(t, "audit_truncated", id)
	}
	b.wantVerified(t, audit.Removed)
	b.reopen(t)
	b.record(t, "r2")
	b.wantVerified(t, audit.Removed)
}

func TestALogWhoseDirectoryIsGoneRefusesTheRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBook(t, func(c *auditlog.Config) { c.Path = filepath.Join(dir, "audit.log") })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := b.Record(t.Context(), minted()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("a record that nobody can read was acknowledged: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.record(t, "r1")
	b.wantRecords(t, "audit_opened", "r1")
	b.wantVerified(t)
}

func TestALogThatWasRenamedGoesOnInANewFile(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1", "r2")
	if err := os.Rename(b.config.Path, b.config.Path+".1"); err != nil {
		t.Fatal(err)
	}
	b.record(t, "into the old file, as nobody has looked yet")
	b.Follow()
	b.record(t, "r3")
	b.wantRecords(t, "r3")
	b.wantVerified(t) // the renamed file is found by what is in it
	if err := os.Rename(b.config.Path, b.config.Path+".2"); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	b.record(t, "r4")
	if r := b.wantVerified(t, kinds(audit.Report{})...); r.Records != 8 {
		t.Logf("%+v", r)
	}
}

func TestWhatOthersAppendIsFoundAndStandsAlone(t *testing.T) {
	for what, tt := range map[string]struct {
		foreign string
		want    []audit.Kind
	}{
		"a line":                {"{\"time\":\"x\"}\n", []audit.Kind{audit.Inserted}},
		"two lines":             {"a\nb\n", []audit.Kind{audit.Inserted, audit.Inserted}},
		"a piece":               {"{\"tim", []audit.Kind{audit.Recovered}},
		"a line and a piece":    {"x\n{\"tim", []audit.Kind{audit.Inserted, audit.Recovered}},
		"more than a record is": {strings.Repeat("x", 3<<20), []audit.Kind{audit.Recovered}},
		"a long line":           {strings.Repeat("x", 3<<20) + "\n", []audit.Kind{audit.Inserted}},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprint(what, restarted), func(t *testing.T) {
				b := newBook(t)
				b.record(t, "r1")
				if restarted {
					b.close()
				}
				write(t, b.config.Path, contents(t, b.config.Path)+tt.foreign)
				if restarted {
					b.open(t)
				}
				b.record(t, "r2", "r3")
				b.wantVerified(t, tt.want...)
			})
		}
	}
}

func TestAFileThatWasCutWhileOpenIsToldOf(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1", "r2", "r3")
	if err := os.Truncate(b.config.Path, 0); err != nil { // as a rotation by copying does
		t.Fatal(err)
	}
	b.record(t, "r4")
	b.wantRecords(t, "audit_truncated", "r4")
	b.wantVerified(t, audit.Removed)
}

// A file says once that it could not be synced, and of whichever sync: the next may
// succeed without what the first was to bring to the disk.
func TestASyncThatFailsWithARotationIsNotForgotten(t *testing.T) {
	for what, rotate := range map[string]func(t *testing.T, b *book){
		"of its own": func(t *testing.T, b *book) {
			t.Helper()
			if err := b.Record(t.Context(), event("full")); err == nil {
				t.Fatal("a record was written on a full disk")
			}
		},
		"by others": func(t *testing.T, b *book) {
			t.Helper()
			if err := os.Rename(b.config.Path, b.config.Path+".1"); err != nil {
				t.Fatal(err)
			}
			b.Follow()
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBook(t, func(c *auditlog.Config) { c.SaveEvery, c.MaxBytes = time.Hour, 1 })
			b.record(t, "r1")
			f := &full{unsynced: true, cause: syscall.ENOSPC}
			b.Break(func(out auditlog.Output) auditlog.Output {
				f.Output = out
				return f
			})
			rotate(t, b)
			f.heal()
			b.Save()
			if s := b.store.state("local"); s.Head.Seq != 0 {
				t.Errorf("the store is told of record %d, which may be lost", s.Head.Seq)
			}
			b.record(t, "after")
			b.Save()
			if s := b.store.state("local"); s.Head.Seq != 3 {
				t.Errorf("afterwards it is told of record %d", s.Head.Seq)
			}
		})
	}
}
