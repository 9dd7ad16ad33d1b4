package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Schedule rotates the default keys of the groups that say how old one may get.
// Any number of processes may do so over one store: the ring is rotated only if
// its default is still the key that was due, so that one of them wins, and what
// the others made is given back.
type Schedule struct {
	groups ports.GroupStore
	keys   *Keys
	clock  ports.Clock

	mu     sync.Mutex
	failed map[group.ID]failure
}

// failure is what came of the last attempts at a group.
type failure struct {
	times int
	// until is when it is tried again.
	until time.Time
}

// How long a group is left alone whose rotation failed: twice as long each time.
const (
	firstPause   = time.Minute
	longestPause = time.Hour
)

// NewSchedule returns a Schedule.
func NewSchedule(groups ports.GroupStore, keys *Keys, clock ports.Clock) *Schedule {
	return &Schedule{groups: groups, keys: keys, clock: clock, failed: make(map[group.ID]failure)}
}

// Turn is what was done about one group.
type Turn struct {
	Group group.ID
	// Made is the new default, empty when another process was faster.
	Made key.ID
	// Due is the key whose turn it was, since Since.
	Due   key.ID
	Since time.Time
	// Err is why it could not be replaced; it is tried again later.
	Err error
}

// scheduler is who rotates, in the audit log.
func scheduler() Actor { return Actor{Operator: "schedule", Rights: ToWrite} }

// Run does what is due, and says when the next key that it knows of will be; zero
// when there is none. A group that fails does not keep the others waiting. The
// error is that of listing the groups.
func (s *Schedule) Run(ctx context.Context) (done []Turn, next time.Time, err error) {
	ids, err := s.groups.Groups(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("list the groups: %w", err)
	}
	s.forget(ids)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		if s.pausing(id) {
			continue
		}
		turn, due := s.turn(ctx, id)
		s.note(id, turn.Err)
		if turn.Err != nil || turn.Due != "" {
			done = append(done, turn)
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return done, next, nil
}

// turn rotates the group if its default is due, or says when it will be.
func (s *Schedule) turn(ctx context.Context, id group.ID) (t Turn, next time.Time) {
	t.Group = id
	g, err := readGroup(ctx, s.groups, id)
	if err != nil {
		if !errors.Is(err, ports.ErrNotFound) { // deleted since
			t.Err = err
		}
		return t, time.Time{}
	}
	if g.RotateEvery.IsZero() {
		return t, time.Time{}
	}
	ring, err := s.keys.ring(ctx, id)
	if err != nil {
		t.Err = err
		return t, time.Time{}
	}
	current, found := ring.Default()
	since, err := g.RotateEvery.AddTo(current.CreatedAt)
	if !found || err != nil { // the first mint makes a default; after the year 9999 nothing is due
		return t, time.Time{}
	}
	if s.clock.Now().Before(since) {
		return t, since
	}
	t.Due, t.Since = current.ID, since
	rotated, won, err := s.keys.scheduled(ctx, scheduler(), id, current.ID)
	if won {
		t.Made = rotated.Key.ID
	}
	t.Err = err
	return t, time.Time{}
}

// pausing reports whether the group is left alone for now.
func (s *Schedule) pausing(id group.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.Now().Before(s.failed[id].until)
}

// note remembers how it went.
func (s *Schedule) note(id group.ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.failed, id)
		return
	}
	f := s.failed[id]
	pause := min(firstPause<<min(f.times, 10), longestPause)
	s.failed[id] = failure{times: f.times + 1, until: s.clock.Now().Add(pause)}
}

// forget drops what is remembered of groups that are not there any more.
func (s *Schedule) forget(there []group.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failed) == 0 {
		return
	}
	known := make(map[group.ID]bool, len(there))
	for _, id := range there {
		known[id] = true
	}
	for id := range s.failed {
		if !known[id] {
			delete(s.failed, id)
		}
	}
}
