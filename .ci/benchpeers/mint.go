package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"embedseal/adapters/httpload"
)

// turn is one side's measurement, as it is kept.
type turn struct {
	Round     int     `json:"round"`
	Side      string  `json:"side"`
	Loop      string  `json:"loop"`
	Offered   float64 `json:"offered_per_s,omitempty"`
	PerSecond float64 `json:"accepted_per_s"`
	P50, P99  float64 `json:",omitempty"` // microseconds
	P999, Max float64 `json:",omitempty"`
	// ServedP50 and ServedP99 are from when the generator came to a request, which LateP99
	// says was so much after it was due.
	ServedP50, ServedP99, LateP99 float64 `json:",omitempty"`
	CPU                           float64 `json:"server_cpu_us_per_request"`
	Refused                       int64   `json:"refused"`
	Failed                        int64   `json:"failed"`
	Unsent                        int64   `json:"unsent"`
	Error                         string  `json:"error,omitempty"`
}

// dial opens a connection to the server.
func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", p.address)
}

// ask measures one side once.
func (b *bench) ask(ctx context.Context, p *peer, cfg httpload.Config) (turn, httpload.Result, error) {
	cfg.Request = p.request
	cfg.Dial = p.dial
	before := p.cpu()
	r, err := httpload.Run(ctx, cfg)
	if err != nil {
		return turn{}, r, fmt.Errorf("%s: %w", p.name, err)
	}
	if ctx.Err() != nil {
		return turn{}, r, ctx.Err()
	}
	micro := func(h *httpload.Histogram, share float64) float64 { return float64(h.At(share)) / 1e3 }
	t := turn{
		Side: p.name, Loop: "closed", Offered: cfg.Rate, PerSecond: r.PerSecond(),
		P50: micro(&r.AcceptedIn, .5), P99: micro(&r.AcceptedIn, .99), P999: micro(&r.AcceptedIn, .999), Max: float64(r.AcceptedIn.Longest()) / 1e3,
		ServedP50: micro(&r.ServedIn, .5), ServedP99: micro(&r.ServedIn, .99), LateP99: micro(&r.Late, .99),
		Refused: r.Refused, Failed: r.Failed, Unsent: r.Unsent,
	}
	if answered := r.Accepted + r.Refused; answered > 0 {
		t.CPU = float64((p.cpu() - before).Microseconds()) / float64(answered)
	}
	if cfg.Rate > 0 {
		t.Loop = "open"
	}
	if r.Failure != nil {
		t.Error = r.Failure.Error()
	}
	return t, r, nil
}

// side gathers what the rounds saw of one server.
type side struct {
	peer      *peer
	perSecond series
	cpu       series
	open      []open // by offered load
}

// open is what the rounds saw at one offered load.
type open struct {
	p99         series
	unsustained int
}

// shares are the loads that are offered, of what the slower of floor and embedseal can
// do at most. At the higher one server and generator together take up four fifths of
// two processors: then how long an answer takes is mostly how long it waits for one.
func shares() []float64 { return []float64{0.4, 0.6} }

// mint is minting through HTTP: what each side does at most, and how long it takes
// at the offered loads.
func (b *bench) mint(ctx context.Context) error {
	sides, absent, err := b.startAll(ctx)
	defer func() {
		for _, s := range sides {
			s.peer.stop()
		}
	}()
	if err != nil {
		return err
	}
	for _, s := range sides {
		b.say("%-10s %s", s.peer.name, s.peer.version)
	}
	for name, why := range absent {
		b.say("%-10s missing: %s", name, why)
	}
	turnTime := time.Duration(b.seconds * float64(time.Second))
	least := 0.0
	for _, s := range sides { // warm up, and find what both can bear
		t, _, err := b.ask(ctx, s.peer, httpload.Config{Connections: connections, Duration: 2 * time.Second})
		if err != nil {
			return err
		}
		if t.Refused+t.Failed > 0 {
			return fmt.Errorf("%s: %d refused, %d failed %s", t.Side, t.Refused, t.Failed, t.Error)
		}
		if name := s.peer.name; (name == "floor" || name == "embedseal") && (least == 0 || t.PerSecond < least) {
			least = t.PerSecond
		}
	}
	offered := []float64{b.offered}
	if b.offered == 0 {
		offered = nil
		for _, share := range shares() {
			offered = append(offered, share*least)
		}
	}
	for _, s := range sides {
		s.open = make([]open, len(offered))
	}
	b.say("open loop: %.0f requests/s offered, evenly spaced, timed from when each was due\n", offered)
	for round := range b.rounds {
		for i := range sides {
			s := sides[(i+round)%len(sides)] // nobody is always the first
			if err := b.closedTurn(ctx, s, round, turnTime); err != nil {
				return err
			}
		}
		for i := range sides {
			s := sides[(i+round)%len(sides)]
			if name := s.peer.name; name != "floor" && name != "embedseal" {
				continue
			}
			for load, perSecond := range offered {
				if err := b.openTurn(ctx, s, &s.open[load], round, perSecond, turnTime); err != nil {
					return err
				}
			}
		}
	}
	b.judge(sides, absent, offered)
	return nil
}

