package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/ports"
)

// gate holds the first n that come until all of them are there.
func gate(n int) func() {
	var mu sync.Mutex
	all := make(chan struct{})
	return func() {
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		<-all
	}
}

func TestAHundredFirstMintsMakeOneKey(t *testing.T) {
	const callers = 100
	b := newBench()
	b.stores.onRing = gate(callers) // all of them see a group without a key
	m := b.minter()
	used := make([]key.ID, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			minted, err := m.Mint(t.Context(), call(), acme(), draft())
			if err != nil {
				t.Error(err)
			}
			used[i] = minted.KeyID
		})
	}
	wg.Wait()
	ring := b.ring(t, "acme")
	if ring.Len() != 1 || ring.DefaultID() == "" {
		t.Fatalf("there are %d keys and the default %q, want one", ring.Len(), ring.DefaultID())
	}
	for _, id := range used {
		if id != ring.DefaultID() {
			t.Errorf("a token was sealed with %q, want %q", id, ring.DefaultID())
		}
	}
	if diff := cmp.Diff(b.vault.there, []key.ID{ring.DefaultID()}); diff != "" {
		t.Errorf("the custody keeps (-got +want):\n%s", diff)
	}
	if made, minted := len(b.log.of(audit.ActionCreateKey)), len(b.log.of(audit.ActionMint)); made != 2 || minted != callers {
		t.Errorf("recorded: %d times a key and %d tokens, want intent and outcome, and %d", made, minted, callers)
	}
	// The one write was over before anything was sealed with what it wrote.
	written := slices.Index(b.log.steps, "update")
	sealed := slices.IndexFunc(b.log.steps, func(s string) bool { return strings.HasPrefix(s, "seal") })
	if written < 0 || sealed < written || b.log.count("update") != 1 {
		t.Errorf("the ring was written at step %d, the first token sealed at step %d", written, sealed)
	}
}

