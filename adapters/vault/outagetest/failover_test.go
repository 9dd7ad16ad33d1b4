package outagetest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

const (
	// writeLimit is what a write may take.
	writeLimit = 3 * time.Second
	// recoveryLimit is how soon after Vault is back writes are acknowledged.
	recoveryLimit = 5 * time.Second
	outage        = 6 * time.Second
	mintInterval  = 10 * time.Millisecond
	writeInterval = 100 * time.Millisecond
)

func TestMintingOutlivesAFault(t *testing.T) { failover(t, 3) }
func TestCampaignMintingOutlivesEveryFault(t *testing.T) {
	failover(t, porttest.LongRounds(t, 20, len(faults())))
}

// failover mints and writes through two replicas, at a steady rate, while the
// cluster is broken and mended again.
func failover(t *testing.T, rounds int) {
	c := vaulttest.StartCluster(t, 3)
	leader := c.Leader(t)
	create(t, newReplica(t, leader, vault.Config{}), "acme")
	auth := appRole(t, leader, 30*time.Second)

	var logins atomic.Int64
	var sites []*site
	addresses := c.Addresses()
	for i := range 2 {
		r := newReplica(t, leader, vault.Config{
			Addresses: append(addresses[i:len(addresses):len(addresses)], addresses[:i]...),
			Auth:      auth, Log: slog.New(&loginCounter{count: &logins}),
		})
		sites = append(sites, newSite(t, r, i))
	}
	stalls, began := watchStalls(t), time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	stop := sync.OnceFunc(func() {
		cancel()
		work.Wait()
	})
	t.Cleanup(stop)
	for _, s := range sites {
		work.Go(func() { s.mintAll(ctx, t) })
		work.Go(func() { s.writeAll(ctx, t) })
	}
	time.Sleep(time.Second)

	recovered := map[string]latencies{}
	for round := range rounds {
		f := faults()[round%len(faults())]
		down, after := strikeAndMend(t, c, f, sites)
		recovered[f.name] = append(recovered[f.name], after)
		t.Logf("round %2d: %-34s Vault was away for %s, and every replica wrote again %s later", round, f.name+":",
			down.Round(time.Millisecond), after.Round(time.Millisecond))
		if limit := stalls.within(recoveryLimit); after > limit {
			t.Errorf("round %d: %s: took %s to recover, want %s at most", round, f.name, after, limit)
		}
		for _, s := range sites {
			s.rotate(t, round)
		}
	}
	lived := time.Since(began)
	stop()

	for _, f := range faults() {
		if took := recovered[f.name]; len(took) > 0 {
			t.Logf("%-34s recovery times: %s", f.name, took)
		}
	}
	for _, s := range sites {
		t.Log(s)
		s.judge(t)
		if limit := stalls.within(writeLimit); s.slowest > limit {
			t.Errorf("%s: a write took %s, want %s at most", s.name, s.slowest, limit)
		}
	}
	t.Logf("this process waited %s for the processor at worst", time.Duration(stalls.worst.Load()).Round(time.Millisecond))
	t.Logf("%d rounds in %s, %d log-ins of two replicas", rounds, lived.Round(time.Second), logins.Load())
	if most := int64(2 * (lived/(10*time.Second) + time.Duration(2*rounds) + 1)); logins.Load() > most {
		t.Errorf("%d log-ins in %s: a storm, want %d at most", logins.Load(), lived, most)
	}
	judgeStore(t, c.Leader(t), sites)
}

