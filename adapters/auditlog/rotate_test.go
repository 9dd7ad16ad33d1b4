package auditlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

func small(c *auditlog.Config) { c.MaxBytes = 1500 }

func TestALogGoesOnInANewFileAndTheChainWithIt(t *testing.T) {
	b := newBook(t, small)
	want := []string{"audit_opened"}
	for i := range 20 {
		id := fmt.Sprint("r", i)
		b.record(t, id)
		if i == 12 {
			b.reopen(t)
			want = append(want, id, "audit_opened")
			continue
		}
		want = append(want, id)
	}
	b.wantRecords(t, want...)
	files := b.files(t)
	if len(files) < 5 || filepath.Base(files[0]) != "audit.log.00000000000000000001" {
		t.Errorf("the files are %v", files)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Size() > 2200 || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if r := b.wantVerified(t); r.Records != 22 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(b.config.Path + ".new"); err == nil {
		t.Error("a file was left")
	}
}

func TestOnlySoManyFilesAreKeptAndTheChainBeginsLater(t *testing.T) {
	b := newBook(t, small, func(c *auditlog.Config) { c.Keep = 2 })
	for i := range 30 {
		b.record(t, fmt.Sprint("r", i))
	}
	files := b.files(t)
	for deadline := time.Now().Add(10 * time.Second); len(files) != 3; files = b.files(t) { // they go behind the writers' backs
		if time.Now().After(deadline) {
			t.Fatalf("the files are %v", files)
		}
		time.Sleep(time.Millisecond)
	}
	r := b.wantVerified(t)
	if r.First == 1 || r.Last < 31 {
		t.Errorf("%+v", r)
	}
	// The oldest of those that are kept is verified from its first line on.
	text := []byte(contents(t, files[0]))
	text[40] ^= 1
	write(t, files[0], string(text))
	b.wantVerified(t, audit.Edited)
	text[40] ^= 1
	write(t, files[0], string(text))
	b.wantVerified(t)
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	b.wantVerified(t, audit.Removed)
	b.reopen(t)
	b.record(t, "after")
	b.wantVerified(t, audit.Removed)
}

// counted is a file whose syncs are counted.
type counted struct {
	auditlog.Output
	syncs atomic.Int64
}

func (c *counted) Sync() error {
	c.syncs.Add(1)
	return c.Output.Sync()
}

// A rotation holds the writers up for as long as its sync takes: it has little left to
// do, however large the file is.
func TestAFileIsSyncedInStepsBeforeItIsRotated(t *testing.T) {
	const limit = 6 << 20
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes, c.SaveEvery = limit, time.Hour })
	c := &counted{}
	b.Break(func(o auditlog.Output) auditlog.Output { c.Output = o; return c })
	long := event("long")
	long.Customer = strings.Repeat("x", 200)
	size := func() int64 {
		info, err := os.Stat(b.config.Path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	var early int64
	for n := 0; len(b.files(t)) == 1; n++ {
		for range 100 {
			if err := b.Record(t.Context(), long); err != nil {
				t.Fatal(err)
			}
		}
		if size() < limit-5<<20 && len(b.files(t)) == 1 {
			early = c.syncs.Load()
		}
		if n%10 == 0 {
			time.Sleep(10 * time.Millisecond) // which no disk needs for a step
		}
		if n > 1000 {
			t.Fatal("it is not rotated")
		}
	}
	if n := c.syncs.Load(); early > 2 || n-early < 8 { // it was told to the store that it begins
		t.Errorf("%d syncs in the beginning, and %d before it was rotated", early, n-early)
	}
	b.wantVerified(t)
}

func TestALogThatCannotBeRotatedGrowsOn(t *testing.T) {
	if os.Getuid() == 0 {
		// Whoever may do everything is stopped by a directory in the way only.
		b := newBook(t, small)
		if err := os.Mkdir(b.config.Path+".new", 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			b.record(t, fmt.Sprint("r", i))
		}
		if files := b.files(t); len(files) != 1 {
			t.Errorf("the files are %v", files)
		}
		b.wantVerified(t)
		if err := os.Remove(b.config.Path + ".new"); err != nil {
			t.Fatal(err)
		}
		b.reopen(t)
		b.record(t, "rotated")
		if files := b.files(t); len(files) != 2 {
			t.Errorf("the files are %v", files)
		}
		b.wantVerified(t)
		return
	}
	b := newBook(t, small)
	dir := filepath.Dir(b.config.Path)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	for i := range 20 {
		b.record(t, fmt.Sprint("r", i))
	}
	b.wantVerified(t)
}

// TestAKillInTheMiddleOfARotation leaves each state there can be.
func TestAKillInTheMiddleOfARotation(t *testing.T) {
	for what, leave := range map[string]func(t *testing.T, path string){
		"the next file was made": func(t *testing.T, path string) { write(t, path+".new", "") },
		"the full one has its new name": func(t *testing.T, path string) {
			write(t, path+".new", "")
			if err := os.Rename(path, path+".00000000000000000001"); err != nil {
				t.Fatal(err)
			}
		},
		"the next file is empty": func(t *testing.T, path string) {
			if err := os.Rename(path, path+".00000000000000000001"); err != nil {
				t.Fatal(err)
			}
			write(t, path, "")
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBook(t)
			b.record(t, "r1", "r2", "r3")
			b.close()
			leave(t, b.config.Path)
			b.open(t)
			b.record(t, "r4")
			b.wantRecords(t, "audit_opened", "r1", "r2", "r3", "audit_opened", "r4")
			if r := b.wantVerified(t); r.Records != 6 {
				t.Errorf("%+v", r)
			}
		})
	}
}
