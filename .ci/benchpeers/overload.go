package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
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
	seconds, anew, err := b.anew(ctx, p, most.PerSecond/4)
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
	then := p.resident()
	stayed, err := b.staying(ctx, p, most.PerSecond)
	if err != nil {
		return err
	}
	shedIn := flooded.RefusedIn.At(.99)
	b.keep("overload", map[string]any{
		"held_by": half.how, "most": most, "few": few, "calm": calm, "flood": flood, "after": after, "anew": seconds, "stayed": stayed, "codes": flooded.Codes,
		"unadvised": flooded.Unadvised, "refused_p99_us": shedIn.Microseconds(), "resident_mb": []float64{before, *peak, then},
	})
	b.say("sustains %.0f/s of %d callers (%.0f/s of %d)", most.PerSecond, crowd, few.PerSecond, connections)
	b.say("calm (a quarter of it): %s", calm.waits())
	b.say("offered %.0f/s for %g s: %.0f/s accepted; %s", flood.Offered, b.overloadSeconds, flood.PerSecond, flood.waits())
	b.say("%d refused %v in p99 %s; %d failed %s; %d never sent", flood.Refused, flooded.Codes, shedIn.Round(time.Microsecond), flood.Failed, flood.Error, flood.Unsent)
	b.say("the second after: %.0f/s of %.0f, %d refused; %s", after.PerSecond, after.Offered, after.Refused, after.waits())
	b.say("a calm second that begins with new callers, as it does: p99 %.0f µs, the median of five", anew)
	b.say("the second after %s of it, where a crowd stays: %.0f/s of %.0f, %d refused; %s",
		stayingFlood, stayed.PerSecond, stayed.Offered, stayed.Refused, stayed.waits())
	b.say("memory %.1f, at most %.1f, then %.1f MB", before, *peak, then)

	t := &b.table
	share := flood.PerSecond / most.PerSecond
	t.add("overload: accepted/s of what it sustains", "it answers what it can", fmt.Sprintf("%.2f", share), share > 0)
	shed := flooded.Codes["rate_limited"] + flooded.Codes["overloaded"]
	t.add("overload: sheds by 429/503 with Retry-After alone", "all", fmt.Sprintf("%d of %d refused; %d failed, %d never sent",
		shed-flooded.Unadvised, flood.Refused, flood.Failed, flood.Unsent), shed > 0 && shed == flood.Refused && flooded.Unadvised+flood.Failed+flood.Unsent == 0)
	slower, asDue := p99(&flooded.ServedIn, &calmly.ServedIn), p99(&flooded.AcceptedIn, &calmly.AcceptedIn)
	t.add("overload: p99 of the accepted / p99 when calm", "< 5", fmt.Sprintf("%.2f; %.2f from when they were due", slower, asDue), slower < 5)
	t.add("overload: memory at most / before", "does not grow (< 2)", fmt.Sprintf("%.2f (%.1f MB)", *peak/before, *peak), *peak < 2*before)
	recovered := after.ServedP99 / anew
	t.add("overload: the second after, p99 / p99 of a calm one", "at once (< 2, none refused)",
		fmt.Sprintf("%.2f; %d refused; %.2f of the calm p99", recovered, after.Refused, p99(&afterwards.ServedIn, &calmly.ServedIn)),
		recovered < 2 && after.Refused+after.Failed == 0)
	return nil
}

// anew asks for five calm seconds that begin with new connections, as the second after an
// overload does, so that what those cost weighs as much in both. It returns the median of
// their p99s as well, in microseconds.
func (b *bench) anew(ctx context.Context, p *peer, rate float64) (seconds []turn, p99 float64, err error) {
	var all []float64
	for range 5 {
		second, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: rate, Duration: time.Second})
		if err != nil {
			return nil, 0, err
		}
		seconds = append(seconds, second)
		all = append(all, second.ServedP99)
	}
	slices.Sort(all)
	return seconds, all[len(all)/2], nil
}

// stayingFlood is how long an overload takes in which a crowd stays.
const stayingFlood = 5 * time.Second

// staying is the second after an overload beside which others keep as many connections:
// the server is not told by their end that it is over. Each of those asks once before, since
// one that never asks is closed soon.
func (b *bench) staying(ctx context.Context, p *peer, sustained float64) (turn, error) {
	var others []net.Conn
	defer func() {
		for _, conn := range others {
			_ = conn.Close()
		}
	}()
	for range crowd {
		conn, err := p.dial(ctx)
		if err != nil {
			return turn{}, fmt.Errorf("one of those that stay: %w", err)
		}
		others = append(others, conn)
		if err := once(conn, p.request); err != nil {
			return turn{}, fmt.Errorf("one of those that stay: %w", err)
		}
	}
	if _, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: 2 * sustained, Duration: stayingFlood}); err != nil {
		return turn{}, err
	}
	stayed, _, err := b.ask(ctx, p, httpload.Config{Connections: crowd, Rate: sustained / 4, Duration: time.Second})
	if err != nil {
		return turn{}, err
	}
	for _, conn := range others {
		if err := once(conn, p.request); err != nil {
			return turn{}, fmt.Errorf("one of those that stay has not: %w", err)
		}
	}
	return stayed, nil
}

// once asks on a connection, which is kept.
func once(conn net.Conn, request []byte) error {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
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