// strikeAndMend returns how long nobody led, and how long after that every
// replica had a write acknowledged.
func strikeAndMend(t *testing.T, c *vaulttest.Cluster, f fault, sites []*site) (down, after time.Duration) {
	t.Helper()
	leader := c.Leader(t)
	refusals := make([]int64, len(sites))
	for i, s := range sites {
		refusals[i] = s.refused(f.sealed)
	}
	struck := time.Now()
	f.strike(t, c, leader)
	if f.mend == nil {
		c.Leader(t, leader)
	} else {
		time.Sleep(outage)
		for i, s := range sites {
			if s.refused(f.sealed) == refusals[i] {
				t.Errorf("%s: no write of %s was refused in %s, or not for that reason", f.name, s.name, outage)
			}
		}
		f.mend(t, c)
		c.Leader(t)
	}
	back := time.Now()
	for _, s := range sites {
		before := s.acknowledged.Load()
		for s.acknowledged.Load() < before+2 { // the first may have been under way
			if time.Since(back) > 4*recoveryLimit {
				t.Errorf("%s: no write of %s is acknowledged", f.name, s.name)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	after = time.Since(back)
	if leader.Running() {
		leader.Resume(t)
	}
	c.Settle(t)
	return back.Sub(struck), after
}

// judgeStore fails unless what is in Vault is what was acknowledged, and what
// may have been, once each.
func judgeStore(t *testing.T, leader *vaulttest.Server, sites []*site) {
	t.Helper()
	r := newReplica(t, leader, vault.Config{})
	g, err := r.groups.Group(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := r.keys.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	total, keys := 1, 0
	for _, s := range sites {
		got := tallyOf(g.Name)[s.name]
		total += got
		if got < s.sure || got > s.sure+s.unsure {
			t.Errorf("%s is at %d writes, want %d to %d: lost or doubled", s.name, got, s.sure, s.sure+s.unsure)
		}
		for id, unsure := range s.rotated {
			if _, found := ring.Find(id); found {
				keys++
			} else if !unsure {
				t.Errorf("the key %s was acknowledged, and is lost", id)
			}
		}
	}
	if ring.Len() != keys+1 {
		t.Errorf("the ring holds %d keys, want %d", ring.Len(), keys+1)
	}
	if v := versionsOf(t, leader, "groups/acme"); v.current != total {
		t.Errorf("the group is at version %d after %d writes: lost or doubled", v.current, total)
	}
}

// tallyOf reads what count writes.
func tallyOf(name string) map[string]int {
	tally := map[string]int{}
	for _, part := range strings.Fields(name) {
		var n int
		if who, number, found := strings.Cut(part, "="); found {
			if _, err := fmt.Sscan(number, &n); err == nil {
				tally[who] = n
			}
		}
	}
	return tally
}

// loginCounter counts the log-ins that a backend tells of.
type loginCounter struct{ count *atomic.Int64 }

func (l *loginCounter) Enabled(context.Context, slog.Level) bool { return true }
func (l *loginCounter) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *loginCounter) WithGroup(string) slog.Handler            { return l }
func (l *loginCounter) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "vault: logged in" {
		l.count.Add(1)
	}
	return nil
}

// write counts one more write of who, and fails when the count is not what it
// must be.
func (s *site) write(t *testing.T) {
	var seen int
	begin := time.Now()
	// The end of the test must not look like an outage.
	err := s.groups.UpdateGroup(context.WithoutCancel(t.Context()), "acme", func(g group.Group) (group.Group, error) {
		tally := tallyOf(g.Name)
		seen = tally[s.name]
		tally[s.name]++
		g.Name = fmt.Sprintf("site-0=%d site-1=%d", tally["site-0"], tally["site-1"])
		return g, nil
	})
	took := time.Since(begin)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowest = max(s.slowest, took)
	if err != nil {
		s.errors[err.Error()]++
	}
	switch {
	case err == nil:
		if seen < s.sure || seen > s.sure+s.unsure {
			t.Errorf("%s saw %d writes, want %d to %d: lost or doubled", s.name, seen, s.sure, s.sure+s.unsure)
		}
		s.sure, s.unsure = seen+1, 0
		s.acknowledged.Add(1)
	case errors.Is(err, ports.ErrUnknownOutcome):
		s.unsure++
		s.unknown++
	case errors.Is(err, ports.ErrConflict):
		s.conflicts++
	case errors.Is(err, ports.ErrDenied):
		t.Errorf("%s: %v", s.name, err)
	case errors.Is(err, ports.ErrSealed):
		s.sealed++
	case errors.Is(err, ports.ErrUnavailable):
		s.away++
	default:
		t.Errorf("%s: %v", s.name, err)
	}
}

// rotate makes a new default key, once the cluster is whole again.
func (s *site) rotate(t *testing.T, round int) {
	t.Helper()
	id := key.ID(fmt.Sprintf("%s-round-%d", s.name, round))
	err := s.keys.UpdateRing(t.Context(), "acme", rotate(id))
	switch {
	case err == nil:
		s.rotated[id] = false
	case errors.Is(err, ports.ErrUnknownOutcome):
		s.rotated[id] = true
	case !errors.Is(err, ports.ErrConflict) && !errors.Is(err, ports.ErrUnavailable): // nothing written
		t.Errorf("round %d: %v", round, err)
	}
}
