package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"embedseal/adapters/httpload"
)

// crowd is how many callers there are in overload: enough that each request is
// sent when it is due.
const crowd = 512

// overload holds the product to half a core and offers it twice what it sustains
// there: what a server that refuses nobody answers to the same callers, as soon as they
// ask again. Fewer callers would get more of it, since each has more to himself of what
// a processor keeps at hand.
func (b *bench) overload(ctx context.Context) error {
	half := holdToHalfCore()
	defer half.free()
	b.say("\noverload: embedseal held to half a core by %s", half.how)
	most, err := b.sustained(ctx, half)
	if err != nil {
		return err
	}
	p, err := b.embedseal(ctx, nil, half.wrap)
	if err != nil {
		return err
	}
	defer p.stop()
	defer half.hold(p)()
	few, _, err := b.ask(ctx, p, httpload.Config{Connections: connections, Duration: 5 * time.Second})
	if err != nil {
		return err
	}
	calm, calmly, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: most.PerSecond / 4, Duration: 10 * time.Second})
	if err != nil {
		return err
	}
	anew, err := b.anew(ctx, p, most.PerSecond/4)
	if err != nil {
		return err
	}
	before := p.resident()
	peak, watched := watchMemory(p)
	flood, flooded, err := b.ask(ctx, p, httpload.Config{
		Connections: crowd, Rate: 2 * most.PerSecond, Duration: time.Duration(b.overloadSeconds * float64(time.Second)),
	})
	watched()
	if err != nil {
		return err
	}
	after, afterwards, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: most.PerSecond / 4, Duration: time.Second})
	if err != nil {
		return err
	}
	stayed, err := b.staying(ctx, p, most.PerSecond)
	if err != nil {
		return err
	}
	shedIn := flooded.RefusedIn.At(.99)
	b.keep("overload", map[string]any{
		"held_by": half.how, "most": most, "few": few, "calm": calm, "flood": flood, "after": after, "stayed": stayed, "codes": flooded.Codes,
		"unadvised": flooded.Unadvised, "refused_p99_us": shedIn.Microseconds(), "resident_mb": []float64{before, *peak, p.resident()},
	})
	b.say("sustains %.0f/s of %d callers (%.0f/s of %d)", most.PerSecond, crowd, few.PerSecond, connections)
	b.say("calm (a quarter of it): %s", calm.waits())
	b.say("offered %.0f/s for %g s: %.0f/s accepted; %s", flood.Offered, b.overloadSeconds, flood.PerSecond, flood.waits())
	b.say("%d refused %v in p99 %s; %d failed %s; %d never sent", flood.Refused, flooded.Codes, shedIn.Round(time.Microsecond), flood.Failed, flood.Error, flood.Unsent)
	b.say("the second after: %.0f/s of %.0f, %d refused; %s", after.PerSecond, after.Offered, after.Refused, after.waits())
	b.say("calm seconds that begin with new callers, as it does: p99 %s", anew.At(.99).Round(time.Microsecond))
	b.say("the second after %s of it, where the crowd stays: %.0f/s of %.0f, %d refused; %s",
		short, stayed.PerSecond, stayed.Offered, stayed.Refused, stayed.waits())
	b.say("memory %.1f, at most %.1f, then %.1f MB", before, *peak, p.resident())

	t := &b.table
	share := flood.PerSecond / most.PerSecond
	t.add("overload: accepted/s of what it sustains", "it answers what it can", fmt.Sprintf("%.2f", share), share > 0)
	shed := flooded.Codes["rate_limited"] + flooded.Codes["overloaded"]
	t.add("overload: sheds by 429/503 with Retry-After alone", "all", fmt.Sprintf("%d of %d refused; %d failed, %d never sent",
		shed-flooded.Unadvised, flood.Refused, flood.Failed, flood.Unsent), shed > 0 && shed == flood.Refused && flooded.Unadvised+flood.Failed+flood.Unsent == 0)
	slower, asDue := p99(&flooded.ServedIn, &calmly.ServedIn), p99(&flooded.AcceptedIn, &calmly.AcceptedIn)
	t.add("overload: p99 of the accepted / p99 when calm", "< 5", fmt.Sprintf("%.2f; %.2f from when they were due", slower, asDue), slower < 5)
	t.add("overload: memory at most / before", "does not grow (< 2)", fmt.Sprintf("%.2f (%.1f MB)", *peak/before, *peak), *peak < 2*before)
	recovered := p99(&afterwards.ServedIn, anew)
	t.add("overload: the second after, p99 / p99 of calm ones", "at once (< 2, none refused)",
		fmt.Sprintf("%.2f; %d refused; %.2f of the calm p99", recovered, after.Refused, p99(&afterwards.ServedIn, &calmly.ServedIn)),
		recovered < 2 && after.Refused+after.Failed == 0)
	return nil
}

// anew asks for five seconds that begin with new connections, as the second after an
// overload does: what those cost would be a tenth as much of ten seconds.
func (b *bench) anew(ctx context.Context, p *peer, rate float64) (*httpload.Histogram, error) {
	var all httpload.Histogram
	for range 5 {
		_, r, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: rate, Duration: time.Second})
		if err != nil {
			return nil, err
		}
		all.Add(&r.ServedIn)
	}
	return &all, nil
}

// short is how long an overload takes whose crowd stays.
const short = 5 * time.Second

// staying is the second after an overload whose callers keep their connections: the
// server has nothing then but how long requests wait to tell it that it is over.
func (b *bench) staying(ctx context.Context, p *peer, most float64) (turn, error) {
	var dialer net.Dialer
	for range crowd {
		conn, err := dialer.DialContext(ctx, "tcp", p.address)
		if err != nil {
			return turn{}, err
		}
		defer func() { _ = conn.Close() }()
	}
	if _, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: 2 * most, Duration: short}); err != nil {
		return turn{}, err
	}
	stayed, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: most / 4, Duration: time.Second})
	return stayed, err
}

// waits says how long those that were accepted took.
func (t *turn) waits() string {
	return fmt.Sprintf("p50 %.0f µs, p99 %.0f µs (%.0f and %.0f from when they were due, the generator late by p99 %.0f)",
		t.ServedP50, t.ServedP99, t.P50, t.P99, t.LateP99)
}

// p99 is a ratio.
func p99(of, than *httpload.Histogram) float64 { return float64(of.At(.99)) / float64(than.At(.99)) }

// sustained is what a server that refuses nobody answers to a crowd.
func (b *bench) sustained(ctx context.Context, half *halfCore) (turn, error) {
	p, err := b.embedseal(ctx, []string{"EMBEDSEAL_HTTP_MAX_WAIT=0s"}, half.wrap)
	if err != nil {
		return turn{}, err
	}
	defer p.stop()
	defer half.hold(p)()
	if _, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Duration: 2 * time.Second}); err != nil {
		return turn{}, err
	}
	most, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Duration: 5 * time.Second})
	return most, err
}

// watchMemory keeps the highest resident memory, until it is told to end.
func watchMemory(p *peer) (peak *float64, end func()) {
	peak = new(float64)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			*peak = max(*peak, p.resident())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	return peak, func() { close(stop); watching.Wait() }
}
