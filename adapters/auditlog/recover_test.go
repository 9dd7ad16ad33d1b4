package auditlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

func TestALineTornAtAnyByteIsRecoveredAndToldOf(t *testing.T) {
	length := lineLength(t)
	for cut := 1; cut < length; cut++ {
		b := newBook(t)
		b.record(t, "r1", "r2")
		b.store.fail(nil, nil)
		b.close()
		whole := contents(t, b.config.Path)
		// The store knows r1 at most: r2 was not on the disk when the power was cut.
		state := b.store.states["local"]
		first := strings.SplitAfter(whole, "\n")[1]
		state.Head = headOf(t, first)
		b.store.states["local"] = state
		write(t, b.config.Path, whole[:len(whole)-length+cut])
		b.open(t)
		switch cut {
		case length - 1: // whole but for the end of the line
			b.record(t, "r3")
			b.wantRecords(t, "audit_opened", "r1", "r2", "audit_opened", "r3")
			b.wantVerified(t)
		default:
			b.wantRecords(t, "audit_opened", "r1", "?", "audit_torn", "audit_opened") // at once
			b.record(t, "r3")
			b.wantVerified(t, audit.Recovered)
			if !strings.Contains(contents(t, b.config.Path), fmt.Sprintf(`"target":"%d:`, cut)) {
				t.Fatalf("the record does not say how many bytes were torn")
			}
		}
		b.reopen(t)
		b.record(t, "r4")
		if r, err := b.Verify(t.Context()); err != nil || !r.OK() {
			t.Fatalf("torn after %d bytes, opened twice: %+v %v", cut, r, err)
		}
	}
}

func headOf(t *testing.T, text string) audit.Head {
	t.Helper()
	h, ok := auditlog.HeadOf(strings.TrimSuffix(text, "\n"))
	if !ok {
		t.Fatalf("no record: %s", text)
	}
	return h
}

func TestZerosAfterAPowerCutAreAPiece(t *testing.T) {
	for _, zeros := range []int{1, 511, 4096, 2 << 20} {
		b := newBook(t)
		b.record(t, "r1")
		b.close()
		write(t, b.config.Path, contents(t, b.config.Path)+strings.Repeat("\x00", zeros))
		b.open(t)
		b.record(t, "r2")
		b.wantRecords(t, "audit_opened", "r1", "?", "audit_torn", "audit_opened", "r2")
		b.wantVerified(t, audit.Recovered)
	}
}

func TestAFirstLineThatWasTornIsAPieceToo(t *testing.T) {
	b := newBook(t)
	b.close()
	b.store.states = map[string]audit.State{}
	write(t, b.config.Path, `{"time":"2026-03-01T12:0`)
	b.open(t)
	b.record(t, "r1")
	b.wantRecords(t, "?", "audit_torn", "audit_opened", "r1")
	b.wantVerified(t, audit.Recovered)
}

func TestALogOfAnEarlierVersionIsPutAside(t *testing.T) {
	old := string(auditlog.AppendEvent(nil, event("old"))) + "\n"
	for what, text := range map[string]string{"a record": old, "records": old + old, "a torn one": old + old[:40]} {
		b := newBook(t)
		b.close()
		b.store.states = map[string]audit.State{}
		write(t, b.config.Path, text)
		b.open(t)
		b.wantRecords(t, "audit_opened", "audit_opened") // one says what was put aside
		b.record(t, "r1")
		aside, err := filepath.Glob(b.config.Path + ".aside-*")
		if err != nil || len(aside) != 1 || contents(t, aside[0]) != text {
			t.Fatalf("%s: put aside is %v, %v", what, aside, err)
		}
		if !strings.Contains(contents(t, b.config.Path), `"target":"`+filepath.Base(aside[0])+`"`) {
			t.Errorf("%s: no record names the file", what)
		}
		b.wantVerified(t)
	}
}

func TestALogOfAnotherKeyIsPutAsideWithItsFiles(t *testing.T) {
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes = 1000 })
	for i := range 20 {
		b.record(t, fmt.Sprint("r", i))
	}
	before := len(b.files(t))
	b.close()
	b.store.states = map[string]audit.State{} // another store, with its own key
	b.open(t)
	b.record(t, "new")
	aside, err := filepath.Glob(b.config.Path + "*.aside-*")
	if err != nil || len(aside) != before {
		t.Errorf("%d files were put aside, want %d: %v", len(aside), before, err)
	}
	if r := b.wantVerified(t); r.First != 1 {
		t.Errorf("%+v", r)
	}
}

func TestACutTailIsFoundOnOpening(t *testing.T) {
	for what, cut := range map[string]func(t *testing.T, path string){
		"the last line": func(t *testing.T, path string) {
			lines := strings.SplitAfter(contents(t, path), "\n")
			write(t, path, strings.Join(lines[:len(lines)-2], ""))
		},
		"the last half": func(t *testing.T, path string) {
			text := contents(t, path)
			write(t, path, text[:len(text)/2])
		},
		"everything": func(t *testing.T, path string) { write(t, path, "") },
		"the file": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBook(t)
			for i := range 5 {
				b.record(t, fmt.Sprint("r", i))
			}
			b.close() // the store knows the last of them
			cut(t, b.config.Path)
			if r := b.archived(t); what != "the file" && r.OK() {
				t.Errorf("the files alone: %+v", r)
			}
			b.open(t)
			if text := contents(t, b.config.Path); !strings.Contains(text, `"action":"audit_truncated"`) {
				t.Errorf("nothing was recorded: %q", text)
			}
			b.record(t, "goes on")
			r, err := b.Verify(t.Context())
			if err != nil || r.OK() {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

func TestAKillLosesNoAcknowledgedRecord(t *testing.T) {
	b := newBook(t)
	want := []string{"audit_opened"}
	for i := range 5 {
		id := fmt.Sprint("r", i)
		b.record(t, id)
		if want = append(want, id); i > 0 {
			want = append(want[:len(want)-1], "audit_opened", id)
		}
		b.crash(t)
	}
	b.wantRecords(t, want...)
	b.wantVerified(t)
}