func (b *bench) closedTurn(ctx context.Context, s *side, round int, long time.Duration) error {
	t, _, err := b.ask(ctx, s.peer, httpload.Config{Connections: connections, Duration: long})
	if err != nil {
		return err
	}
	t.Round = round
	b.keep("mint", t)
	if t.Refused+t.Failed > 0 {
		return fmt.Errorf("%s: %d refused, %d failed %s", t.Side, t.Refused, t.Failed, t.Error)
	}
	s.perSecond, s.cpu = append(s.perSecond, t.PerSecond), append(s.cpu, t.CPU)
	b.say("round %d  %-10s closed  %7.0f/s  %5.1f µs of the server's CPU each", round+1, t.Side, t.PerSecond, t.CPU)
	return nil
}

func (b *bench) openTurn(ctx context.Context, s *side, seen *open, round int, offered float64, long time.Duration) error {
	t, _, err := b.ask(ctx, s.peer, httpload.Config{Connections: connections, Duration: long, Rate: offered})
	if err != nil {
		return err
	}
	t.Round = round
	b.keep("mint", t)
	note := ""
	if t.Refused+t.Failed > 0 || t.PerSecond < 0.98*offered {
		seen.unsustained++
		note = fmt.Sprintf("  not sustained: %d refused, %d failed, %d unsent", t.Refused, t.Failed, t.Unsent)
	}
	seen.p99 = append(seen.p99, t.P99)
	b.say("round %d  %-10s open    %7.0f/s  p50 %.0f µs, p99 %.0f µs, p99.9 %.0f µs%s", round+1, t.Side, t.PerSecond, t.P50, t.P99, t.P999, note)
	return nil
}

// startAll starts every side that can be had. Floor and embedseal must.
func (b *bench) startAll(ctx context.Context) (sides []*side, absent map[string]string, err error) {
	absent = map[string]string{}
	for _, s := range []struct {
		name  string
		start func(context.Context) (*peer, error)
		must  bool
	}{
		{"empty", func(ctx context.Context) (*peer, error) { return b.own(ctx, "empty") }, true},
		{"floor", func(ctx context.Context) (*peer, error) { return b.own(ctx, "floor") }, true},
		{"embedseal", func(ctx context.Context) (*peer, error) { return b.embedseal(ctx, nil, nil) }, true},
		{"express", b.express, false},
		{"vault", b.vault, false},
	} {
		p, err := s.start(ctx)
		switch {
		case err == nil:
			sides = append(sides, &side{peer: p})
		case s.must:
			return sides, absent, err
		default:
			absent[s.name] = err.Error()
		}
	}
	return sides, absent, nil
}

func (b *bench) judge(sides []*side, absent map[string]string, offered []float64) {
	of := map[string]*side{}
	b.say("\n%-10s  %-26s  %s", "", "requests/s", "server's CPU, µs/request")
	for _, s := range sides {
		of[s.peer.name] = s
		b.say("%-10s  %-26s  %s", s.peer.name, s.perSecond.format("%.0f"), s.cpu.format("%.1f"))
	}
	ours, floor := of["embedseal"], of["floor"]
	atLeast := func(what string, peer string, least float64) {
		wanted := fmt.Sprintf(">= %g", least)
		other := of[peer]
		if other == nil {
			b.table.missing(what, wanted, absent[peer])
			return
		}
		ratio := ours.perSecond.over(other.perSecond)
		b.table.add(what, wanted, ratio.format("%.2f"), ratio.median() >= least)
	}
	atLeast("requests/s, embedseal / floor", "floor", 0.85)
	cpu := ours.cpu.over(floor.cpu)
	b.table.add("server's CPU a request, embedseal / floor", "<= 1.18", cpu.format("%.2f"), cpu.median() <= 1/0.85)
	for load, perSecond := range offered {
		mine, its := ours.open[load], floor.open[load]
		ratio := mine.p99.over(its.p99)
		what := fmt.Sprintf("p99 at %.0f/s offered, embedseal / floor", perSecond)
		if n := mine.unsustained + its.unsustained; n > 0 {
			what += fmt.Sprintf(" (%d turns not sustained)", n)
		}
		b.table.add(what, "<= 1.3", ratio.format("%.2f")+fmt.Sprintf("; %.0f and %.0f µs", mine.p99.median(), its.p99.median()), ratio.median() <= 1.3)
	}
	atLeast("requests/s, embedseal / Express with jose", "express", 9)
	atLeast("requests/s, embedseal / Vault transit/encrypt", "vault", 2.5)
}
