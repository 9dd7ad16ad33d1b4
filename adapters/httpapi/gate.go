package httpapi

import (
	"sync/atomic"
	"time"

	"embedseal/ports"
)

const (
	// Of each connection's requests one in gateSample is looked at while all is well.
	gateSample = 16
	// A queue is standing when the requests that waited too long are gateScore more
	// than those that did not, and have been more for gateStanding without waiting
	// less and less: a burst, or a pause of the process, is neither (but see gateWary).
	// Not every request is late in such a queue, since the kernel does not hand out
	// connections in turn.
	gateScore    = 8
	gateStanding = 60 * time.Millisecond
	// Fewer connections than gateCrowd are no overload, however late their requests
	// are: what they can ask for at once is answered in two or three milliseconds, so
	// that it is others who use the processor, and refusing would help nobody.
	gateCrowd = 64

	// In overload a request is served if it has waited no longer than 1/gateShort of
	// what is too long.
	gateShort = 20
	// It is over when nobody asked for gateIdle and the next gateSure waited no longer than
	// 1/gateEasy of it, since others may lie unread before the first; or after a window in
	// which fewer than one in gateFew waited longer than that, or in which more than half
	// found the server idle: they waited no longer than 1/gateFresh of it. Who is refused
	// for little keeps no overload going, nor do pauses of a process that has time otherwise.
	// After gateIdle the window is a short one. With fewer connections than half of gateCrowd
	// it is over in any case: with one fewer, callers that come and go would end it each time.
	//
	// After a window in which none was served, because refusing alone takes up the processor,
	// one in gateSpare is served in the next, so that something is done: in every other
	// window, then.
	gateEasy   = 10
	gateFresh  = 100
	gateIdle   = 10 * time.Millisecond
	gateSure   = 16
	gateWindow = 100 * time.Millisecond
	// gateShortWindow is a fourth of it.
	gateShortWindow = gateWindow / 4
	gateFew         = 8
	gateSpare       = 64
	// For gateWary after its end the next begins with gateScore late requests: a pause of
	// the process looks like the end of an overload, and what is served before the next is
	// seen is served late. One that began so and was over sooner makes nobody wary again.
	gateWary = time.Second
)

// gate refuses requests while more is asked than can be answered, so that those it
// lets pass are answered in time. It knows how long a request lay unread in the
// kernel, which is where the queue of an overloaded server is: see
// docs/adr/0041-overload.md.
type gate struct {
	most  time.Duration
	clock ports.Clock
	// waits is how long every request waited, for tests.
	waits func(now int64) (wait time.Duration, known bool)

	// open is how many connections there are.
	open atomic.Int64

	// While all is well: score is how many more were late; least is the shortest that one
	// of those waited, and since is when that was; late is when the last of them was. All
	// times are nanoseconds since 1970.
	score, since, least, late atomic.Int64

	// shedding says that there is an overload, and last is when a request came to the gate
	// in it.
	shedding atomic.Bool
	last     atomic.Int64
	// window is when it ends; seen is how many requests came in it, shed how many of them
	// were refused, slow how many waited longer than is easy, and fresh how many found the
	// server idle. starved says that none was served in the last one.
	window, seen, shed, slow, fresh atomic.Int64
	starved                         atomic.Bool
	// sure is how many in a row were in time since nobody asked for a while. ended is when
	// the last overload did, began when this one did, and again that it was for being wary.
	sure, ended, began atomic.Int64
	again              atomic.Bool

	allowed, refused atomic.Uint64
}

// newGate returns nil, which lets everything pass, for a wait of 0.
func newGate(most time.Duration, clock ports.Clock) *gate {
	if most <= 0 {
		return nil
	}
	return &gate{most: most, clock: clock}
}

// crowded says whether there are callers enough for an overload.
func (g *gate) crowded() bool { return g.open.Load() >= gateCrowd }

// left counts a connection that is closed. An overload ends with its crowd, so that
// another crowd is not judged by it.
func (g *gate) left() {
	g.open.Add(-1)
	g.disperse()
}

// disperse ends an overload whose crowd has gone.
func (g *gate) disperse() {
	if g.shedding.Load() && g.open.Load() < gateCrowd/2 {
		g.end(g.clock.Now().UnixNano())
	}
}

// asks says whether it matters how long a request waited, the nth of its connection.
func (g *gate) asks(nth uint64) bool {
	return g.crowded() && (nth%gateSample == 0 || g.shedding.Load())
}

