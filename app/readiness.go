package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"embedseal/ports"
)

const (
	// checkLimit is how long a check of the store may take.
	checkLimit = 2 * time.Second
	// checkEvery is how long its result is given again, so that whoever asks often
	// does not press on the backend.
	checkEvery = time.Second
	// checkWait is how long one waits for a check under way where the last result
	// is no older than checkKept: a probe that is given up is worse than an answer
	// of a moment ago.
	checkWait = 300 * time.Millisecond
	checkKept = 10 * time.Second
)

// Readiness finds out whether this process can mint.
type Readiness struct {
	store   ports.Checker
	reserve ports.Reserve
	clock   ports.Clock

	mu   sync.Mutex
	last Report
	// under is the check under way; nil when there is none. It is closed when
	// last is its result.
	under chan struct{}
}

// NewReadiness returns a Readiness. reserve is nil for stores that need none:
// they are in this process.
func NewReadiness(store ports.Checker, reserve ports.Reserve, clock ports.Clock) *Readiness {
	return &Readiness{store: store, reserve: reserve, clock: clock}
}

// Report is what was found.
type Report struct {
	// Store is what keeps the store from being used; nil when nothing does.
	Store error
	// ServesUntil is until when what was read of the store may be used while it
	// is away; zero when nothing may. It is of interest with an error only.
	ServesUntil time.Time
	// At is when that was known.
	At time.Time
}

// Ready reports whether tokens can be minted at that instant: the store can be
// used, or what was read of it may be.
func (r Report) Ready(now time.Time) bool { return r.Store == nil || now.Before(r.ServesUntil) }

// Check asks the store, together with all who ask at the same time, unless that
// was done within the last second. One who stops waiting gets the last report.
func (r *Readiness) Check(ctx context.Context) Report {
	now := r.clock.Now()
	r.mu.Lock()
	last, age := r.last, now.Sub(r.last.At)
	if age >= 0 && age < checkEvery {
		r.mu.Unlock()
		return last
	}
	if r.under == nil {
		r.under = make(chan struct{})
		// Whoever gives up waiting must not make others believe that the store is away.
		go r.check(context.WithoutCancel(ctx), r.under)
	}
	under := r.under
	r.mu.Unlock()

	if age >= 0 && age < checkKept {
		limited, cancel := context.WithTimeout(ctx, checkWait)
		defer cancel()
		ctx = limited
	}
	select {
	case <-under:
	case <-ctx.Done():
		if last.At.IsZero() {
			last.Store = fmt.Errorf("%w: the check was given up", ports.ErrUnavailable)
		}
		return last
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// check asks the store.
func (r *Readiness) check(ctx context.Context, under chan struct{}) {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	err := r.store.Check(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no answer within %s", ports.ErrUnavailable, checkLimit)
	}
	report := Report{Store: err}
	if r.reserve != nil {
		report.ServesUntil = r.reserve.LastsUntil()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	report.At = r.clock.Now()
	r.last, r.under = report, nil
	close(under)
}
