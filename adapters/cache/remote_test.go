package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"embedseal/adapters/cache"
	"embedseal/adapters/clock"
	"embedseal/adapters/memory"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

const (
	fresh = 5 * time.Second
	grace = time.Hour
)

// vault is a store that can be away, slow, or changed by others.
type vault struct {
	ports.KeyStore
	ports.GroupStore
	away  atomic.Pointer[error]
	delay atomic.Int64
	reads atomic.Int64
	// hangs: it answers nobody until they give up.
	hangs atomic.Bool
	// unpurged: it writes, and says that earlier versions are still there.
	unpurged atomic.Bool
	// written is called when a write is done and not yet answered.
	written func()
}

func (v *vault) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	err := v.KeyStore.UpdateRing(ctx, g, change)
	if v.written != nil {
		v.written()
	}
	if err == nil && v.unpurged.Load() {
		return fmt.Errorf("%w: connection refused", ports.ErrNotPurged)
	}
	return err
}

func (v *vault) wait(ctx context.Context) error {
	v.reads.Add(1)
	if v.hangs.Load() {
		<-ctx.Done()
		return fmt.Errorf("%w: no answer", ports.ErrUnavailable)
	}
	time.Sleep(time.Duration(v.delay.Load()))
	if err := v.away.Load(); err != nil {
		return *err
	}
	return nil
}

func newVault() *vault {
	s := memory.Open()
	return &vault{KeyStore: memory.NewKeyStore(s), GroupStore: memory.NewGroupStore(s)}
}

func (v *vault) leave(err error) { v.away.Store(&err) }
func (v *vault) come()           { v.away.Store(nil) }

func (v *vault) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if err := v.wait(ctx); err != nil {
		return key.Ring{}, err
	}
	return v.KeyStore.Ring(ctx, g)
}

func (v *vault) Group(ctx context.Context, g group.ID) (group.Group, error) {
	if err := v.wait(ctx); err != nil {
		return group.Group{}, err
	}
	return v.GroupStore.Group(ctx, g)
}

func remote(v *vault, grace time.Duration) *cache.Remote {
	return cache.NewRemote(v, v, cache.RemoteConfig{FreshFor: fresh, Grace: grace}, clock.System{})
}

func addKey(t *testing.T, s ports.KeyStore, id key.ID) {
	t.Helper()
	if err := s.UpdateRing(t.Context(), "acme", adding(id)); err != nil {
		t.Fatal(err)
	}
}

// wantKeys reads the ring through the cache.
func wantKeys(t *testing.T, r *cache.Remote, n int) {
	t.Helper()
	ring, err := r.Ring(t.Context(), "acme")
	if err != nil || ring.Len() != n {
		t.Fatalf("got %d keys and %v, want %d", ring.Len(), err, n)
	}
}

func errAway() error { return fmt.Errorf("%w: connection refused", ports.ErrUnavailable) }

func TestTheRemoteCacheIsAKeyStoreAndAGroupStore(t *testing.T) {
	open := func() *cache.Remote { return remote(newVault(), grace) }
	porttest.KeyStore(t, porttest.KeyStores{Open: func(*testing.T) ports.KeyStore { return open() }})
	porttest.GroupStore(t, porttest.GroupStores{Open: func(*testing.T) (ports.GroupStore, ports.KeyStore) {
		r := open()
		return r, r
	}})
}

func TestAChangeByOthersIsSeenAfterFreshForAndNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		addKey(t, v.KeyStore, "k2")
		for range 100 {
			wantKeys(t, r, 1)
		}
		if got := v.reads.Load(); got != 1 {
			t.Fatalf("the store was asked %d times within half of fresh_for, want once", got)
		}
		time.Sleep(fresh)
		wantKeys(t, r, 2)
	})
}

func TestPastHalfItsTimeAValueIsRefreshedBehindTheCallersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		addKey(t, v.KeyStore, "k2")
		v.delay.Store(int64(time.Second))
		time.Sleep(fresh/2 + time.Millisecond)
		begin := time.Now()
		wantKeys(t, r, 1)
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the caller waited %s", waited)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantKeys(t, r, 2)
	})
}

