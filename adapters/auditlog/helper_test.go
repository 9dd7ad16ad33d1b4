package auditlog_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
)

// keeper is a store of states that can be away, and may refuse to be written.
type keeper struct {
	mu               sync.Mutex
	states           map[string]audit.State
	readErr, saveErr error
	saves            int
}

func newKeeper() *keeper { return &keeper{states: map[string]audit.State{}} }

func (k *keeper) AuditState(_ context.Context, log string) (audit.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.states[log], k.readErr
}

func (k *keeper) UpdateAuditState(_ context.Context, log string, change func(audit.State) (audit.State, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saveErr != nil {
		return k.saveErr
	}
	next, err := change(k.states[log])
	if err == nil {
		k.states[log] = next
		k.saves++
	}
	return err
}

func (k *keeper) fail(read, save error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readErr, k.saveErr = read, save
}

func (k *keeper) state(log string) audit.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.states[log]
}

// book is a log with its store, which can be opened again.
type book struct {
	*auditlog.Log
	config auditlog.Config
	store  *keeper
	close  func()
}

func newBook(t testing.TB, change ...func(*auditlog.Config)) *book {
	t.Helper()
	b := &book{store: newKeeper(), close: func() {}}
	b.config = auditlog.Config{Path: filepath.Join(t.TempDir(), "audit.log"), Name: "local", Store: b.store}
	for _, c := range change {
		c(&b.config)
	}
	b.reopen(t)
	t.Cleanup(func() { b.close() })
	return b
}

// reopen closes the log and opens it again.
func (b *book) reopen(t testing.TB) {
	t.Helper()
	b.close()
	b.open(t)
}

func (b *book) open(t testing.TB) {
	t.Helper()
	l, done, err := auditlog.Open(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.Log, b.close = l, sync.OnceFunc(done)
}

// crash opens the log again as after a kill: the store knows what it knew.
func (b *book) crash(t *testing.T) {
	t.Helper()
	before := b.store.state(b.config.Name)
	b.close()
	b.store.states[b.config.Name] = before
	b.open(t)
}

func (b *book) record(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := b.Record(t.Context(), event(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// event is one that is told from others by its request id.
func event(id string) audit.Event {
	e := minted()
	e.RequestID = id
	return e
}

func change(id string) audit.Event {
	e := event(id)
	e.Action = audit.ActionCreateKey
	return e
}

// files are those of the log, the oldest first.
func (b *book) files(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(b.config.Path + ".0*")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, ".aside-") })
	slices.Sort(names)
	if _, err := os.Stat(b.config.Path); err == nil {
		names = append(names, b.config.Path)
	}
	return names
}

// wantRecords compares the records of all files: request ids, or else actions.
func (b *book) wantRecords(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, name := range b.files(t) {
		for text := range strings.Lines(contents(t, name)) {
			var l line
			if json.Unmarshal([]byte(text), &l) != nil {
				got = append(got, "?")
				continue
			}
			if l.RequestID == "" {
				l.RequestID = l.Action
			}
			got = append(got, l.RequestID)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kinds are those of the findings.
func kinds(r audit.Report) []audit.Kind {
	var all []audit.Kind
	for _, f := range r.Findings {
		all = append(all, f.Kind)
	}
	return all
}

// wantVerified verifies the log beside its writing: nothing but those findings.
func (b *book) wantVerified(t *testing.T, want ...audit.Kind) audit.Report {
	t.Helper()
	r, err := b.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kinds(r)); diff != "" {
		t.Errorf("%+v (-want +got):\n%s", r, diff)
	}
	return r
}

// archived verifies the files as they are, with what the store knows.
func (b *book) archived(t *testing.T) audit.Report {
	t.Helper()
	state := b.store.state(b.config.Name)
	r, err := auditlog.Verify(t.Context(), auditlog.Check{
		Files: b.files(t), Key: audit.ChainKey{Log: b.config.Name, Key: state.Key}, Head: state.Head,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
