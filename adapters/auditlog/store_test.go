package auditlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("in five seconds: %s", what)
}

func TestTheStoreKnowsTheEndOfAClosedLog(t *testing.T) {
	b := newBook(t, func(c *auditlog.Config) { c.SaveEvery = time.Hour })
	b.record(t, "r1", "r2")
	if s := b.store.state("local"); s.Head.Seq != 0 || len(s.Key.Reveal()) != audit.KeySize {
		t.Fatalf("before: %v", s.Head)
	}
	b.close()
	if s := b.store.state("local"); s.Head.Seq != 3 {
		t.Errorf("after: %v", s.Head)
	}
}

func TestTheStoreIsToldEverySoOftenAndOfEachChange(t *testing.T) {
	b := newBook(t, func(c *auditlog.Config) { c.SaveEvery = 10 * time.Millisecond })
	b.record(t, "r1")
	eventually(t, "the store knows the record", func() bool { return b.store.state("local").Head.Seq == 2 })
	saves := b.store.saves
	time.Sleep(50 * time.Millisecond)
	if b.store.saves != saves {
		t.Error("the store is told again of what it knows")
	}
	b = newBook(t, func(c *auditlog.Config) { c.SaveEvery = time.Hour })
	if err := b.Record(t.Context(), change("r1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store knows the change", func() bool { return b.store.state("local").Head.Seq == 2 })
}

func TestAStoreThatFailsDoesNotStopTheLog(t *testing.T) {
	for what, err := range map[string]error{"away": ports.ErrUnavailable, "read-only": ports.ErrReadOnly, "unknown": ports.ErrUnknownOutcome} {
		var logged bytes.Buffer
		b := newBook(t, func(c *auditlog.Config) { c.SaveEvery, c.Log = time.Hour, slog.New(slog.NewTextHandler(&logged, nil)) })
		b.store.fail(err, err)
		for i := range 3 {
			b.record(t, fmt.Sprint("r", i))
			b.Save()
		}
		if n := strings.Count(logged.String(), "cannot be told"); n != 1 {
			t.Errorf("%s: %d warnings, want one:\n%s", what, n, logged.String())
		}
		b.store.fail(nil, nil)
		b.record(t, "r3")
		b.close()
		if s := b.store.state("local"); s.Head.Seq != 5 {
			t.Errorf("%s: %v", what, s.Head)
		}
	}
}

func TestTwoLogsOfOneNameAreToldOfOnce(t *testing.T) {
	var logged bytes.Buffer
	b := newBook(t, func(c *auditlog.Config) { c.SaveEvery, c.Log = time.Hour, slog.New(slog.NewTextHandler(&logged, nil)) })
	b.record(t, "r1")
	b.Save()
	other := *b
	other.config.Path += "-other"
	other.open(t)
	other.record(t, "r2")
	other.close()
	b.record(t, "r3")
	b.Save()
	b.record(t, "r4")
	b.Save()
	b.record(t, "r5")
	b.close()
	if n := strings.Count(logged.String(), "audit.name"); n != 1 {
		t.Errorf("%d errors, want one:\n%s", n, logged.String())
	}
}

func TestALogWhoseKeyTheStoreDoesNotTakeIsWrittenAndSaysSo(t *testing.T) {
	for _, err := range []error{ports.ErrReadOnly, ports.ErrDenied} {
		var logged bytes.Buffer
		b := newBook(t, func(c *auditlog.Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
		b.close()
		b.store.states = map[string]audit.State{}
		if err := os.Remove(b.config.Path); err != nil {
			t.Fatal(err)
		}
		b.store.fail(nil, err)
		b.open(t)
		b.record(t, "r1")
		b.wantVerified(t, audit.Unkept)
		if !strings.Contains(contents(t, b.config.Path), `"code":"key_not_kept"`) || !strings.Contains(logged.String(), "does not keep the key") {
			t.Errorf("nobody is told: %s", logged.String())
		}
		if k, err := b.Key(t.Context()); !errors.Is(err, ports.ErrNotFound) || !k.Key.IsZero() {
			t.Errorf("there is a key: %v", err)
		}
		b.close()
		b.store.fail(nil, nil)
		b.open(t)
		b.record(t, "r2")
		b.wantVerified(t)
		if aside, _ := filepath.Glob(b.config.Path + ".aside-*"); len(aside) != 1 {
			t.Errorf("put aside: %v", aside)
		}
	}
}

func TestWhileTheStoreIsAwayRecordsAreWrittenAndDescribedLater(t *testing.T) {
	for what, begin := range map[string]func(t *testing.T, b *book){
		"a new log": func(t *testing.T, b *book) {
			b.close()
			b.store.states = map[string]audit.State{}
			if err := os.Remove(b.config.Path); err != nil {
				t.Fatal(err)
			}
		},
		"a log that goes on": func(t *testing.T, b *book) { b.record(t, "before"); b.close() },
		"a torn line": func(t *testing.T, b *book) {
			b.record(t, "before")
			b.close()
			write(t, b.config.Path, contents(t, b.config.Path)+`{"time":"20`)
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBook(t)
			begin(t, b)
			b.store.fail(ports.ErrUnavailable, ports.ErrUnavailable)
			b.open(t)
			for i := range 40 {
				b.record(t, fmt.Sprint("away", i))
			}
			if err := b.Record(t.Context(), change("a change")); err != nil {
				t.Fatal(err)
			}
			if b.Status().OK {
				t.Error("the status is good")
			}
			if _, err := b.Verify(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("verified without a key: %v", err)
			}
			b.store.fail(nil, nil)
			eventually(t, "the key is there", func() bool { return b.Status().OK })
			b.record(t, "after")
			r, err := b.Verify(t.Context())
			if err != nil || !r.OK() || len(r.Findings) == 0 {
				t.Errorf("%+v %v", r, err)
			}
			text := contents(t, b.config.Path)
			write(t, b.config.Path, strings.Replace(text, `"request_id":"away7"`, `"request_id":"away8"`, 1))
			if r, err := b.Verify(t.Context()); err != nil || r.OK() {
				t.Errorf("an edit of what was written then is not found: %+v %v", r, err)
			}
		})
	}
}

func TestADamagedStateIsNoReasonToBeginAnew(t *testing.T) {
	b := newBook(t)
	b.record(t, "r1")
	b.close()
	b.store.fail(ports.ErrCorrupt, ports.ErrCorrupt)
	if _, _, err := auditlog.Open(t.Context(), b.config); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ports.ErrCorrupt)
	}
	b.store.fail(nil, nil)
	b.open(t)
	b.record(t, "r2")
	b.wantVerified(t)
}

func TestTheKeyIsThatOfTheStore(t *testing.T) {
	b := newBook(t)
	k, err := b.Key(t.Context())
	if err != nil || k.Log != "local" || !k.Key.Equal(b.store.state("local").Key) {
		t.Errorf("%+v %v", k.Log, err)
	}
	if _, err := auditlog.Verify(t.Context(), auditlog.Check{Key: audit.ChainKey{Key: secret.New("short")}}); !errors.Is(err, audit.ErrState) {
		t.Errorf("got %v, want %v", err, audit.ErrState)
	}
}
