package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

// Freshness says how old a copy of what was revoked may be. The zero value is for a
// store that no other process writes to: a copy of that is never old.
type Freshness struct {
	// Shared says that other processes write to the store.
	Shared bool
	// FreshFor is how long a copy is used without asking, and Grace how much longer
	// while the store does not answer.
	FreshFor, Grace time.Duration
}

const (
	// refreshWithin bounds one step of a refresh, and loadWithin how long a request
	// waits for all of them: a log may have many steps.
	refreshWithin, loadWithin = 2 * time.Second, 4 * time.Second
	// askAgain is how often a store that does not answer is asked again, and
	// awayFor how long it counts as away after that: no request waits for it then.
	askAgain = time.Second
	awayFor  = askAgain + refreshWithin + askAgain/10
	// tidyEvery is how often entries that have died are removed from a copy.
	tidyEvery = time.Hour
)

var _ Revocations = (*Revoked)(nil)

// Revoked keeps a copy of the revocations of each group that is asked for, so that
// no token costs a question to the store. What this process revokes counts at once;
// what others do, as soon as the copy was refreshed: within FreshFor while the store
// answers. While it does not, the last copy counts for Grace longer, and then nothing
// is known and nothing is verified.
type Revoked struct {
	store ports.RevocationStore
	cfg   Freshness
	clock ports.Clock

	mu     sync.RWMutex
	copies map[group.ID]*replica
}

// replica is the copy of one group's log.
type replica struct {
	mu sync.RWMutex
	// known says that set has every entry up to at, as of asked. Until then set is what
	// was read so far of a log that takes more than one try.
	known bool
	set   *revocation.Set
	at    revocation.Cursor
	asked time.Time
	// ahead are entries of this process that set may not have yet.
	ahead []learnt
	// doubted says that the copy may lack something whatever its age is; it does until
	// a refresh ended that began in a later turn than doubt. Each begins a turn.
	doubted     bool
	turn, doubt uint64
	// away says that the last question went unanswered, at tried.
	away  bool
	tried time.Time
	// tidied is when what has died was last removed.
	tidied time.Time
	flight *refresh
}

// learnt is an entry that this process wrote.
type learnt struct {
	entry revocation.Entry
	end   revocation.Cursor
	turn  uint64
}

// refresh is a question under way.
type refresh struct {
	turn uint64
	done chan struct{}
	err  error
}

// NewRevoked returns a Revoked that has read nothing yet.
func NewRevoked(store ports.RevocationStore, cfg Freshness, clock ports.Clock) *Revoked {
	return &Revoked{store: store, cfg: cfg, clock: clock, copies: make(map[group.ID]*replica)}
}

// Revoked implements [Revocations].
func (r *Revoked) Revoked(ctx context.Context, g group.ID, f token.Fingerprint, c token.Claims, id key.ID) (bool, error) {
	copied, err := r.usable(ctx, g)
	if err != nil {
		return false, err
	}
	copied.mu.RLock()
	defer copied.mu.RUnlock()
	if _, revoked := copied.set.Revoked(f, c, id); revoked {
		return true, nil
	}
	return slices.ContainsFunc(copied.ahead, func(l learnt) bool { return l.entry.Covers(f, c, id) }), nil
}

// usable is the copy of a group that may be asked now.
func (r *Revoked) usable(ctx context.Context, g group.ID) (*replica, error) {
	copied, now := r.of(g), r.clock.Now()
	copied.mu.RLock()
	ready, due := r.judge(copied, now)
	copied.mu.RUnlock()
	if due {
		copied.mu.Lock()
		if _, due := r.judge(copied, now); due {
			r.begin(g, copied)
		}
		copied.mu.Unlock()
	}
	if ready {
		return copied, nil
	}
	err := r.wait(ctx, g, copied)
	if err == nil {
		return copied, nil
	}
	if !unanswered(err) {
		return nil, err
	}
	copied.mu.RLock()
	defer copied.mu.RUnlock()
	if r.cfg.Shared && copied.known && now.Sub(copied.asked) < r.cfg.FreshFor+r.cfg.Grace {
		return copied, nil
	}
	return nil, err
}

