package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"embedseal/domain/audit"
)

const (
	// tallyFor is how long refusals of one kind are counted before they are recorded
	// as one.
	tallyFor = time.Second
	// maxTallies bounds of how many there is a count. The others are recorded each.
	maxTallies = 16384
)

// tallies count refusals that a stranger can cause as fast as he likes, so that
// they fill no disk.
type tallies struct {
	mu sync.Mutex
	by map[tallyKey]*tally
}

// tallyKey is what refusals must have in common to be counted as one.
type tallyKey struct {
	name   string
	action audit.Action
	code   string
}

// tally is the refusals since one was recorded.
type tally struct {
	recorded time.Time
	count    int
	// last is the record of the last of them.
	last audit.Event
}

// Count is [Refusals.Record] for a refusal that may come in floods. Those of one
// name, action and code are recorded as one in each second: the first at once, and
// what follows it by [Refusals.Flush] or with the next that is recorded. name is the
// address of a stranger, or an API token.
func (r *Refusals) Count(ctx context.Context, call Call, by Actor, name string, what Refusal) error {
	event := r.event(call, by, what)
	key := tallyKey{name, what.Action, what.Code}
	t := &r.tallies
	t.mu.Lock()
	known := t.by[key]
	if known != nil && event.Time.Sub(known.recorded) < tallyFor {
		known.count++
		known.last = event
		t.mu.Unlock()
		return nil
	}
	event.Alike = 1
	switch {
	case known != nil:
		event.Alike += known.count
		known.recorded, known.count = event.Time, 0
	case len(t.by) < maxTallies:
		t.by[key] = &tally{recorded: event.Time}
	}
	t.mu.Unlock()
	err := r.record(ctx, event)
	if err != nil { // the next one is recorded at once, and stands for those before
		t.restore(key, event)
	}
	return err
}

// restore counts again what could not be recorded, but for the last: that is
// answered with the error.
func (t *tallies) restore(key tallyKey, e audit.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.by[key]
	if known == nil {
		return
	}
	known.recorded, known.last = time.Time{}, e
	known.count += e.Alike - 1
}

// Flush records what was counted a second ago or earlier, and with all what was
// counted since. What cannot be recorded is counted on; the error wraps [ErrAudit].
func (r *Refusals) Flush(ctx context.Context, all bool) error {
	now := r.clock.Now()
	due := map[tallyKey]audit.Event{}
	t := &r.tallies
	t.mu.Lock()
	for key, known := range t.by {
		switch {
		case !all && now.Sub(known.recorded) < tallyFor:
		case known.count > 0:
			due[key] = known.last
			e := due[key]
			e.Alike = known.count
			due[key] = e
			known.recorded, known.count = now, 0
		default:
			delete(t.by, key)
		}
	}
	t.mu.Unlock()
	var failed error
	for key, e := range due {
		if err := r.record(ctx, e); err != nil {
			failed = errors.Join(failed, err)
			e.Alike++ // all of them are counted again
			t.restore(key, e)
		}
	}
	return failed
}

func (r *Refusals) record(ctx context.Context, e audit.Event) error {
	if err := r.auditor.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return nil
}
