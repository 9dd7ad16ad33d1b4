package httpapi

import (
	"net"
	"testing"
	"time"
)

// hand is a clock that is set.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

// shedding is a gate in an overload that began a moment ago.
func shedding(t *testing.T) (*gate, *hand) {
	t.Helper()
	clock := &hand{time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	g := newGate(10*time.Millisecond, clock)
	g.open.Store(gateCrowd)
	for range 100 {
		ask(g, clock, time.Millisecond, 50*time.Millisecond)
	}
	if !g.shedding.Load() {
		t.Fatal("there is no overload")
	}
	return g, clock
}

// ask is a request that comes to the gate so long after the last, and has waited so long.
func ask(g *gate, clock *hand, after, wait time.Duration) {
	clock.now = clock.now.Add(after)
	g.admits(gateSample, func(int64) (time.Duration, bool) { return wait, true })
}

// A server that is hardly asked is in no overload, however its few requests are spaced.
func TestAnOverloadEndsOnAnIdleServerHoweverFewAsk(t *testing.T) {
	for _, milliseconds := range []int{1, 9, 11, 12, 15, 20, 24, 26, 40, 99, 101, 1000} {
		gap := time.Duration(milliseconds) * time.Millisecond
		for _, late := range []int{3, 10, 15, 16, 17} { // each of so many waits
			g, clock := shedding(t)
			began, asked := clock.now, 0
			for ; g.shedding.Load() && asked < 5000; asked++ {
				wait := 50 * time.Microsecond
				if asked%late == late-1 {
					wait = 1500 * time.Microsecond
				}
				ask(g, clock, gap, wait)
			}
			if took := clock.now.Sub(began); asked == 5000 || took > max(250*time.Millisecond, 4*gap) {
				t.Errorf("every %s, and one in %d late: after %d requests, %s, it is over: %t", gap, late, asked, took, !g.shedding.Load())
			}
		}
	}
}

// After a while in which nobody asked a short window is enough, and otherwise a whole one.
func TestAfterAWhileWithoutRequestsAnOverloadIsJudgedSooner(t *testing.T) {
	for idle, want := range map[time.Duration][2]time.Duration{
		time.Millisecond:      {gateShortWindow + time.Millisecond, 2*gateWindow + time.Millisecond},
		12 * time.Millisecond: {0, gateShortWindow + time.Millisecond},
	} {
		g, clock := shedding(t)
		ask(g, clock, idle, 0)
		began := clock.now
		for i := 0; g.shedding.Load() && i < 1000; i++ {
			wait := time.Duration(0)
			if i%4 == 3 { // too many for sixteen in a row, and for one in eight
				wait = 5 * time.Millisecond
			}
			ask(g, clock, time.Millisecond, wait)
		}
		if took := clock.now.Sub(began); took < want[0] || took > want[1] {
			t.Errorf("after %s without requests it took %s, want %s to %s", idle, took, want[0], want[1])
		}
	}
}

// Whoever asks seldom does not end one in which most wait.
func TestAShortWindowEndsNoOverloadInWhichMostWait(t *testing.T) {
	g, clock := shedding(t)
	for range 20 { // a pause of the process each time, and then those that came in it
		ask(g, clock, 12*time.Millisecond, 0)
		for range 100 {
			ask(g, clock, 300*time.Microsecond, 8*time.Millisecond)
		}
		if !g.shedding.Load() {
			t.Fatal("it is over")
		}
	}
}

// Another crowd is not judged by the overload of one that has gone.
func TestAnOverloadEndsWithItsCrowd(t *testing.T) {
	g, clock := shedding(t)
	for range gateCrowd / 2 {
		g.left()
	}
	if !g.shedding.Load() {
		t.Fatal("it is over while half of the crowd is there")
	}
	g.left()
	if g.shedding.Load() {
		t.Fatal("it goes on without a crowd")
	}
	g.open.Store(gateCrowd)
	if !g.admits(gateSample, func(int64) (time.Duration, bool) { return g.most / 2, true }) {
		t.Error("one of another crowd is refused that is not late")
	}
	for i := 0; !g.shedding.Load(); i++ { // it is wary still
		if ask(g, clock, time.Millisecond, 50*time.Millisecond); i > gateScore {
			t.Fatal("another overload is seen no sooner than the first")
		}
	}
}

// Callers who come and go, so that there is no crowd for a moment, end none.
func TestAnOverloadOutlivesAMomentWithoutACrowd(t *testing.T) {
	g, clock := shedding(t)
	served := 0
	for range 1000 {
		g.left()
		g.open.Add(1)
		clock.now = clock.now.Add(5 * time.Millisecond)
		if g.admits(gateSample, func(int64) (time.Duration, bool) { return 20 * time.Millisecond, true }) {
			served++
		}
	}
	if served > 1000/gateSpare {
		t.Errorf("%d of 1000 that waited too long are served", served)
	}
}

// What leaves while there is no overload makes nobody wary, and a crowd that leaves at the
// moment in which one begins ends it.
func TestACrowdThatLeaves(t *testing.T) {
	g, clock := shedding(t)
	g.open.Store(0)
	g.disperse()
	ended := g.ended.Load()
	clock.now = clock.now.Add(2 * gateWary)
	g.open.Store(gateCrowd / 2)
	if g.left(); g.ended.Load() != ended {
		t.Error("an overload ended that was over")
	}
	if g.begin(clock.now.UnixNano(), false); g.shedding.Load() {
		t.Error("one began whose crowd had gone")
	}
}

// net/http may close a connection more than once.
func TestAConnectionThatIsClosedTwiceIsCountedOnce(t *testing.T) {
	g := newGate(time.Millisecond, &hand{})
	g.open.Store(2)
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	c := &gateConn{Conn: near, gate: g}
	for range 2 {
		_ = c.Close()
	}
	if open := g.open.Load(); open != 1 {
		t.Errorf("%d are open, want 1", open)
	}
}
