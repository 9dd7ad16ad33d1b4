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
)

// Readiness finds out whether this process can mint.
type Readiness struct {
	store   ports.Checker
	reserve ports.Reserve
	clock   ports.Clock

	mu   sync.Mutex
	last Report
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
	// At is when the store was asked.
	At time.Time
}

// Ready reports whether tokens can be minted at that instant: the store can be
// used, or what was read of it may be.
func (r Report) Ready(now time.Time) bool { return r.Store == nil || now.Before(r.ServesUntil) }

// Check asks the store, unless that was done within the last second.
func (r *Readiness) Check(ctx context.Context) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if age := now.Sub(r.last.At); age >= 0 && age < checkEvery {
		return r.last
	}
	// Whoever gives up waiting must not make others believe that the store is away.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
	defer cancel()
	err := r.store.Check(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no answer within %s", ports.ErrUnavailable, checkLimit)
	}
	r.last = Report{Store: err, At: now}
	if r.reserve != nil {
		r.last.ServesUntil = r.reserve.LastsUntil()
	}
	return r.last
}