// admits says whether a request is served, the nth of its connection. waited says how
// long it waited until now, where that is known.
func (g *gate) admits(nth uint64, waited func(now int64) (wait time.Duration, known bool)) bool {
	if !g.asks(nth) {
		return true
	}
	now := g.clock.Now().UnixNano()
	wait, known := waited(now)
	if !known || !g.shedding.Load() && !g.standing(now, wait) {
		return true
	}
	return g.chooses(now, wait)
}

// standing counts a request while there is no overload, and says whether one has
// begun.
func (g *gate) standing(now int64, wait time.Duration) bool {
	if wait <= g.most {
		if g.score.Load() > 0 { // two at once may take it below zero: no harm
			g.score.Add(-1)
		}
		return false
	}
	if before := g.late.Swap(now); !ahead(now, before+int64(gateWindow)) { // those were another burst
		g.score.Store(0)
	}
	score := g.score.Add(1)
	if score <= 1 || int64(wait) < g.least.Load() || now < g.since.Load() {
		g.since.Store(now)
		g.least.Store(int64(wait))
	}
	wary := now >= g.ended.Load() && now-g.ended.Load() < int64(gateWary)
	if score < gateScore || !wary && now-g.since.Load() < int64(gateStanding) {
		return false
	}
	g.begin(now, wary)
	return true
}

// begin begins an overload, for being wary or not.
func (g *gate) begin(now int64, wary bool) {
	g.score.Store(0)
	g.starved.Store(false)
	g.sure.Store(0)
	g.began.Store(now)
	g.again.Store(wary)
	g.last.Store(now)
	g.begins(now, gateWindow)
	g.shedding.Store(true)
	g.disperse() // it may have gone meanwhile
}

// chooses says whether a request is served in overload.
func (g *gate) chooses(now int64, wait time.Duration) bool {
	last, short, easy := g.last.Load(), wait <= g.most/gateShort, wait <= g.most/gateEasy
	if now > last {
		g.last.Store(now)
	}
	g.turn(now)
	if g.calm(now, easy, now-int64(wait)-last > int64(gateIdle)) {
		g.end(now)
	}
	if !g.shedding.Load() {
		return true
	}
	seen := g.seen.Add(1)
	switch {
	case !easy:
		g.slow.Add(1)
	case wait <= g.most/gateFresh:
		g.fresh.Add(1)
	}
	if !short && (seen%gateSpare != 0 || !g.starved.Load()) {
		g.shed.Add(1)
		g.refused.Add(1)
		return false
	}
	g.allowed.Add(1)
	return true
}

// calm counts a request, which nobody may have asked for gateIdle before, and says whether
// the overload is over. With the first of a row the window begins anew, and is a short one:
// what came before says little of what comes now.
func (g *gate) calm(now int64, easy, idle bool) bool {
	switch {
	case !easy:
		g.sure.Store(0)
		return false
	case g.sure.Load() > 0:
	case !idle:
		return false
	default:
		g.begins(now, gateShortWindow)
	}
	return g.sure.Add(1) >= gateSure
}

// begins begins a window.
func (g *gate) begins(now int64, long time.Duration) {
	g.seen.Store(0)
	g.shed.Store(0)
	g.slow.Store(0)
	g.fresh.Store(0)
	g.window.Store(now + int64(long))
}

// turn ends the window when it is time, and the overload with it when it is over.
func (g *gate) turn(now int64) {
	end := g.window.Load()
	if ahead(now, end) || !g.window.CompareAndSwap(end, now+int64(gateWindow)) {
		return
	}
	seen, shed, slow, fresh := g.seen.Swap(0), g.shed.Swap(0), g.slow.Swap(0), g.fresh.Swap(0)
	g.starved.Store(shed == seen)
	if slow*gateFew < seen || fresh*2 > seen {
		g.end(now)
	}
}

// end ends it, and makes wary unless that is what it was, and short.
func (g *gate) end(now int64) {
	if began := g.began.Load(); !g.again.Load() || now-began >= int64(gateWary) {
		g.ended.Store(now)
	}
	g.shedding.Store(false)
}

// ahead says that a time is still to come. One that is further away than any is ever
// set, even by who read the clock a while ago, is of before the clock was set back.
func ahead(now, at int64) bool { return now < at && at-now <= int64(2*gateWindow) }
