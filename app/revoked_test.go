package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/custody"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

// noneRevoked is a copy of a store in which nothing was revoked.
func noneRevoked() *app.Revoked {
	return app.NewRevoked(memory.NewRevocationStore(memory.Open()), app.Freshness{}, stopped{now()})
}

// moving is a clock that can be moved while others look at it.
type moving struct{ at atomic.Int64 }

func newMoving() *moving {
	m := &moving{}
	m.at.Store(now().UnixNano())
	return m
}

func (m *moving) Now() time.Time       { return time.Unix(0, m.at.Load()).UTC() }
func (m *moving) add(by time.Duration) { m.at.Add(int64(by)) }

// flaky is a revocation store that counts its questions and can be away.
type flaky struct {
	ports.RevocationStore
	asked  atomic.Int64
	broken atomic.Pointer[error]
	// hold, when set, is waited for by each question after the store has answered.
	hold atomic.Pointer[chan struct{}]
	// lost makes a write be done and its answer not come.
	lost atomic.Bool
}

func (f *flaky) fail(err error) {
	if err == nil {
		f.broken.Store(nil)
		return
	}
	f.broken.Store(&err)
}

func (f *flaky) Changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error) {
	f.asked.Add(1)
	if err := f.broken.Load(); err != nil {
		return revocation.Changes{}, *err
	}
	c, err := f.RevocationStore.Changes(ctx, g, since)
	if hold := f.hold.Load(); hold != nil {
		<-*hold
	}
	return c, err
}

func (f *flaky) Revoke(ctx context.Context, g group.ID, e revocation.Entry, room int) (revocation.Cursor, error) {
	end, err := f.RevocationStore.Revoke(ctx, g, e, room)
	if f.lost.Load() {
		return revocation.Cursor{}, fmt.Errorf("store: %w", ports.ErrUnknownOutcome)
	}
	return end, err
}

// process is one that verifies and revokes, over a store that others may have too.
type process struct {
	store   *flaky
	clock   *moving
	revoked *app.Revoked
	revoker *app.Revoker
	log     *journal
}

const (
	freshFor = 5 * time.Second
	grace    = time.Hour
)

func shared() app.Freshness {
	return app.Freshness{Shared: true, FreshFor: freshFor, Grace: grace}
}

func newProcess(t *testing.T, store *memory.Store, clock *moving, fresh app.Freshness) *process {
	t.Helper()
	p := &process{store: &flaky{RevocationStore: memory.NewRevocationStore(store)}, clock: clock, log: &journal{}}
	p.revoked = app.NewRevoked(p.store, fresh, clock)
	changes := app.NewChanges(p.log, clock, &dice{n: uint64(len(t.Name()))}, func(error) string { return "some_code" })
	p.revoker = app.NewRevoker(memory.NewGroupStore(store), memory.NewKeyStore(store), jose.New(), p.store, p.revoked, changes, clock,
		&seeds{}, token.ChartClaim{}, app.Staleness(freshFor+grace))
	return p
}

// seeds gives bytes that no other process of a test gives.
type seeds struct{}

func (*seeds) Fill(p []byte) {
	for i := range p {
		p[i] = byte(drawn.Add(1)) ^ byte(i*37)
	}
	copy(p, fmt.Sprintf("%08x", drawn.Add(1)))
}

var drawn atomic.Int64 //nolint:gochecknoglobals // one for all processes of a test

func withGroup(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.Open()
	if err := memory.NewGroupStore(s).CreateGroup(t.Context(), group.Group{ID: "acme", Policy: policy.Default(), CreatedAt: now()}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *process) revoke(t *testing.T, n app.NewRevocation) app.MadeRevocation {
	t.Helper()
	made, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", n)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// ask asks about a token of customer_1 that was issued a minute ago.
func (p *process) ask(t *testing.T) (bool, error) {
	t.Helper()
	return p.revoked.Revoked(t.Context(), "acme", token.Fingerprint{1}, token.Claims{
		Customer: "customer_1", Embed: "abcde", IssuedAt: now().Add(-time.Minute),
	}, "key-1")
}

func (p *process) want(t *testing.T, want bool) {
	t.Helper()
	if got, err := p.ask(t); err != nil || got != want {
		t.Fatalf("revoked is %t (%v), want %t", got, err, want)
	}
}

func theCustomer() app.NewRevocation {
	return app.NewRevocation{Kind: revocation.Customer, Subject: "customer_1"}
}

// settle waits for a refresh that nobody waits for.
func settle(t *testing.T, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it does not settle")
}

func TestARevocationCountsInItsOwnProcessAtOnce(t *testing.T) {
	for name, fresh := range map[string]app.Freshness{"alone": {}, "shared": shared()} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, withGroup(t), newMoving(), fresh)
			p.want(t, false)
			p.store.fail(ports.ErrUnavailable) // it is not asked for this
			p.revoke(t, theCustomer())
			p.want(t, true)
			if n := p.store.asked.Load(); n != 1 {
				t.Errorf("the store was asked %d times, want once", n)
			}
		})
	}
}

