package auditlog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/ports"
)

// slow is a file whose first write waits until it is let go.
type slow struct {
	auditlog.Output
	writes        atomic.Int64
	begun, finish chan struct{}
	once          sync.Once
}

func (s *slow) Write(p []byte) (int, error) {
	s.writes.Add(1)
	s.once.Do(func() {
		close(s.begun)
		<-s.finish
	})
	return s.Output.Write(p)
}

// meanwhile asks for records while the first is being written, and says what came of
// each and how often the file was written to. broken is what the file is beneath.
func meanwhile(t *testing.T, b *book, records int, broken func(auditlog.Output) auditlog.Output) (errs []error, writes int64) {
	t.Helper()
	s := &slow{begun: make(chan struct{}), finish: make(chan struct{})}
	b.Break(func(out auditlog.Output) auditlog.Output {
		s.Output = broken(out)
		return s
	})
	errs = make([]error, records+1)
	var asking sync.WaitGroup
	asking.Go(func() { errs[0] = b.Record(t.Context(), event("first")) })
	<-s.begun
	var joined sync.WaitGroup
	for i := range records {
		joined.Add(1)
		asking.Go(func() {
			e := event(fmt.Sprint("together-", i))
			joined.Done()
			errs[i+1] = b.Record(t.Context(), e)
		})
	}
	joined.Wait()
	b.WaitForGroup(records)
	close(s.finish)
	asking.Wait()
	return errs, s.writes.Load()
}

func same(out auditlog.Output) auditlog.Output { return out }

func TestRecordsThatAreAskedForDuringAWriteShareTheNext(t *testing.T) {
	b := newBook(t)
	errs, writes := meanwhile(t, b, 50, same)
	if err := errors.Join(errs...); err != nil || writes != 2 {
		t.Fatalf("%d writes, %v; want the first, and one for the others", writes, err)
	}
	if r := b.wantVerified(t); r.Records != 52 { // and that of the opening
		t.Errorf("there are %d records", r.Records)
	}
	text := contents(t, b.config.Path)
	for i := range 50 {
		if n := strings.Count(text, fmt.Sprintf(`"request_id":"together-%d"`, i)); n != 1 {
			t.Errorf("record %d stands there %d times", i, n)
		}
	}
}

// TestAGroupIsRefusedWhole lets the write of a group fail at each place of it.
func TestAGroupIsRefusedWhole(t *testing.T) {
	length := lineLength(t)
	for _, stuck := range []bool{false, true} {
		for at := 0; at < 8*length; at += length/2 + 1 {
			b := newBook(t)
			b.record(t, "r1")                                                      // with what the log says of itself
			f := &full{left: length + 8 + at, stuck: stuck, cause: syscall.ENOSPC} // "first" is as long, or a little longer
			errs, _ := meanwhile(t, b, 10, func(out auditlog.Output) auditlog.Output {
				f.Output = out
				return f
			})
			if errs[0] != nil {
				t.Fatal(errs[0])
			}
			for i, err := range errs[1:] {
				if !errors.Is(err, ports.ErrUnavailable) {
					t.Errorf("record %d of a group that was cut at %d: %v", i, at, err)
				}
			}
			if text := contents(t, b.config.Path); !stuck && strings.Contains(text, "together") {
				t.Errorf("of a group that was refused there is left:\n%s", text)
			}
			f.heal()
			b.record(t, "after")
			if r, err := b.Verify(t.Context()); err != nil || !r.OK() {
				t.Errorf("stuck %t, cut at %d: %v %v", stuck, at, kinds(r), err)
			}
		}
	}
}

func TestAChangeAmongMintsIsOnTheDiskWithItsGroup(t *testing.T) {
	b := newBook(t)
	f := &full{left: 1 << 30, unsynced: true}
	b.Break(func(out auditlog.Output) auditlog.Output {
		f.Output = out
		return f
	})
	var asking sync.WaitGroup
	for i := range 40 {
		asking.Go(func() {
			e := event(fmt.Sprint(i))
			if i%2 == 0 {
				e.Action = audit.ActionCreateKey
			}
			if err := b.Record(t.Context(), e); (err != nil) != (i%2 == 0) {
				t.Errorf("%s: %v", e.Action, err)
			}
		})
	}
	asking.Wait()
	f.heal()
	b.record(t, "after")
	if r, err := b.Verify(t.Context()); err != nil || !r.OK() {
		t.Errorf("%v %v", kinds(r), err)
	}
}

// panicking is a file whose writes panic.
type panicking struct{ auditlog.Output }

func (panicking) Write([]byte) (int, error) { panic("a fault of ours") }

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	b := newBook(t)
	b.Break(func(out auditlog.Output) auditlog.Output { return panicking{out} })
	var asking sync.WaitGroup
	for range 40 {
		asking.Go(func() {
			defer func() { _ = recover() }()
			if err := b.Record(t.Context(), event("r")); err == nil {
				t.Error("a record was acknowledged that was not written")
			}
		})
	}
	asking.Wait()
	b.Break(func(out auditlog.Output) auditlog.Output { return out.(panicking).Output })
	b.record(t, "after")
}

func TestGroupsOfManyWritersAreOneChain(t *testing.T) {
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes = 60 << 10 })
	var asking sync.WaitGroup
	for i := range 32 {
		asking.Go(func() {
			for j := range 50 {
				if err := b.Record(t.Context(), event(fmt.Sprintf("%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	asking.Wait()
	r, err := b.Verify(t.Context())
	if err != nil || !r.OK() || len(b.files(t)) < 5 {
		t.Errorf("%d records in %d files: %v %v", r.Records, len(b.files(t)), kinds(r), err)
	}
	all := ""
	for _, name := range b.files(t) {
		all += contents(t, name)
	}
	for i := range 32 {
		for j := range 50 {
			if n := strings.Count(all, fmt.Sprintf(`"request_id":"%d-%d"`, i, j)); n != 1 {
				t.Errorf("record %d of writer %d stands there %d times", j, i, n)
			}
		}
	}
}