func TestWhileTheStoreIsAwayTheLastAnswerServesForTheGraceAndNoLonger(t *testing.T) {
	for _, why := range []error{errAway(), ports.ErrSealed, ports.ErrDenied, ports.ErrUnknownOutcome} {
		synctest.Test(t, func(t *testing.T) {
			v := newVault()
			addKey(t, v.KeyStore, "k1")
			r := remote(v, grace)
			wantKeys(t, r, 1)
			v.leave(why)
			for range 3599 {
				time.Sleep(time.Second)
				wantKeys(t, r, 1)
			}
			if got := v.reads.Load(); got > 3700 {
				t.Errorf("a store that is away was asked %d times in an hour, want about one a second", got)
			}
			time.Sleep(2*fresh + time.Second)
			if _, err := r.Ring(t.Context(), "acme"); !errors.Is(err, why) {
				t.Errorf("past the grace: got %v, want %v", err, why)
			}
			v.come()
			time.Sleep(2 * time.Second)
			wantKeys(t, r, 1)
		})
	}
}

func TestARecoveredStoreIsNoticedWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		v.leave(errAway())
		for range 30 {
			time.Sleep(time.Second)
			wantKeys(t, r, 1)
		}
		addKey(t, v.KeyStore, "k2")
		v.come()
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			if ring, err := r.Ring(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			} else if ring.Len() == 2 {
				return
			}
		}
		t.Error("two seconds after its return the store's change is not seen")
	})
}

func TestNothingOlderThanFreshForIsServedBeforeTheStoreWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		addKey(t, v.KeyStore, "k2")
		time.Sleep(30 * time.Minute)
		v.delay.Store(int64(time.Second))
		wantKeys(t, r, 2)
	})
}

func TestWithoutGraceAnAbsentStoreIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, 0)
		wantKeys(t, r, 1)
		v.leave(errAway())
		time.Sleep(fresh)
		if _, err := r.Ring(t.Context(), "acme"); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

func TestDamageIsAnAnswerAndEndsTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		v.leave(ports.ErrCorrupt)
		time.Sleep(fresh)
		if _, err := r.Ring(t.Context(), "acme"); !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
		v.leave(errAway())
		if _, err := r.Ring(t.Context(), "acme"); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable: the old ring is not to be trusted", err)
		}
	})
}

func TestManyWhoAskAtOnceAskTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		v.delay.Store(int64(time.Second))
		r := remote(v, grace)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if ring, err := r.Ring(t.Context(), "acme"); err != nil || ring.Len() != 1 {
					t.Errorf("got %d keys and %v", ring.Len(), err)
				}
			})
		}
		all.Wait()
		if got := v.reads.Load(); got != 1 {
			t.Errorf("the store was asked %d times", got)
		}
	})
}

func TestAbsentGroupsAreRememberedBrieflyAndNotWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		r := remote(v, grace)
		ask := func(n int) {
			for i := range n {
				if _, err := r.Group(t.Context(), group.ID(fmt.Sprint("g", i))); !errors.Is(err, ports.ErrNotFound) {
					t.Fatalf("got %v, want ErrNotFound", err)
				}
			}
		}
		ask(10)
		ask(10)
		if got := v.reads.Load(); got != 10 {
			t.Errorf("10 absent groups, asked for twice, were %d questions", got)
		}
		ask(3000)
		before := v.reads.Load()
		ask(3000)
		if kept := 3000 - (v.reads.Load() - before); kept > 1024 {
			t.Errorf("%d absent groups are remembered, want 1024 at most", kept)
		}
		time.Sleep(time.Second)
		before = v.reads.Load()
		ask(10)
		if got := v.reads.Load() - before; got != 10 {
			t.Errorf("after a second %d of 10 were asked again", got)
		}
	})
}

// TestARemoteFillThatBeganBeforeAWriteIsDropped forces the interleaving: the store
// reads the old ring, the write happens, and only then the old ring arrives.
func TestARemoteFillThatBeganBeforeAWriteIsDropped(t *testing.T) {
	s := newSlow()
	if err := s.KeyStore.UpdateRing(t.Context(), "acme", adding("k1")); err != nil {
		t.Fatal(err)
	}
	r := cache.NewRemote(s, s, cache.RemoteConfig{FreshFor: time.Hour, Grace: grace}, clock.System{})
	oldRead, giveOld := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	s.answered = func() {
		if !asked.Swap(true) {
			close(oldRead)
			<-giveOld
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = r.Ring(t.Context(), "acme") })
	<-oldRead
	addKey(t, r, "k2")
	wantKeys(t, r, 2)
	close(giveOld)
	reader.Wait()
	wantKeys(t, r, 2)
}

