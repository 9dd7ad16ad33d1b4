package auditlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

// archive is the files of a closed log.
type archive struct {
	dir   string
	names []string
	// lines are those of each file.
	lines [][]string
	key   audit.ChainKey
	head  audit.Head
}

// newArchive is a log of three files with six records each, or one less, and a
// change that has an outcome.
func newArchive(t *testing.T, salt string) *archive {
	t.Helper()
	b := newBook(t, func(c *auditlog.Config) { c.MaxBytes = 2500 })
	for i := range 16 {
		e := event(fmt.Sprintf("%s%02d", salt, i))
		if i == 4 || i == 5 {
			e.Action, e.Change, e.Outcome = audit.ActionCreateKey, "c1", []audit.Outcome{audit.Intent, audit.Granted}[i-4]
		}
		if err := b.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	b.close()
	state := b.store.state("local")
	a := &archive{dir: t.TempDir(), key: audit.ChainKey{Log: "local", Key: state.Key}, head: state.Head}
	for _, name := range b.files(t) {
		a.names = append(a.names, filepath.Base(name))
		a.lines = append(a.lines, strings.SplitAfter(contents(t, name), "\n"))
		last := &a.lines[len(a.lines)-1]
		*last = (*last)[:len(*last)-1]
	}
	if len(a.names) != 3 || a.head.Seq != 17 {
		t.Fatalf("%d files with %d records", len(a.names), a.head.Seq)
	}
	return a
}

// verify writes the files, those with nil lines not at all, and verifies them.
func (a *archive) verify(t interface{ Fatal(...any) }, lines [][]string, head audit.Head) audit.Report {
	var names []string
	for i, name := range a.names {
		path := filepath.Join(a.dir, name)
		_ = os.Remove(path)
		if lines[i] == nil {
			continue
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines[i], "")), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, path)
	}
	slices.Reverse(names) // their order is found, whatever it is
	r, err := auditlog.Verify(context.Background(), auditlog.Check{Files: names, Key: a.key, Head: head})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *archive) copied() [][]string {
	all := make([][]string, len(a.lines))
	for i := range a.lines {
		all[i] = slices.Clone(a.lines[i])
	}
	return all
}

func TestAnUntouchedArchiveIsGood(t *testing.T) {
	a := newArchive(t, "r")
	if r := a.verify(t, a.copied(), a.head); !r.OK() || r.Records != 17 || len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
	if r := a.verify(t, a.copied(), audit.Head{}); !r.OK() || r.Records != 17 {
		t.Errorf("without a head: %+v", r)
	}
}