func TestAStoreThatNobodyElseWritesToIsReadOnce(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), app.Freshness{})
	for range 50 {
		p.want(t, false)
		p.clock.add(time.Hour)
	}
	p.revoke(t, app.NewRevocation{Kind: revocation.Embed, Subject: "abcde", Before: now()})
	p.want(t, true)
	if n := p.store.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestARevocationOfAnotherProcessCountsOnceTheCopyIsOlderThanFreshFor(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	one, other := newProcess(t, store, clock, shared()), newProcess(t, store, clock, shared())
	other.want(t, false)
	one.revoke(t, theCustomer())
	other.want(t, false) // documented: it may be as old as that
	clock.add(freshFor)
	other.want(t, true)
	one.want(t, true)
}

func TestPastHalfOfFreshForACopyIsRefreshedAndNobodyWaits(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	one, other := newProcess(t, store, clock, shared()), newProcess(t, store, clock, shared())
	other.want(t, false)
	one.revoke(t, theCustomer())
	clock.add(freshFor / 2)
	hold := make(chan struct{})
	other.store.hold.Store(&hold)
	other.want(t, false) // the refresh is under way, and held
	close(hold)
	settle(t, func() bool { revoked, err := other.ask(t); return err == nil && revoked })
}

func TestWhileTheStoreIsAwayTheLastCopyCountsForTheGraceAndThenNothingIsKnown(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), shared())
	p.revoke(t, theCustomer())
	p.want(t, true)
	p.store.fail(fmt.Errorf("store: %w", ports.ErrUnavailable))
	for range 12 * 60 {
		p.clock.add(freshFor)
		if p.clock.Now().Sub(now()) >= freshFor+grace {
			break
		}
		p.want(t, true)
	}
	p.clock.add(freshFor)
	if _, err := p.ask(t); !errors.Is(err, ports.ErrUnavailable) {
		t.Fatalf("past the grace: got %v, want %v", err, ports.ErrUnavailable)
	}
	p.store.fail(nil)
	p.want(t, true)
}

func TestNothingIsKnownOfAGroupThatWasNeverRead(t *testing.T) {
	for name, fresh := range map[string]app.Freshness{"alone": {}, "shared": shared()} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, withGroup(t), newMoving(), fresh)
			for _, why := range []error{ports.ErrUnavailable, ports.ErrCorrupt} {
				p.store.fail(fmt.Errorf("store: %w", why))
				if _, err := p.ask(t); !errors.Is(err, why) {
					t.Errorf("got %v, want %v", err, why)
				}
			}
		})
	}
}

func TestWhatCannotBeReadAnyMoreIsNotUsedAnyMore(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), shared())
	p.want(t, false)
	p.store.fail(fmt.Errorf("store: %w", ports.ErrCorrupt))
	p.clock.add(freshFor)
	for range 2 {
		if _, err := p.ask(t); !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("got %v, want %v", err, ports.ErrCorrupt)
		}
	}
}