func TestOfTwoProcessesOneMakesTheKey(t *testing.T) {
	b := newBench()
	// Each of the two sees no key, so that each makes one; one comes too late.
	b.stores.onRing = gate(2)
	var got [2]key.Key
	var wg sync.WaitGroup
	for i, d := range []*app.DefaultKeys{b.defaults(), b.defaults()} {
		wg.Go(func() {
			var err error
			if got[i], err = d.Ensure(t.Context(), call(), acme()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ring := b.ring(t, "acme")
	if ring.Len() != 1 || got[0].ID != ring.DefaultID() || got[1].ID != ring.DefaultID() || !got[0].Secret.Equal(got[1].Secret) {
		t.Errorf("%d keys, the default is %q, they use %q and %q", ring.Len(), ring.DefaultID(), got[0].ID, got[1].ID)
	}
	if made, destroyed := b.log.count("create key"), b.log.count("destroy key"); made != 2 || destroyed != 1 {
		t.Errorf("%d keys were made and %d destroyed, want 2 and 1", made, destroyed)
	}
	if diff := cmp.Diff([]key.ID{ring.DefaultID()}, b.vault.there); diff != "" {
		t.Errorf("the custody keeps (-want +got):\n%s", diff)
	}
}

func TestTheKeyIsRecordedThenWritten(t *testing.T) {
	b := newBench()
	k, err := b.defaults().Ensure(t.Context(), call(), acme())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ring", "record create_key", "create key", "update", "record create_key"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	want := audit.Event{
		Time: now(), RequestID: "r1", Remote: "192.0.2.7", Action: audit.ActionCreateKey, Outcome: audit.Intent,
		Group: "acme", TokenID: "t1", KeyID: string(k.ID), Change: b.log.events[0].Change,
	}
	done := want
	done.Outcome = audit.Granted
	if diff := cmp.Diff([]audit.Event{want, done}, b.log.events); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	stored, _ := b.ring(t, "acme").Find(k.ID)
	if !k.CanSeal(now()) || k.CreatedAt != now().Truncate(time.Second) || stored.CreatedAt != k.CreatedAt || !stored.Secret.Equal(k.Secret) {
		t.Errorf("got %+v, stored %+v", k, stored)
	}
	again, err := b.defaults().Ensure(t.Context(), call(), acme())
	if err != nil || again.ID != k.ID || b.log.count("create key") != 1 {
		t.Errorf("the second time: %q and %v, want %q", again.ID, err, k.ID)
	}
}

func TestAGroupWithKeysAndNoDefaultGetsOne(t *testing.T) {
	b := newBench()
	b.give(t, "acme", "", newKey("k1"))
	k, err := b.defaults().Ensure(t.Context(), call(), acme())
	if err != nil {
		t.Fatal(err)
	}
	ring := b.ring(t, "acme")
	if ring.Len() != 2 || ring.DefaultID() != k.ID || k.ID == "k1" {
		t.Errorf("%d keys, the default is %q, got %q", ring.Len(), ring.DefaultID(), k.ID)
	}
}

func TestNoRecordNoKey(t *testing.T) {
	full := fmt.Errorf("%w: disk full", ports.ErrUnavailable)
	b := newBench()
	b.log.refuse = func(audit.Event) error { return full }
	k, err := b.defaults().Ensure(t.Context(), call(), acme())
	if !errors.Is(err, app.ErrAudit) || !errors.Is(err, full) || k.ID != "" {
		t.Errorf("got %q and %v, want %v because of %v", k.ID, err, app.ErrAudit, full)
	}
	if b.ring(t, "acme").Len() != 0 || b.log.count("create key") != 0 {
		t.Error("a key without a record was made")
	}
	b.log.refuse = nil
	if _, err := b.defaults().Ensure(t.Context(), call(), acme()); err != nil {
		t.Errorf("later: %v", err)
	}
}

func TestAKeyWhoseOutcomeIsNotRecordedIsThereForTheNext(t *testing.T) {
	b := newBench()
	b.log.refuse = func(e audit.Event) error {
		if e.Outcome == audit.Intent {
			return nil
		}
		return ports.ErrUnavailable
	}
	if k, err := b.defaults().Ensure(t.Context(), call(), acme()); !errors.Is(err, app.ErrUnrecorded) || k.ID != "" {
		t.Errorf("got %q and %v, want %v", k.ID, err, app.ErrUnrecorded)
	}
	b.log.refuse = nil
	if k, err := b.defaults().Ensure(t.Context(), call(), acme()); err != nil || b.ring(t, "acme").Len() != 1 || k.ID != b.ring(t, "acme").DefaultID() {
		t.Errorf("then: %q and %v", k.ID, err)
	}
}

// The record of the key that failed is not one of the mint that needed it.
func TestAMintThatGotNoKeyIsNotRecordedYet(t *testing.T) {
	b := newBench()
	b.stores.updateErr = ports.ErrUnknownOutcome
	_, err := b.minter().Mint(t.Context(), call(), acme(), draft())
	if !errors.Is(err, ports.ErrUnknownOutcome) || app.Recorded(err) {
		t.Errorf("got %v, recorded: %t", err, app.Recorded(err))
	}
	if e := b.log.of(audit.ActionCreateKey); len(e) != 2 || e[1].Outcome != audit.Unknown {
		t.Errorf("recorded are %+v", e)
	}
}

func TestAnOutcomeThatIsNotKnownDestroysNothing(t *testing.T) {
	for _, away := range []error{ports.ErrUnknownOutcome, ports.ErrUnavailable, ports.ErrConflict} {
		b := newBench()
		b.stores.updateErr = away
		k, err := b.defaults().Ensure(t.Context(), call(), acme())
		if !errors.Is(err, away) || k.ID != "" || !k.Secret.IsZero() {
			t.Errorf("got %q and %v, want %v", k.ID, err, away)
		}
		if len(b.vault.there) != 1 || b.log.count("destroy key") != 0 {
			t.Errorf("%v: the ring may name a key that was destroyed", away)
		}
	}
}

func TestAKeyThatCameTooLateAndCannotBeGivenBackIsAnError(t *testing.T) {
	b := newBench()
	b.vault.destroyErr = ports.ErrUnavailable
	b.stores.onRing = func() { // another process is faster
		b.stores.onRing = nil
		b.give(t, "acme", "k1", newKey("k1"))
	}
	if k, err := b.defaults().Ensure(t.Context(), call(), acme()); !errors.Is(err, ports.ErrUnavailable) || k.ID != "" {
		t.Errorf("got %q and %v, want %v", k.ID, err, ports.ErrUnavailable)
	}
	b.vault.destroyErr = nil
	if k, err := b.defaults().Ensure(t.Context(), call(), acme()); err != nil || k.ID != "k1" {
		t.Errorf("later: got %q and %v, want k1", k.ID, err)
	}
}

func TestWhatCannotBeReadOrMadeIsNotWritten(t *testing.T) {
	b := newBench()
	b.stores.ringErr = ports.ErrCorrupt
	if _, err := b.defaults().Ensure(t.Context(), call(), acme()); !errors.Is(err, ports.ErrCorrupt) || b.log.count("create key") != 0 {
		t.Errorf("got %v and %d new keys, want %v and none", err, b.log.count("create key"), ports.ErrCorrupt)
	}
	b.stores.ringErr, b.vault.createErr = nil, ports.ErrSealed
	if _, err := b.defaults().Ensure(t.Context(), call(), acme()); !errors.Is(err, ports.ErrSealed) || len(b.log.events) != 2 {
		t.Errorf("got %v and %d records, want %v, its intent and its outcome", err, len(b.log.events), ports.ErrSealed)
	}
	if b.ring(t, "acme").Len() != 0 {
		t.Error("a key was written")
	}
}

func TestWhoMayNotWriteIsToldThatThereIsNoDefaultAndDoesNotInsist(t *testing.T) {
	denied := fmt.Errorf("%w: no capability", ports.ErrReadOnly)
	for name, deny := range map[string]func(*bench){
		"the store":   func(b *bench) { b.stores.updateErr = denied },
		"the custody": func(b *bench) { b.vault.createErr = denied },
	} {
		b := newBench()
		deny(b)
		clock := &movable{now()}
		d := app.NewDefaultKeys(b.stores, b.vault, newChanges(b.log), clock, b.random)
		for range 3 {
			if k, err := d.Ensure(t.Context(), call(), acme()); !errors.Is(err, key.ErrNoDefault) || k.ID != "" {
				t.Errorf("%s: got %q and %v, want %v", name, k.ID, err, key.ErrNoDefault)
			}
		}
		if tried := b.log.count("create key") + b.log.count("create key refused"); tried > 1 || b.log.count("record create_key") > 2 {
			t.Errorf("%s: it was tried %d times within the same second", name, tried)
		}
		if len(b.vault.there) != 0 {
			t.Errorf("%s: the custody keeps %q", name, b.vault.there)
		}
		b.stores.updateErr, b.vault.createErr = nil, nil
		clock.now = clock.now.Add(5 * time.Second)
		if k, err := d.Ensure(t.Context(), call(), acme()); err != nil || k.ID == "" {
			t.Errorf("%s: once it is granted: %q and %v", name, k.ID, err)
		}
	}
}

// movable is a clock that a test moves.
type movable struct{ now time.Time }

func (m *movable) Now() time.Time { return m.now }

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	b := newBench()
	d := b.defaults()
	b.log.refuse = func(audit.Event) error { panic("a fault in an adapter") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it did not panic")
			}
		}()
		_, _ = d.Ensure(t.Context(), call(), acme())
	}()
	b.log.refuse = nil
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if k, err := d.Ensure(ctx, call(), acme()); err != nil || k.ID == "" {
		t.Errorf("afterwards: %q and %v", k.ID, err)
	}
}

func TestWhoWaitedForOneWhoFoundTheBackendAwayIsToldTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		d := b.defaults()
		b.log.refuse = func(audit.Event) error {
			time.Sleep(100 * time.Millisecond)
			return ports.ErrSealed
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := d.Ensure(t.Context(), call(), acme()); !errors.Is(err, ports.ErrSealed) {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		all.Wait()
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}