// TestTamperingIsNamedAndPlaced has one case for each way.
func TestTamperingIsNamedAndPlaced(t *testing.T) {
	a, other := newArchive(t, "r"), newArchive(t, "o")
	total := 0
	var starts []int // the number of the first record of each file, from 1
	for _, lines := range a.lines {
		starts = append(starts, total+1)
		total += len(lines)
	}
	seq := func(file, line int) uint64 { return uint64(starts[file] + line - 1) }
	type found struct {
		File string
		Line int
		Seq  uint64
		Kind audit.Kind
	}
	edit := func(text, old, now string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q has no %q", text, old)
		}
		return strings.Replace(text, old, now, 1)
	}
	for _, tt := range []struct {
		what   string
		tamper func(all [][]string)
		want   []found
	}{
		{"an edited text", func(all [][]string) { all[1][2] = edit(all[1][2], "customer_1", "customer_2") }, []found{{a.names[1], 3, seq(1, 3), audit.Edited}}},
		{"an edited number", func(all [][]string) {
			all[1][2] = edit(all[1][2], fmt.Sprintf(`"seq":%d`, seq(1, 3)), `"seq":3`)
		}, []found{{a.names[1], 3, seq(1, 3), audit.Edited}}},
		{"a number that is too high", func(all [][]string) {
			all[1][2] = edit(all[1][2], fmt.Sprintf(`"seq":%d`, seq(1, 3)), `"seq":999`)
		}, []found{{a.names[1], 3, seq(1, 3), audit.Edited}}},
		{"two edited lines", func(all [][]string) {
			all[1][2], all[1][3] = edit(all[1][2], "customer_1", "x"), edit(all[1][3], "customer_1", "y")
		}, []found{{a.names[1], 3, seq(1, 3), audit.Edited}, {a.names[1], 4, seq(1, 4), audit.Edited}}},
		{"the first line edited", func(all [][]string) { all[0][0] = edit(all[0][0], "opened", "closed") }, []found{{a.names[0], 1, 1, audit.Edited}}},
		{"the last line edited", func(all [][]string) {
			n := len(all[2])
			all[2][n-1] = edit(all[2][n-1], "customer_1", "customer_2")
		}, []found{{a.names[2], len(a.lines[2]), 17, audit.Edited}}},
		{"a MAC in capitals", func(all [][]string) {
			n := strings.Index(all[1][2], `"mac"`)
			all[1][2] = all[1][2][:n+6] + strings.ToUpper(all[1][2][n+6:])
		}, []found{{a.names[1], 3, seq(1, 3), audit.Edited}}},
		{"a removed line", func(all [][]string) { all[1] = slices.Delete(all[1], 2, 3) }, []found{{a.names[1], 3, seq(1, 3), audit.Removed}}},
		{"two removed lines", func(all [][]string) { all[1] = slices.Delete(all[1], 1, 3) }, []found{{a.names[1], 2, seq(1, 2), audit.Removed}}},
		{"the first line removed", func(all [][]string) { all[0] = all[0][1:] }, []found{{a.names[0], 1, 1, audit.Removed}}},
		{"swapped neighbours", func(all [][]string) { all[1][1], all[1][2] = all[1][2], all[1][1] }, []found{{a.names[1], 2, seq(1, 3), audit.Reordered}}},
		{"the last two swapped", func(all [][]string) {
			n := len(all[2])
			all[2][n-1], all[2][n-2] = all[2][n-2], all[2][n-1]
		}, []found{{a.names[2], len(a.lines[2]) - 1, 17, audit.Reordered}}},
		{"a line moved up", func(all [][]string) {
			moved := all[1][4]
			all[1] = slices.Insert(slices.Delete(all[1], 4, 5), 1, moved)
		}, []found{{a.names[1], 2, seq(1, 5), audit.Reordered}}},
		{"a line moved to another file", func(all [][]string) {
			moved := all[0][3]
			all[0] = slices.Delete(all[0], 3, 4)
			all[2] = slices.Insert(all[2], 2, moved)
		}, []found{{a.names[2], 3, 4, audit.Reordered}}},
		{"a doubled line", func(all [][]string) { all[1] = slices.Insert(all[1], 2, all[1][1]) }, []found{{a.names[1], 3, seq(1, 2), audit.Inserted}}},
		{"a line again, later", func(all [][]string) { all[2] = slices.Insert(all[2], 2, all[0][1]) }, []found{{a.names[2], 3, 2, audit.Inserted}}},
		{"three lines again", func(all [][]string) { all[2] = slices.Insert(all[2], 2, all[0][1:4]...) },
			[]found{{a.names[2], 3, 2, audit.Inserted}, {a.names[2], 4, 3, audit.Inserted}, {a.names[2], 5, 4, audit.Inserted}}},
		{"half a line", func(all [][]string) { all[1][2] = all[1][2][:100] + "\n" }, []found{{a.names[1], 3, seq(1, 3), audit.Edited}}},
		{"a line without its end", func(all [][]string) { all[1][2] = strings.TrimSuffix(all[1][2], "\n") }, []found{{a.names[1], 3, seq(1, 3), audit.Removed}}},
		{"an empty line", func(all [][]string) { all[1] = slices.Insert(all[1], 2, "\n") }, []found{{a.names[1], 3, 0, audit.Inserted}}},
		{"a foreign line", func(all [][]string) { all[1] = slices.Insert(all[1], 2, "{\"time\":\"now\"}\n") }, []found{{a.names[1], 3, 0, audit.Inserted}}},
		{"a line of another log in its place", func(all [][]string) { all[1][2] = other.lines[1][2] },
			[]found{{a.names[1], 3, seq(1, 3), audit.Edited}, {a.names[1], 4, seq(1, 4), audit.Edited}}},
		{"a cut tail", func(all [][]string) { all[2] = all[2][:len(all[2])-2] }, []found{{a.names[2], len(a.lines[2]) - 2, 16, audit.Truncated}}},
		{"a tail cut within a line", func(all [][]string) {
			n := len(all[2])
			all[2][n-1] = all[2][n-1][:200]
		}, []found{{a.names[2], len(a.lines[2]), 17, audit.Torn}, {a.names[2], len(a.lines[2]), 17, audit.Truncated}}},
		{"the first file removed", func(all [][]string) { all[0] = nil }, []found{{a.names[1], 1, 1, audit.Removed}}},
		{"a file in the middle removed", func(all [][]string) { all[1] = nil }, []found{{a.names[2], 1, seq(1, 1), audit.Removed}}},
		{"the last file removed", func(all [][]string) { all[2] = nil }, []found{{a.names[1], len(a.lines[1]), seq(2, 1), audit.Truncated}}},
		{"files with each other's names", func(all [][]string) { all[0], all[1] = all[1], all[0] }, nil}, // their order is in them
	} {
		t.Run(tt.what, func(t *testing.T) {
			all := a.copied()
			tt.tamper(all)
			r := a.verify(t, all, a.head)
			var got []found
			for _, f := range r.Findings {
				got = append(got, found{f.File, f.Line, f.Seq, f.Kind})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", r, diff)
			}
		})
	}
}