func TestOneQuestionIsAskedForAllWhoWait(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), shared())
	p.revoke(t, theCustomer())
	hold := make(chan struct{})
	p.store.hold.Store(&hold)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if revoked, err := p.ask(t); err != nil || !revoked {
				t.Errorf("revoked is %t (%v)", revoked, err)
			}
		})
	}
	settle(t, func() bool { return p.store.asked.Load() > 0 })
	time.Sleep(10 * time.Millisecond)
	close(hold)
	wg.Wait()
	if n := p.store.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestARefreshThatBeganBeforeARevocationDoesNotHideIt(t *testing.T) {
	for name, fresh := range map[string]app.Freshness{"alone": {}, "shared": shared()} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, withGroup(t), newMoving(), fresh)
			hold := make(chan struct{})
			p.store.hold.Store(&hold)
			answered := make(chan error, 1)
			go func() {
				_, err := p.ask(t)
				answered <- err
			}()
			settle(t, func() bool { return p.store.asked.Load() == 1 })
			time.Sleep(5 * time.Millisecond) // it has the answer of before
			p.revoke(t, theCustomer())
			p.revoke(t, app.NewRevocation{Kind: revocation.Embed, Subject: "other"})
			close(hold)
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			p.want(t, true)
			p.clock.add(freshFor)
			p.want(t, true)
		})
	}
}

func TestWhoeverListsRevocationsHoldsNoVerificationUp(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), shared())
	p.want(t, false)
	hold := make(chan struct{})
	p.store.hold.Store(&hold)
	listed, asked := make(chan error, 1), make(chan error, 1)
	go func() {
		_, _, err := p.revoker.List(t.Context(), operator(), "acme", app.Page{})
		listed <- err
	}()
	settle(t, func() bool { return p.store.asked.Load() == 2 })
	go func() {
		_, err := p.ask(t)
		asked <- err
	}()
	select {
	case err := <-asked:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Second):
		t.Error("a verification waits for what only the list needs")
	}
	select {
	case err := <-listed:
		t.Errorf("the list did not wait for the store: %v", err)
	default:
	}
	close(hold)
	if err := <-listed; err != nil {
		t.Error(err)
	}
}

func TestAfterAWriteWhoseAnswerNeverCameTheStoreIsAsked(t *testing.T) {
	for name, fresh := range map[string]app.Freshness{"alone": {}, "shared": shared()} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, withGroup(t), newMoving(), fresh)
			p.want(t, false)
			p.store.lost.Store(true)
			if _, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", theCustomer()); !errors.Is(err, ports.ErrUnknownOutcome) {
				t.Fatalf("got %v", err)
			}
			p.want(t, true)
		})
	}
}

func TestAGroupThatIsMadeAnewHasNothingRevoked(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	p := newProcess(t, store, clock, app.Freshness{})
	p.revoke(t, theCustomer())
	p.want(t, true)
	stores := memory.NewGroupStore(store)
	changes := app.NewChanges(p.log, clock, &seeds{}, func(error) string { return "" })
	defaults := app.NewDefaultKeys(memory.NewKeyStore(store), custody.NewLocal(&seeds{}), changes, clock, &seeds{})
	groups := app.NewGroups(stores, memory.NewKeyStore(store), custody.NewLocal(&seeds{}), defaults, p.revoked, changes, clock)
	if err := groups.Delete(t.Context(), call(), operator(), "acme", "", true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := groups.Create(t.Context(), call(), operator(), app.NewGroup{ID: "acme"}); err != nil {
		t.Fatal(err)
	}
	p.want(t, false)
}

func TestEntriesThatHaveDiedLeaveACopyThatIsReadOnceToo(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), app.Freshness{})
	p.want(t, false)
	const entries = 40
	for n := range entries {
		p.revoke(t, app.NewRevocation{Kind: revocation.Customer, Subject: fmt.Sprintf("customer_%d", n)})
	}
	p.clock.add(60 * 24 * time.Hour)
	p.revoke(t, app.NewRevocation{Kind: revocation.Embed, Subject: "abcde"})
	if held := p.revoked.Held(); len(held) != 1 || held[0].Entries != 1 {
		t.Errorf("after %d have died and one was made: %+v", entries, held)
	}
	p.want(t, true)
}

func TestEntriesThatHaveDiedLeaveTheCopy(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), app.Freshness{Shared: true, FreshFor: freshFor})
	p.revoke(t, theCustomer())
	p.want(t, true)
	p.clock.add(400 * 24 * time.Hour)
	p.want(t, false)
	if held := p.revoked.Held(); len(held) != 1 || held[0].Entries != 0 {
		t.Errorf("it holds %+v", held)
	}
}
