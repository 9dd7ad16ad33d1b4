package app_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"embedseal/app"
	"embedseal/ports"
)

// wall is the clock of a bubble.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

// backend answers with err, after a while, and counts.
type backend struct {
	mu    sync.Mutex
	err   error
	takes time.Duration
	asked int
}

func (b *backend) Check(ctx context.Context) error {
	b.mu.Lock()
	b.asked++
	takes, err := b.takes, b.err
	b.mu.Unlock()
	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *backend) set(takes time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.takes = takes
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// until is a reserve.
type until struct{ time.Time }

func (u until) LastsUntil() time.Time { return u.Time }

// readiness looks after a store alone.
func readiness(store ports.Checker, reserve ports.Reserve, clock ports.Clock) *app.Readiness {
	return app.NewReadiness([]app.Component{{Name: "store", Checker: store, Reserve: reserve}}, clock)
}

// of is what was found of the one component.
func of(r app.Report) error { return r.Components[0].Err }

func TestAProcessIsReadyWhileItsStoreAnswersOrWhatWasReadMayBeUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		reserve ports.Reserve
		ready   bool
	}{
		"the store answers":                 {nil, nil, true},
		"it answers and nothing was read":   {nil, until{}, true},
		"it is sealed":                      {ports.ErrSealed, nil, false},
		"it is sealed and nothing was read": {ports.ErrSealed, until{}, false},
		"what was read is too old":          {ports.ErrDenied, until{now()}, false},
		"what was read may be used":         {ports.ErrDenied, until{now().Add(1)}, true},
	} {
		r := readiness(&backend{err: tt.err}, tt.reserve, stopped{now()})
		got := r.Check(t.Context())
		if got.Ready(now()) != tt.ready || !errors.Is(of(got), tt.err) || !got.At.Equal(now()) {
			t.Errorf("%s: got %+v, ready %v, want %v", name, got, got.Ready(now()), tt.ready)
		}
	}
}

func TestTheStoreIsAskedOnceASecondHoweverManyWantToKnow(t *testing.T) {
	b, at := &backend{takes: 20 * time.Millisecond}, &movable{now()}
	r := readiness(b, nil, at)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := r.Check(t.Context()); of(got) != nil {
				t.Error(of(got))
			}
		})
	}
	all.Wait()
	if b.count() != 1 {
		t.Errorf("asked %d times at once, want once", b.count())
	}
	b.mu.Lock()
	b.err = ports.ErrSealed
	b.mu.Unlock()
	for _, tt := range []struct {
		later time.Duration
		asked int
		err   error
	}{{999 * time.Millisecond, 1, nil}, {time.Millisecond, 2, ports.ErrSealed}, {-time.Hour, 3, ports.ErrSealed}} {
		at.now = at.now.Add(tt.later)
		if got := r.Check(t.Context()); !errors.Is(of(got), tt.err) || b.count() != tt.asked {
			t.Errorf("%s later: got %v, asked %d times, want %d", tt.later, of(got), b.count(), tt.asked)
		}
	}
}

func TestACheckThatHangsSaysThatTheStoreIsAwayAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		r := readiness(b, nil, wall{})
		if got := r.Check(t.Context()); of(got) != nil {
			t.Fatal(of(got))
		}
		b.set(time.Hour)
		time.Sleep(2 * time.Second)
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := r.Check(t.Context()); of(got) != nil {
					t.Errorf("before the check has ended: %v", of(got))
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("a probe took %s", took)
		}
		time.Sleep(2 * time.Second)
		if got := r.Check(t.Context()); !errors.Is(of(got), ports.ErrUnavailable) {
			t.Errorf("got %v", of(got))
		}
		// Without a report there is nothing to say but what the check says.
		began = time.Now()
		if got := readiness(b, nil, wall{}).Check(t.Context()); !errors.Is(of(got), ports.ErrUnavailable) || time.Since(began) > 2*time.Second {
			t.Errorf("the first: %v after %s", of(got), time.Since(began))
		}
	})
}

func TestOneWhoHasGoneDoesNotSpoilItForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		b.set(time.Second)
		r := readiness(b, nil, wall{})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if got := r.Check(gone); !errors.Is(of(got), ports.ErrUnavailable) {
			t.Errorf("got %v for a caller who has gone", of(got))
		}
		if got := r.Check(t.Context()); of(got) != nil || b.count() != 1 {
			t.Errorf("got %v, asked %d times", of(got), b.count())
		}
	})
}

func TestEveryComponentIsNeededAndOneThatHangsHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		store, log := &backend{}, &backend{}
		r := app.NewReadiness([]app.Component{
			{Name: "store", Checker: store, Reserve: until{now().Add(100 * 365 * 24 * time.Hour)}},
			{Name: "audit", Checker: log, Wraps: app.ErrAudit},
		}, wall{})
		if last := r.Last(); !last.At.IsZero() || len(last.Components) != 0 {
			t.Errorf("before the first check: %+v", last)
		}
		if got := r.Check(t.Context()); !got.Ready(time.Now()) {
			t.Errorf("all is well: %+v", got)
		}
		store.set(time.Hour)
		log.err = full
		time.Sleep(20 * time.Second)
		got := r.Check(t.Context())
		if got.Ready(time.Now()) || !errors.Is(got.Components[0].Err, ports.ErrUnavailable) || !got.Components[0].Ready(time.Now()) ||
			!errors.Is(got.Components[1].Err, app.ErrAudit) || !errors.Is(got.Components[1].Err, full) || errors.Is(got.Components[0].Err, app.ErrAudit) {
			t.Errorf("got %+v", got)
		}
		if last := r.Last(); !last.At.Equal(got.At) {
			t.Errorf("the last is of %s, not of %s", last.At, got.At)
		}
		log.err = nil
		time.Sleep(2 * time.Second)
		_ = r.Check(t.Context()) // waits for what hangs, or gets the last report
		time.Sleep(2 * time.Second)
		if got := r.Check(t.Context()); !got.Ready(time.Now()) {
			t.Errorf("a store that may be away takes nothing out of service: %+v", got)
		}
	})
}
