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
	defer b.mu.Unlock()
	b.asked++
	select {
	case <-time.After(b.takes):
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until is a reserve.
type until struct{ time.Time }

func (u until) LastsUntil() time.Time { return u.Time }

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
		r := app.NewReadiness(&backend{err: tt.err}, tt.reserve, stopped{now()})
		got := r.Check(t.Context())
		if got.Ready(now()) != tt.ready || !errors.Is(got.Store, tt.err) || !got.At.Equal(now()) {
			t.Errorf("%s: got %+v, ready %v, want %v", name, got, got.Ready(now()), tt.ready)
		}
	}
}

func TestTheStoreIsAskedOnceASecondHoweverManyWantToKnow(t *testing.T) {
	b, at := &backend{takes: 20 * time.Millisecond}, &movable{now()}
	r := app.NewReadiness(b, nil, at)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := r.Check(t.Context()); got.Store != nil {
				t.Error(got.Store)
			}
		})
	}
	all.Wait()
	if b.asked != 1 {
		t.Errorf("asked %d times at once, want once", b.asked)
	}
	b.err = ports.ErrSealed
	for _, tt := range []struct {
		later time.Duration
		asked int
		err   error
	}{{999 * time.Millisecond, 1, nil}, {time.Millisecond, 2, ports.ErrSealed}, {-time.Hour, 3, ports.ErrSealed}} {
		at.now = at.now.Add(tt.later)
		if got := r.Check(t.Context()); !errors.Is(got.Store, tt.err) || b.asked != tt.asked {
			t.Errorf("%s later: got %v, asked %d times, want %d", tt.later, got.Store, b.asked, tt.asked)
		}
	}
}

func TestACheckThatHangsOrIsGivenUpSaysThatTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{takes: time.Hour}
		r := app.NewReadiness(b, nil, wall{})
		began := time.Now()
		if got := r.Check(t.Context()); !errors.Is(got.Store, ports.ErrUnavailable) || time.Since(began) > 2*time.Second {
			t.Errorf("got %v after %s", got.Store, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		// One who has gone does not spoil it for the others.
		b.takes = time.Second
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if got := r.Check(gone); got.Store != nil {
			t.Errorf("got %v for a caller who has gone", got.Store)
		}
	})
}