// judge says whether the copy may be used without waiting, and whether it is to be
// refreshed. Its lock is held.
func (r *Revoked) judge(c *replica, now time.Time) (ready, due bool) {
	age := now.Sub(c.asked)
	switch {
	case !c.known:
		return false, false
	case !r.cfg.Shared:
		return !c.doubted, false
	case age < r.cfg.FreshFor && !c.doubted:
		return true, age >= r.cfg.FreshFor/2 && (!c.away || now.Sub(c.tried) >= askAgain)
	case age < r.cfg.FreshFor+r.cfg.Grace && c.away && now.Sub(c.tried) < awayFor:
		// Asked for in vain a moment ago: nobody waits for the next try.
		return true, now.Sub(c.tried) >= askAgain
	}
	return false, false
}

// wait refreshes the copy, or waits for a refresh that began late enough.
func (r *Revoked) wait(ctx context.Context, g group.ID, c *replica) error {
	patience, cancel := context.WithTimeout(ctx, loadWithin)
	defer cancel()
	for {
		c.mu.Lock()
		if ready, _ := r.judge(c, r.clock.Now()); ready {
			c.mu.Unlock()
			return nil
		}
		f := r.begin(g, c)
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-patience.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("read the revocations of %s: %w: they take long to read", g, ports.ErrUnavailable)
		}
		if f.err != nil {
			return f.err
		}
		c.mu.RLock()
		settled := c.known && !c.doubted
		c.mu.RUnlock()
		if settled {
			return nil
		}
	}
}

// of is the copy of a group. Where it is a new one, those that are of no use any more
// go.
func (r *Revoked) of(g group.ID) *replica {
	r.mu.RLock()
	c := r.copies[g]
	r.mu.RUnlock()
	if c != nil {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.copies[g]; c != nil {
		return c
	}
	now := r.clock.Now()
	for id, old := range r.copies {
		old.mu.RLock()
		useless := r.cfg.Shared && old.flight == nil && len(old.ahead) == 0 && now.Sub(old.asked) >= r.cfg.FreshFor+r.cfg.Grace
		old.mu.RUnlock()
		if useless {
			delete(r.copies, id)
		}
	}
	c = &replica{set: &revocation.Set{}}
	r.copies[g] = c
	return c
}

// begin asks the store, unless that is being done. The copy's lock is held. The
// question is nobody's: one caller who gives up does not end it for the others.
func (r *Revoked) begin(g group.ID, c *replica) *refresh {
	if c.flight != nil {
		return c.flight
	}
	c.turn++
	f := &refresh{turn: c.turn, done: make(chan struct{})}
	c.flight = f
	since := c.at
	go func() {
		defer close(f.done)
		n, err := r.read(g, since)
		f.err = err
		c.land(f, n, r.clock.Now())
	}()
	return f
}

// news is what a refresh has read.
type news struct {
	// anew is a whole set in place of the one before; nil when there are entries to
	// add to that.
	anew    *revocation.Set
	entries []revocation.Entry
	next    revocation.Cursor
	asked   time.Time
}

// read reads what came after a cursor. Each step sees the log as it is then, so that
// the last one tells how old the answer is. With an error comes what was read until
// then.
func (r *Revoked) read(g group.ID, since revocation.Cursor) (news, error) {
	var n news
	for {
		n.asked = r.clock.Now()
		ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
		changes, err := r.store.Changes(ctx, g, since)
		cancel()
		if err != nil {
			return n, fmt.Errorf("read the revocations of %s: %w", g, err)
		}
		if changes.Anew {
			n.anew, n.entries = &revocation.Set{}, nil
		}
		if n.anew != nil {
			n.anew.Add(changes.Entries...)
		} else {
			n.entries = append(n.entries, changes.Entries...)
		}
		since, n.next = changes.Next, changes.Next
		if !changes.More {
			return n, nil
		}
	}
}

// unanswered says that the store told nothing.
func unanswered(err error) bool {
	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded)
}

