package porttest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// AuditStores opens the stores under test.
type AuditStores struct {
	// Open returns an empty store, a new one on each call.
	Open func(t *testing.T) ports.AuditStore
	// Reopen closes the store last opened and returns one over its data. Nil
	// when the store does not outlive the process: nothing is asked of it then.
	Reopen func(t *testing.T) ports.AuditStore
}

// AuditStore runs the contract of [ports.AuditStore].
func AuditStore(t *testing.T, with AuditStores) {
	for _, check := range []struct {
		sentence string
		run      func(*testing.T, AuditStores)
	}{
		{"a log that nobody opened has no state", unknownLog},
		{"a state is read back as it was written", stateSurvives},
		{"change is given what was written last", stateChangeSeesLast},
		{"a failed change writes nothing and its error comes back as it was", failedStateChange},
		{"logs do not see one another", logIsolation},
		{"a state that no log can have is refused", invalidState},
		{"no concurrent update is lost", concurrentStates},
		{"a cancelled context stops every call", cancelledState},
		{"a name that no constructor made has no state and gets none", unsafeLog},
	} {
		t.Run(check.sentence, func(t *testing.T) { check.run(t, with) })
	}
	if with.Reopen != nil {
		t.Run("states outlive the process", func(t *testing.T) { durableState(t, with) })
	}
}

// newState is a state that is told from others by its head.
func newState(seq uint64) audit.State {
	var key [audit.KeySize]byte
	for i := range key {
		key[i] = byte(i * 9) // bytes that are no text
	}
	s := audit.State{Key: secret.New(string(key[:])), Head: audit.Head{Seq: seq}}
	for i := range s.Head.MAC {
		s.Head.MAC[i] = byte(seq) + byte(i)*7
	}
	return s
}

func settingState(s audit.State) func(audit.State) (audit.State, error) {
	return func(audit.State) (audit.State, error) { return s, nil }
}

func mustSetState(t *testing.T, s ports.AuditStore, log string, state audit.State) {
	t.Helper()
	if err := s.UpdateAuditState(t.Context(), log, settingState(state)); err != nil {
		t.Fatal(err)
	}
}

func wantState(t *testing.T, s ports.AuditStore, log string, want audit.State) {
	t.Helper()
	got, err := s.AuditState(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	diffStates(t, want, got)
}

func diffStates(t *testing.T, want, got audit.State) {
	t.Helper()
	if got.Head != want.Head || !got.Key.Equal(want.Key) {
		t.Errorf("got the head %v and a key of %d bytes, want %v and %d", got.Head, len(got.Key.Reveal()), want.Head, len(want.Key.Reveal()))
	}
}

func unknownLog(t *testing.T, with AuditStores) {
	s := with.Open(t)
	wantState(t, s, "local", audit.State{})
	if err := s.UpdateAuditState(t.Context(), "local", func(before audit.State) (audit.State, error) {
		diffStates(t, audit.State{}, before)
		return newState(1), nil
	}); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, "local", newState(1))
}

func stateSurvives(t *testing.T, with AuditStores) {
	s := with.Open(t)
	fresh := newState(0)
	fresh.Head = audit.Head{}
	for _, want := range []audit.State{fresh, newState(1), newState(1<<64 - 1), newState(7)} {
		mustSetState(t, s, "local", want)
		wantState(t, s, "local", want)
	}
}

func stateChangeSeesLast(t *testing.T, with AuditStores) {
	s := with.Open(t)
	mustSetState(t, s, "local", newState(1))
	for seq := uint64(2); seq < 6; seq++ {
		if err := s.UpdateAuditState(t.Context(), "local", func(before audit.State) (audit.State, error) {
			diffStates(t, newState(seq-1), before)
			return newState(seq), nil
		}); err != nil {
			t.Fatal(err)
		}
		wantState(t, s, "local", newState(seq))
	}
}

func failedStateChange(t *testing.T, with AuditStores) {
	s, boom := with.Open(t), &errBoom{}
	for _, want := range []audit.State{{}, newState(3)} {
		if want.Head.Seq > 0 {
			mustSetState(t, s, "local", want)
		}
		err := s.UpdateAuditState(t.Context(), "local", func(audit.State) (audit.State, error) { return newState(9), boom })
		if err != error(boom) { //nolint:errorlint // identity is what is promised
			t.Fatalf("got the error %v, want the one of change, not wrapped", err)
		}
		wantState(t, s, "local", want)
	}
}

func logIsolation(t *testing.T, with AuditStores) {
	s := with.Open(t)
	names := []string{"a", "0", "-", "local", "node-1", "node-2", strings.Repeat("m", audit.MaxLog)}
	for i, name := range names {
		mustSetState(t, s, name, newState(uint64(i)+1))
	}
	for i, name := range names {
		wantState(t, s, name, newState(uint64(i)+1))
	}
}

func invalidState(t *testing.T, with AuditStores) {
	s := with.Open(t)
	mustSetState(t, s, "local", newState(1))
	short, keyless, headless, bodiless := newState(1), newState(1), newState(1), newState(1)
	short.Key, keyless.Key = secret.New("too short"), secret.Text{}
	headless.Head.Seq, bodiless.Head.MAC = 0, audit.MAC{}
	for i, state := range []audit.State{short, keyless, headless, bodiless} {
		if err := s.UpdateAuditState(t.Context(), "local", settingState(state)); !errors.Is(err, audit.ErrState) {
			t.Errorf("number %d: got %v, want %v", i, err, audit.ErrState)
		}
	}
	wantState(t, s, "local", newState(1))
}

func concurrentStates(t *testing.T, with AuditStores) {
	const writers = 8
	s := with.Open(t)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			if err := insist(func() error {
				return s.UpdateAuditState(t.Context(), "local", func(before audit.State) (audit.State, error) {
					time.Sleep(time.Millisecond) // widens the window that a lost update needs
					return newState(before.Head.Seq + 1), nil
				})
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantState(t, s, "local", newState(writers))
}

func cancelledState(t *testing.T, with AuditStores) {
	s := with.Open(t)
	mustSetState(t, s, "local", newState(1))
	ctx := cancelled(t)
	if _, err := s.AuditState(ctx, "local"); !errors.Is(err, ctx.Err()) {
		t.Errorf("AuditState answers %v, want %v", err, ctx.Err())
	}
	if err := s.UpdateAuditState(ctx, "local", settingState(newState(2))); !errors.Is(err, ctx.Err()) {
		t.Errorf("UpdateAuditState answers %v, want %v", err, ctx.Err())
	}
	wantState(t, s, "local", newState(1))
}

func unsafeLog(t *testing.T, with AuditStores) {
	s := with.Open(t)
	mustSetState(t, s, "acme", newState(1))
	for _, id := range unsafeIDs() {
		wantState(t, s, string(id), audit.State{})
		if err := s.UpdateAuditState(t.Context(), string(id), settingState(newState(2))); !errors.Is(err, audit.ErrLog) {
			t.Errorf("%q: got %v, want %v", id, err, audit.ErrLog)
		}
		wantState(t, s, string(id), audit.State{})
	}
	wantState(t, s, "acme", newState(1))
}

func durableState(t *testing.T, with AuditStores) {
	s := with.Open(t)
	for i := range 3 {
		mustSetState(t, s, "log-"+strconv.Itoa(i), newState(uint64(i)+1))
	}
	for range 2 {
		s = with.Reopen(t)
		for i := range 3 {
			wantState(t, s, fmt.Sprint("log-", i), newState(uint64(i)+1))
		}
	}
}
