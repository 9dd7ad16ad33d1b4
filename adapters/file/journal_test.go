package file_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/file"
	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

// interrupted is a store whose last write was decided and then killed; before
// and after are what it may say.
func interrupted(t *testing.T) (c file.Config, before, after string) {
	t.Helper()
	c = base(t)
	before = reopened(t, c)
	write := writes()["a ring that is replaced"]
	decided := false
	err := attempt(t, c, func(op, name string) error {
		if decided {
			return errKilled
		}
		decided = op == "sync" && name == "." && exists(filepath.Join(c.Dir, "journal"))
		return nil
	}, write)
	if err == nil || !decided || !exists(filepath.Join(c.Dir, "journal")) {
		t.Fatalf("the write was not interrupted: error %v", err)
	}
	return c, before, reopened(t, copyDir(t, c))
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func TestADecidedWriteIsFinished(t *testing.T) {
	c, before, after := interrupted(t)
	if before == after {
		t.Fatal("the write changed nothing")
	}
	if got := reopened(t, c); got != after {
		t.Errorf("the store says\n%s", got)
	}
	wantNoLeftovers(t, c)
}

// wantJournalRefused also wants that nothing is moved.
func wantJournalRefused(t *testing.T, what string, c file.Config) {
	t.Helper()
	files := tree(t, c.Dir)
	delete(files, filepath.Join(c.Dir, "lock"))
	_, closing, err := file.Open(t.Context(), c)
	if err == nil {
		closing()
	}
	if !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("%s: got the error %v", what, err)
	}
	now := tree(t, c.Dir)
	delete(now, filepath.Join(c.Dir, "lock"))
	if diff := cmp.Diff(files, now); diff != "" {
		t.Errorf("%s: something was written", what)
	}
}

func TestADamagedJournalIsRefused(t *testing.T) {
	c, _, _ := interrupted(t)
	name := filepath.Join(c.Dir, "journal")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 7 {
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		for what, b := range map[string][]byte{"flipped": flipped, "cut": whole[:i]} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			wantJournalRefused(t, what, c)
		}
	}
}

func TestADamagedFileOfADecidedWriteIsRefused(t *testing.T) {
	for _, name := range []string{"stage/1", "ring/acme.sealed", "root.sealed"} {
		for what, damage := range map[string]func(string) error{
			"changed": func(path string) error { return os.WriteFile(path, []byte("something else"), 0o600) },
			"removed": os.Remove,
		} {
			c, _, _ := interrupted(t)
			if err := damage(filepath.Join(c.Dir, name)); err != nil {
				t.Fatal(err)
			}
			wantJournalRefused(t, name+" "+what, c)
		}
	}
}

func TestAJournalOfAnEarlierTimeMovesNothing(t *testing.T) {
	c, _, _ := interrupted(t)
	journal, err := os.ReadFile(filepath.Join(c.Dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	stage := tree(t, filepath.Join(c.Dir, "stage"))
	after := reopened(t, c)
	putBack := func() {
		if err := os.WriteFile(filepath.Join(c.Dir, "journal"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		for name, b := range stage {
			if err := os.WriteFile(name, []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	putBack() // the last write once more: all of it is in place
	if got := reopened(t, c); got != after {
		t.Errorf("the last journal again: the store says\n%s", got)
	}
	s, closing := mustOpen(t, c)
	if err := addKey(t.Context(), s, "acme", "k3"); err != nil {
		t.Fatal(err)
	}
	closing()
	putBack()
	wantJournalRefused(t, "an earlier journal", c)
}

func TestALoadSeesACommitWhollyOrNotAtAll(t *testing.T) {
	var m records.Medium
	var mu sync.Mutex
	looking, decided := false, false
	old, changed := "old", "new"
	look := func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if !looking {
			return nil
		}
		decided = decided || op == "rename" && strings.Contains(name, "/")
		for _, n := range []string{"group/a", "group/b", "ring/a", "ring/c"} {
			b, err := m.Load(n)
			got := string(b)
			if err != nil || got != old && got != changed || decided && got != changed {
				t.Errorf("before %s %s: %s is %q, and the error %v", op, name, n, got, err)
			}
		}
		return nil
	}
	m, closing, err := file.OpenMedium(t.TempDir(), look)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	commit := func(text string) {
		var changes []records.Change
		for _, n := range []string{"group/a", "group/b", "ring/a", "ring/c"} {
			changes = append(changes, records.Change{Name: n, Blob: []byte(text)})
		}
		if err := m.Commit(changes); err != nil {
			t.Fatal(err)
		}
	}
	commit(old)
	looking = true
	commit(changed)
	if !decided {
		t.Error("no step was seen")
	}
}

func TestNamesThatNoBlobHasAreRefused(t *testing.T) {
	dir := t.TempDir()
	m, closing, err := file.OpenMedium(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	for _, name := range []string{"", ".", "..", "../x", "a/b/c", "/a", "a/", "A", "a.b", "stage/0", strings.Repeat("a", 82), "a\x00"} {
		err := m.Commit([]records.Change{{Name: "good", Blob: []byte("x")}, {Name: name, Blob: []byte("x")}})
		wantError(t, err, ports.ErrUnavailable)
		if b, err := m.Load(name); b != nil || err != nil {
			t.Errorf("%q holds %q, and the error %v", name, b, err)
		}
	}
	if got := tree(t, dir); len(got) > 0 {
		t.Errorf("%v was written", got)
	}
}

// journalOf is the digest at the end of a journal added to its body.
func journalOf(body string) []byte {
	b := []byte("embedseal journal\x001" + body)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// FuzzJournal gives any bytes to the decoder of journals: it accepts what it
// would have written, with names that stay inside.
func FuzzJournal(f *testing.F) {
	digest := strings.Repeat("d", sha256.Size)
	for _, body := range []string{
		"", "\x00\x00\x00\x00", "\x00\x00\x00\x01\x04root\x00\x01" + digest, "\x00\x00\x00\x01\x04root\x01" + digest + "\x00",
		"\x00\x00\x00\x02\x04root\x00\x00", "\xff\xff\xff\xff\x04root\x00\x00", "\x00\x00\x00\x01\xffroot\x00\x00",
		"\x00\x00\x00\x01\x04../x\x00\x00", "\x00\x00\x00\x01\x07stage/0\x00\x00", "\x00\x00\x00\x01\x04root\x02\x00",
		"\x00\x00\x00\x01\x00\x00\x00", "\x00\x00\x00\x01\x04root\x01" + digest[1:],
	} {
		f.Add(journalOf(body))
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, journalOf(string(b))} {
			again, names, ok := file.ReencodeJournal(b)
			if !ok {
				continue
			}
			if !bytes.Equal(again, b) {
				t.Errorf("a journal was read from %x and is written %x", b, again)
			}
			for _, n := range names {
				if n == "" || strings.ContainsAny(n, ".\\\x00") || strings.HasPrefix(n, "/") || strings.HasPrefix(n, "stage/") {
					t.Errorf("a journal names %q", n)
				}
			}
		}
	})
}