// land takes over what a refresh has read.
func (c *replica) land(f *refresh, n news, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	switch {
	case f.err != nil && unanswered(f.err):
		c.away, c.tried = true, now
		if !c.known && (n.next != revocation.Cursor{}) { // the next one goes on from there
			c.take(n)
		}
		return
	case f.err != nil: // what is there cannot be read: nothing is known
		c.known, c.away = false, false
		c.set, c.at = &revocation.Set{}, revocation.Cursor{}
		return
	}
	c.take(n)
	c.known, c.asked, c.away = true, n.asked, false
	if f.turn > c.doubt {
		c.doubted = false
	}
	c.ahead = slices.DeleteFunc(c.ahead, func(l learnt) bool {
		return l.turn < f.turn || l.end.Log == c.at.Log && l.end.Seq <= c.at.Seq
	})
	c.drain()
	c.tidy(now)
}

// tidy removes what has died, now and then. The lock is held.
func (c *replica) tidy(now time.Time) {
	if now.Sub(c.tidied) < tidyEvery {
		return
	}
	c.tidied = now
	if c.set.Dead(now) > c.set.Len()/4 {
		c.set = c.set.Living(now)
	}
}

// take adds what was read to the set.
func (c *replica) take(n news) {
	if n.anew != nil {
		c.set = n.anew
	} else {
		c.set.Add(n.entries...)
	}
	c.at = n.next
}

// drain moves entries that follow on what is known into the set.
func (c *replica) drain() {
	for moved := true; moved; {
		moved = false
		for i, l := range c.ahead {
			if (l.end.Log == c.at.Log || c.at == revocation.Cursor{}) && l.end.Seq == c.at.Seq+1 {
				c.set.Add(l.entry)
				c.at = l.end
				c.ahead = slices.Delete(c.ahead, i, i+1)
				moved = true
				break
			}
		}
	}
}

// learn takes over an entry that this process has written, and that ended the log.
// While a refresh is under way it stays beside the set: what that read may be the
// log of before.
func (r *Revoked) learn(g group.ID, e revocation.Entry, end revocation.Cursor) {
	c := r.of(g)
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Seq = end.Seq
	c.ahead = append(c.ahead, learnt{e, end, c.turn})
	if c.known && c.flight == nil {
		c.drain()
		c.tidy(r.clock.Now()) // a copy that is read once is refreshed by nothing else
	}
}

// suspect says that the copy may lack an entry.
func (r *Revoked) suspect(g group.ID) {
	c := r.of(g)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubted, c.doubt = true, c.turn
}

// Forget drops the copy of a group that was made anew, or is gone.
func (r *Revoked) Forget(g group.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.copies, g)
}

// current is the copy as the store has it now. Nobody who verifies waits for that.
func (r *Revoked) current(ctx context.Context, g group.ID) (*replica, error) {
	c := r.of(g)
	c.mu.RLock()
	// What is under way may have been answered before.
	begun, ready := c.turn, !r.cfg.Shared && c.known && !c.doubted
	c.mu.RUnlock()
	for !ready {
		c.mu.Lock()
		f := r.begin(g, c)
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if f.err != nil {
			return nil, f.err
		}
		c.mu.RLock()
		ready = f.turn > begun || !r.cfg.Shared && c.known && !c.doubted
		c.mu.RUnlock()
	}
	return c, nil
}

// Held is what is known of the revocations of one group.
type Held struct {
	Group group.ID
	// Entries is how many there are, Asked when the store last said so.
	Entries int
	Asked   time.Time
}

// Held tells what is known of each group whose copy is used.
func (r *Revoked) Held() []Held {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []Held
	for id, c := range r.copies {
		c.mu.RLock()
		if c.known {
			all = append(all, Held{Group: id, Entries: c.set.Len() + len(c.ahead), Asked: c.asked})
		}
		c.mu.RUnlock()
	}
	return all
}
