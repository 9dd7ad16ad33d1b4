package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"embedseal/ports"
)

const (
	// checkLimit is how long a check may take.
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

// Component is something that this process cannot mint without.
type Component struct {
	Name    string
	Checker ports.Checker
	// Reserve says how long minting goes on without it; nil where it does not.
	Reserve ports.Reserve
	// Wraps is what an error of the check is wrapped in, so that the edge answers
	// as it would to a request; nil where the check has the right words itself.
	Wraps error
}

// Readiness finds out whether this process can mint.
type Readiness struct {
	components []Component
	clock      ports.Clock

	mu   sync.Mutex
	last Report
	// under is the check under way; nil when there is none. It is closed when
	// last is its result.
	under chan struct{}
}

// NewReadiness returns a Readiness that looks after those components, in that
// order.
func NewReadiness(components []Component, clock ports.Clock) *Readiness {
	return &Readiness{components: components, clock: clock}
}

// Report is what was found.
type Report struct {
	Components []ComponentReport
	// At is when that was known.
	At time.Time
}

// ComponentReport is what was found of one.
type ComponentReport struct {
	Name string
	// Err is what keeps it from being used; nil when nothing does.
	Err error
	// ServesUntil is until when minting goes on without it; zero when it does not.
	// It is of interest with an error only.
	ServesUntil time.Time
}

// Ready reports whether tokens can be minted at that instant: each component can
// be used, or done without.
func (r Report) Ready(now time.Time) bool {
	return !slices.ContainsFunc(r.Components, func(c ComponentReport) bool { return !c.Ready(now) })
}

// Ready reports whether tokens can be minted at that instant, as far as this
// component goes.
func (c ComponentReport) Ready(now time.Time) bool { return c.Err == nil || now.Before(c.ServesUntil) }

// Last is what the last check found; with no component before the first one.
func (r *Readiness) Last() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Check asks every component, together with all who ask at the same time, unless that
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
		// Whoever gives up waiting must not make others believe that something is away.
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
			return r.givenUp()
		}
		return last
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// givenUp is the report to one who did not wait for the first.
func (r *Readiness) givenUp() Report {
	var report Report
	for _, c := range r.components {
		report.Components = append(report.Components, ComponentReport{Name: c.Name,
			Err: c.wrap(fmt.Errorf("%w: the check was given up", ports.ErrUnavailable))})
	}
	return report
}

// check asks the components, all at once: one that hangs must not hide another.
func (r *Readiness) check(ctx context.Context, under chan struct{}) {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	report := Report{Components: make([]ComponentReport, len(r.components))}
	var all sync.WaitGroup
	for i, c := range r.components {
		all.Go(func() { report.Components[i] = c.report(limited) })
	}
	all.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	report.At = r.clock.Now()
	r.last, r.under = report, nil
	close(under)
}

func (c Component) report(ctx context.Context) ComponentReport {
	err := c.Checker.Check(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no answer within %s", ports.ErrUnavailable, checkLimit)
	}
	found := ComponentReport{Name: c.Name, Err: c.wrap(err)}
	if c.Reserve != nil {
		found.ServesUntil = c.Reserve.LastsUntil()
	}
	return found
}

func (c Component) wrap(err error) error {
	if err == nil || c.Wraps == nil {
		return err
	}
	return fmt.Errorf("%w: %w", c.Wraps, err)
}
