package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/ports"
)

// flushEvery is how much time lies between two writes of last uses to one group.
const flushEvery = time.Hour

// LastUse remembers when each API token was last used, to the hour, and writes it
// to the groups seldom: no request waits for it, and none costs a write. What was
// not written when the process is killed is lost, an hour at most.
type LastUse struct {
	groups ports.GroupStore
	clock  ports.Clock

	mu sync.RWMutex
	// seen has the tokens that were used since they were last written, and those of
	// this hour.
	seen map[use]seen
	// flushed is when each group was last written.
	flushed map[group.ID]time.Time
	// readOnly says that the backend takes no writes of this process.
	readOnly bool
}

type use struct {
	group group.ID
	token string
}

type seen struct {
	hour    time.Time
	written bool
}

// NewLastUse returns a LastUse that knows of no use.
func NewLastUse(groups ports.GroupStore, clock ports.Clock) *LastUse {
	return &LastUse{groups: groups, clock: clock, seen: make(map[use]seen), flushed: make(map[group.ID]time.Time)}
}

// note remembers a use of a token, at now. It is called for every request.
func (l *LastUse) note(id group.ID, t *apitoken.Token, now time.Time) {
	hour := apitoken.HourOf(now)
	if !hour.After(t.LastUsedAt) {
		return
	}
	of := use{id, t.ID}
	l.mu.RLock()
	known := l.seen[of].hour
	l.mu.RUnlock()
	if !hour.After(known) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if hour.After(l.seen[of].hour) {
		l.seen[of] = seen{hour: hour}
	}
}

// of is the hour of the last use that this process knows of; zero when there is
// none.
func (l *LastUse) of(id group.ID, token string) time.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.seen[use{id, token}].hour
}

// Flush writes what was not written yet, in one update for each group, except to
// groups that were written less than an hour ago. Where this process may not write
// it does nothing, for good. What cannot be written now stays for the next time.
func (l *LastUse) Flush(ctx context.Context) error { return l.flush(ctx, false) }

// Close writes all that was not written yet: nobody notes a use any more.
func (l *LastUse) Close(ctx context.Context) error { return l.flush(ctx, true) }

func (l *LastUse) flush(ctx context.Context, all bool) error {
	var failed []error
	for id, uses := range l.due(all) {
		err := l.write(ctx, id, uses)
		switch {
		case errors.Is(err, ports.ErrReadOnly):
			l.mu.Lock()
			l.readOnly = true
			l.mu.Unlock()
			return nil
		case errors.Is(err, ports.ErrNotFound): // a deleted group has no tokens to write
		case err != nil:
			failed = append(failed, fmt.Errorf("write the last uses in group %s: %w", id, err))
			if errors.Is(err, ports.ErrUnavailable) { // to the other groups, too
				return errors.Join(failed...)
			}
			continue
		}
		l.done(id, uses)
	}
	return errors.Join(failed...)
}

// due is what is to be written now, and forgets what needs no remembering.
func (l *LastUse) due(all bool) map[group.ID]map[string]time.Time {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	hour := apitoken.HourOf(now)
	due := make(map[group.ID]map[string]time.Time)
	for of, s := range l.seen {
		if s.written || l.readOnly {
			if s.written && s.hour.Before(hour) {
				delete(l.seen, of) // the record has it
			}
			continue
		}
		if last, before := l.flushed[of.group]; before && !all && now.Sub(last) < flushEvery {
			continue
		}
		if due[of.group] == nil {
			due[of.group] = make(map[string]time.Time)
		}
		due[of.group][of.token] = s.hour
	}
	for id, last := range l.flushed {
		if now.Sub(last) >= flushEvery {
			delete(l.flushed, id)
		}
	}
	return due
}

// errNothingNew ends an update that would write what is written.
var errNothingNew = errors.New("every use is known")

// write is one update. Other processes write to the group as well: the later use
// counts.
func (l *LastUse) write(ctx context.Context, id group.ID, uses map[string]time.Time) error {
	err := l.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
		news := false
		g.Tokens = slices.Clone(g.Tokens)
		for i := range g.Tokens {
			var changed bool
			g.Tokens[i], changed = g.Tokens[i].UsedAt(uses[g.Tokens[i].ID])
			news = news || changed
		}
		if !news {
			return g, errNothingNew
		}
		return g, nil
	})
	if errors.Is(err, errNothingNew) {
		return nil
	}
	return err
}

// done remembers that uses are written. A use since then stays.
func (l *LastUse) done(id group.ID, uses map[string]time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed[id] = l.clock.Now()
	for token, hour := range uses {
		of := use{id, token}
		if s := l.seen[of]; s.hour.Equal(hour) {
			s.written = true
			l.seen[of] = s
		}
	}
}