func TestAFileOfAnotherLogIsFound(t *testing.T) {
	a, other := newArchive(t, "r"), newArchive(t, "o")
	for i := range a.lines {
		all := a.copied()
		all[i] = other.lines[i]
		if r := a.verify(t, all, a.head); r.OK() {
			t.Errorf("file %d: %+v", i, r)
		}
	}
	a.key = other.key
	if r := a.verify(t, a.copied(), audit.Head{}); r.OK() || len(r.Findings) != 1 || r.Records != 0 {
		t.Errorf("with another key: %+v", r)
	}
}

// TestEveryByteCounts flips one byte after the other.
func TestEveryByteCounts(t *testing.T) {
	a := newArchive(t, "r")
	for file, lines := range a.lines {
		for number, text := range lines {
			for at := range text {
				if at%5 != number%5 { // each place in one of the lines
					continue
				}
				all := a.copied()
				changed := []byte(text)
				changed[at] ^= 0x20
				all[file][number] = string(changed)
				if r := a.verify(t, all, a.head); r.OK() {
					t.Fatalf("byte %d of line %d of file %d: %+v", at, number+1, file+1, r)
				}
			}
		}
	}
}

// TestWhateverIsChangedIsFound makes several changes at once: the law is that the
// report is good only if the records are those that were written, in their order.
func TestWhateverIsChangedIsFound(t *testing.T) {
	a := newArchive(t, "r")
	original := strings.Join(slices.Concat(a.lines...), "")
	rapid.Check(t, func(rt *rapid.T) {
		all := a.copied()
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			file := rapid.IntRange(0, 2).Draw(rt, "file")
			if len(all[file]) == 0 {
				continue
			}
			at := rapid.IntRange(0, len(all[file])-1).Draw(rt, "line")
			from := rapid.IntRange(0, 2).Draw(rt, "from")
			source := a.lines[from][rapid.IntRange(0, len(a.lines[from])-1).Draw(rt, "source")]
			switch rapid.IntRange(0, 6).Draw(rt, "way") {
			case 0:
				all[file] = slices.Delete(all[file], at, at+1)
			case 1:
				all[file] = slices.Insert(all[file], at, source)
			case 2:
				all[file][at] = source
			case 3:
				longest := max(0, len(all[file][at])-1) // a line that was cut before may be empty
				all[file][at] = all[file][at][:rapid.IntRange(0, longest).Draw(rt, "cut")]
			case 4:
				text := []byte(all[file][at])
				if len(text) > 0 {
					text[rapid.IntRange(0, len(text)-1).Draw(rt, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
				}
				all[file][at] = string(text)
			case 5:
				all[file] = all[file][:at]
			case 6:
				all[file] = append(all[file][at:], all[file][:at]...)
			}
		}
		r := a.verify(rt, all, a.head)
		if same := strings.Join(slices.Concat(all...), "") == original; r.OK() != same {
			rt.Fatalf("same is %t: %+v", same, r)
		}
		if len(r.Findings) > 60 {
			rt.Fatalf("%d findings of 17 lines", len(r.Findings))
		}
	})
}