func TestAWriteThatFailsWhileTheStoreIsAwayDoesNotStopTheReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		v.leave(errAway())
		err := r.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { return key.Ring{}, errAway() })
		if !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		for range 100 {
			wantKeys(t, r, 1)
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestWhatWasWrittenIsKnownAlthoughTheStoreLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		addKey(t, r, "k2")
		v.leave(errAway())
		wantKeys(t, r, 2)
		time.Sleep(time.Minute)
		wantKeys(t, r, 2)
	})
}

func TestAGroupThatWasWrittenIsKnownAlthoughTheStoreLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		r := remote(v, grace)
		if err := r.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "one", Policy: policy.Default()}); err != nil {
			t.Fatal(err)
		}
		v.leave(errAway())
		for _, name := range []string{"one", "two", "three"} {
			if g, err := r.Group(t.Context(), "acme"); err != nil || g.Name != name || g.ID != "acme" {
				t.Fatalf("got %+v and %v, want %s", g, err, name)
			}
			wantKeys(t, r, 0)
			next := map[string]string{"one": "two", "two": "three", "three": "four"}[name]
			v.come()
			if err := r.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
				g.ID, g.Name = "other", next
				return g, nil
			}); err != nil {
				t.Fatal(err)
			}
			v.leave(errAway())
			time.Sleep(time.Minute)
		}
		v.come()
		if err := r.DeleteGroup(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		v.leave(errAway())
		if g, err := r.Group(t.Context(), "acme"); err == nil {
			t.Errorf("a deleted group is served: %+v", g)
		}
	})
}

func TestTheReserveLastsAsLongAsAGroupAndItsRingMayBeServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		r := remote(v, grace)
		if got := r.LastsUntil(); !got.IsZero() {
			t.Errorf("an empty cache lasts until %s", got)
		}
		if err := v.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "acme", Policy: policy.Default()}); err != nil {
			t.Fatal(err)
		}
		addKey(t, v.KeyStore, "k1")
		wantKeys(t, r, 1)
		if got := r.LastsUntil(); !got.IsZero() {
			t.Errorf("with a ring and no group it lasts until %s", got)
		}
		asked := time.Now()
		time.Sleep(time.Second)
		if _, err := r.Group(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if got, want := r.LastsUntil(), asked.Add(fresh+grace); !got.Equal(want) {
			t.Errorf("it lasts until %s, want %s: the ring is the older", got, want)
		}
		// A key that is elsewhere is of no use while elsewhere is away.
		if err := r.UpdateRing(t.Context(), "acme", func(ring key.Ring) (key.Ring, error) {
			return ring.WithDefault(key.Key{ID: "k2", State: key.Active, Custody: key.VaultTransit, Ref: "svc.acme.k2:1"})
		}); err != nil {
			t.Fatal(err)
		}
		if got := r.LastsUntil(); !got.IsZero() {
			t.Errorf("with a key in Transit it lasts until %s", got)
		}
	})
}

func TestAStoreThatHangsHoldsAMintForTwoSecondsAndOneOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		if err := v.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "acme", Policy: policy.Default()}); err != nil {
			t.Fatal(err)
		}
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		mint := func() time.Duration {
			begin := time.Now()
			if _, err := r.Group(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, r, 1)
			return time.Since(begin)
		}
		mint()
		time.Sleep(fresh + time.Second)
		v.hangs.Store(true)
		if took := mint(); took > 2*time.Second {
			t.Errorf("the first mint of the outage took %s", took)
		}
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			if took := mint(); took > 0 {
				t.Errorf("a later one took %s", took)
			}
		}
		v.hangs.Store(false)
		time.Sleep(5 * time.Second)
		addKey(t, v.KeyStore, "k2")
		time.Sleep(fresh)
		wantKeys(t, r, 2)
	})
}

func TestAGroupIsKnownOnceItWasReadOrMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		if err := v.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "acme", Policy: policy.Default()}); err != nil {
			t.Fatal(err)
		}
		r, l := remote(v, grace), cache.NewLocal(v, v)
		for _, k := range []interface {
			ports.Knower
			ports.GroupStore
		}{r, l} {
			if k.Knows("acme") || k.Knows("nobody") {
				t.Error("a group is known before it was asked for")
			}
			_, _ = k.Group(t.Context(), "acme")
			_, _ = k.Group(t.Context(), "nobody")
			if !k.Knows("acme") {
				t.Error("a group is not known after it was read")
			}
		}
		if !r.Knows("nobody") || l.Knows("nobody") {
			t.Error("only the remote cache remembers what is not there")
		}
		time.Sleep(2 * time.Second)
		if r.Knows("nobody") || !r.Knows("acme") {
			t.Error("what is not there is remembered for a second")
		}
	})
}

func TestInventedGroupsDoNotPileUpWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		v.hangs.Store(true)
		before := v.reads.Load()
		var all sync.WaitGroup
		var busy atomic.Int64 // of those who waited for their turn in vain
		for i := range 1000 {
			all.Go(func() {
				began := time.Now()
				if _, err := r.Group(t.Context(), group.ID(fmt.Sprint("invented-", i))); !errors.Is(err, ports.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				if time.Since(began) <= 250*time.Millisecond {
					busy.Add(1)
				}
			})
		}
		all.Wait()
		if asked := v.reads.Load() - before; asked != 64 || busy.Load() != 1000-64 {
			t.Errorf("%d questions were under way, %d were refused", asked, busy.Load())
		}
		v.hangs.Store(false)
		if _, err := r.Group(t.Context(), "nobody"); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestManyGroupsAtOnceWaitForTheirTurnAndAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		for i := range 500 {
			if err := v.CreateGroup(t.Context(), group.Group{ID: group.ID(fmt.Sprint("g", i)), Name: "x", Policy: policy.Default()}); err != nil {
				t.Fatal(err)
			}
		}
		v.delay.Store(int64(10 * time.Millisecond))
		r := remote(v, grace)
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				if _, err := r.Group(t.Context(), group.ID(fmt.Sprint("g", i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if asked := v.reads.Load(); asked != 500 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestAnOutageThatIsOverIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		time.Sleep(fresh + time.Second)
		v.leave(errAway())
		wantKeys(t, r, 1) // asked in vain
		v.come()
		addKey(t, v.KeyStore, "k2")
		time.Sleep(30 * time.Minute)
		wantKeys(t, r, 2) // and not what was there half an hour ago
	})
}

func TestAnAnswerThatComesDuringAWriteDoesNotUndoWhatWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		r := remote(v, grace)
		wantKeys(t, r, 1)
		time.Sleep(fresh - time.Second) // past half its time: the next read refreshes
		v.written = func() {
			addKey(t, v.KeyStore, "k3") // by another replica
			wantKeys(t, r, 1)
			time.Sleep(100 * time.Millisecond) // the refresh lands, with three keys
		}
		addKey(t, r, "k2")
		v.written = nil
		time.Sleep(time.Millisecond)
		wantKeys(t, r, 3) // what the write missed was asked for again at once
		addKey(t, v.KeyStore, "k4")
		time.Sleep(fresh)
		wantKeys(t, r, 4)
	})
}

func TestAWriteThatIsDoneButForThePurgeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		addKey(t, v.KeyStore, "k1")
		v.unpurged.Store(true)
		r := remote(v, grace)
		wantKeys(t, r, 1)
		if err := r.UpdateRing(t.Context(), "acme", adding("k2")); !errors.Is(err, ports.ErrNotPurged) {
			t.Fatal(err)
		}
		v.leave(errAway())
		wantKeys(t, r, 2)
		time.Sleep(time.Minute)
		wantKeys(t, r, 2)
	})
}

func TestOldNegativesMakeRoomForNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault()
		r := remote(v, grace)
		for wave := range 3 {
			before := v.reads.Load()
			for i := range 1024 {
				id := group.ID(fmt.Sprintf("w%d-%d", wave, i))
				for range 2 {
					if _, err := r.Group(t.Context(), id); !errors.Is(err, ports.ErrNotFound) {
						t.Fatal(err)
					}
				}
			}
			if asked := v.reads.Load() - before; asked != 1024 {
				t.Errorf("wave %d: the store was asked %d times about 1024 groups that are not there", wave, asked)
			}
			time.Sleep(2 * time.Second)
		}
	})
}

func TestOverlappingWritesLeaveTheStoreTheLastWord(t *testing.T) {
	for range 20 {
		v := newVault()
		r := remote(v, grace)
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() { addKey(t, r, key.ID(fmt.Sprint("k", i))) })
		}
		all.Wait()
		wantKeys(t, r, 16)
	}
}
