package httpapi

import (
	"sync/atomic"
	"syscall"
	"time"

	"embedseal/ports"
)

const (
	// Of each connection's requests one in gateSample is looked at while all is well.
	gateSample = 16
	// A queue is standing when the requests that waited too long are gateScore more
	// than those that did not, and have been more for gateStanding at least: a burst,
	// or a pause of the process, is neither. Not every request is late in such a
	// queue, since the kernel does not hand out connections in turn.
	gateScore    = 8
	gateStanding = 100 * time.Millisecond
	// Fewer connections than gateCrowd are no overload, however late their requests
	// are: what they can ask for at once is answered in two or three milliseconds, so
	// that it is others who use the processor, and refusing would help nobody.
	gateCrowd = 64
	// gateHold is how long after the last window with late requests the overload is
	// over.
	gateHold = time.Second

	// In overload a share of those in time is served, which is found anew in each window:
	// less while more than a tenth are late, a little more otherwise, and then all that
	// found no queue. Where there was none in time, because refusing alone takes up the
	// processor, one in gateSpare late requests is served, so that something is done.
	// Of those that are refused in any case one in gateAsked is looked at, and the
	// first of a window.
	gateSpare  = 64
	gateAsked  = 8
	gateWindow = 20 * time.Millisecond
	gateQueue  = 2 * time.Millisecond
	gateAll    = 256 // the share, in 256ths
	gateLeast  = 16
	gateStep   = 8
)

// gate refuses requests while more is asked than can be answered, so that those it
// lets pass are answered in time. It knows how long a request lay unread in the
// kernel, which is where the queue of an overloaded server is: see
// docs/adr/0041-overload.md.
type gate struct {
	most  time.Duration
	clock ports.Clock
	// on makes what asks how long the request at hand waited on a connection.
	on func(syscall.RawConn) func() (wait time.Duration, known bool)

	// open is how many connections there are.
	open atomic.Int64
	// score is how many more were late, and since is when it left zero; until is the
	// end of the overload, 0 without one. Times are nanoseconds since 1970.
	score, since, until atomic.Int64
	share               atomic.Int64
	// easing says that few were late in the last window, starved that none was served
	// in time.
	easing, starved atomic.Bool
	// window is when it ends; seen, late and served are the requests in it, the last
	// without those that were late.
	window, seen, late, served atomic.Int64
	nth                        atomic.Uint64
	allowed, refused           atomic.Uint64
}

// newGate returns nil, which lets everything pass, for a wait of 0.
func newGate(most time.Duration, clock ports.Clock) *gate {
	if most <= 0 {
		return nil
	}
	g := &gate{most: most, clock: clock, on: waitedOn}
	g.share.Store(gateAll)
	return g
}

// overloaded says whether requests are refused now.
func (g *gate) overloaded() bool { return g.until.Load() != 0 && g.crowded() }

// crowded says whether there are callers enough for an overload.
func (g *gate) crowded() bool { return g.open.Load() >= gateCrowd }

// admits says whether a request is served. nth is its number on its connection,
// and waited asks how long it waited, which costs a system call.
func (g *gate) admits(nth uint, waited func() (wait time.Duration, known bool)) bool {
	if g.overloaded() {
		return g.chooses(waited)
	}
	if nth%gateSample != 0 || !g.crowded() {
		return true
	}
	wait, known := waited()
	return !known || !g.standing(g.clock.Now().UnixNano(), wait > g.most) || g.chooses(waited)
}

// chooses says whether a request is served in overload.
func (g *gate) chooses(waited func() (wait time.Duration, known bool)) bool {
	nr := g.nth.Add(1)
	chosen := int64(nr*0x9E3779B97F4A7C15>>56) < g.share.Load() // evenly spread
	easing, now := g.easing.Load(), g.clock.Now().UnixNano()
	if !chosen && !easing && nr%gateAsked != 0 && ahead(now, g.window.Load()) {
		g.refused.Add(1)
		return false
	}
	wait, known := waited()
	late := known && wait > g.most
	g.look(now, late)
	switch {
	case late:
		chosen = g.starved.Load() && nr%gateSpare == 0
	case easing && wait < gateQueue:
		chosen = true
	}
	if !chosen {
		g.refused.Add(1)
		return false
	}
	g.allowed.Add(1)
	if !late {
		g.served.Add(1)
	}
	return true
}

// standing counts a request while there is no overload, and says whether one has
// begun.
func (g *gate) standing(now int64, late bool) bool {
	if !late {
		if g.score.Load() > 0 { // two at once may take it below zero: no harm
			g.score.Add(-1)
		}
		return false
	}
	score := g.score.Add(1)
	if score <= 1 || now < g.since.Load() {
		g.since.Store(now)
	}
	if score < gateScore || now-g.since.Load() < int64(gateStanding) {
		return false
	}
	g.score.Store(0)
	g.easing.Store(false)
	g.starved.Store(true)
	g.until.Store(now + int64(gateHold))
	return true
}

// look counts a request in overload, and at the end of a window finds the share for
// the next.
func (g *gate) look(now int64, late bool) {
	g.seen.Add(1)
	if late {
		g.late.Add(1)
	}
	end := g.window.Load()
	if ahead(now, end) || !g.window.CompareAndSwap(end, now+int64(gateWindow)) {
		return
	}
	seen, were, share := g.seen.Swap(0), g.late.Swap(0), g.share.Load()
	g.easing.Store(were*10 <= seen)
	g.starved.Store(g.served.Swap(0) == 0)
	if were*10 > seen {
		g.share.Store(max(share*3/4, gateLeast))
		g.until.Store(now + int64(gateHold))
		return
	}
	g.share.Store(min(share+gateStep, gateAll))
	if share == gateAll && !ahead(now, g.until.Load()) {
		g.until.Store(0)
	}
}

// ahead says that a time is still to come. One that is further away than any is ever
// set, even by who read the clock a while ago, is of before the clock was set back.
func ahead(now, at int64) bool { return now < at && at-now <= int64(2*gateHold) }
