package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault/vaulttest"
	"embedseal/ports/porttest"
)

func TestTwoServersMintThroughAnOutageOfVault(t *testing.T) { mintThroughOutages(t, 3) }

func TestCampaignTwoServersMintThroughOutagesOfVault(t *testing.T) {
	mintThroughOutages(t, porttest.LongRounds(t, 20, 3))
}

// outages are ways to take a cluster away from its clients, and to bring it back.
func outages() []struct {
	name         string
	strike, mend func(*testing.T, *vaulttest.Cluster, *vaulttest.Server)
} {
	each := func(c *vaulttest.Cluster, do func(*vaulttest.Server)) {
		for _, n := range c.Nodes {
			do(n)
		}
	}
	return []struct {
		name         string
		strike, mend func(*testing.T, *vaulttest.Cluster, *vaulttest.Server)
	}{
		{
			"kill -9 the leader",
			func(t *testing.T, _ *vaulttest.Cluster, leader *vaulttest.Server) { leader.Kill(t) },
			func(t *testing.T, c *vaulttest.Cluster, leader *vaulttest.Server) { c.Leader(t, leader) },
		},
		{
			"seal all nodes",
			func(t *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) { c.Seal(t) },
			func(t *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) {
				each(c, func(n *vaulttest.Server) { n.Unseal(t) })
				c.Leader(t)
			},
		},
		{
			"swallow all that is sent to any node",
			func(_ *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) {
				each(c, func(n *vaulttest.Server) { n.Proxy.BlackHole() })
			},
			func(_ *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) {
				each(c, func(n *vaulttest.Server) { n.Proxy.Pass() })
			},
		},
	}
}

// mintThroughOutages runs two servers on a cluster of three with TLS, as an
// operator would, and asks both for tokens over HTTP at a steady rate while the
// cluster is broken and mended. No request may fail.
func mintThroughOutages(t *testing.T, rounds int) {
	const outage, recovery = 4 * time.Second, 5 * time.Second
	c := vaulttest.StartCluster(t, 3)
	leader := c.Leader(t)
	dir := t.TempDir()
	environ := []string{
		"EMBEDSEAL_STORE=vault", "EMBEDSEAL_VAULT_ADDRESSES=" + strings.Join(c.Addresses(), ","),
		"EMBEDSEAL_VAULT_CA_FILE=" + c.CA.File, "EMBEDSEAL_VAULT_TOKEN=" + leader.Token,
		"EMBEDSEAL_CACHE_FRESH_FOR=1s", "EMBEDSEAL_OPS_LISTEN=127.0.0.1:0",
	}
	made := decode[initialised](t, start(t, environ, "init", "--data-dir", filepath.Join(dir, "init"), "--output", "json").wait(t).want(t, exitOK))

	var servers []*process
	var minted, failed atomic.Int64
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	stop := sync.OnceFunc(func() {
		cancel()
		work.Wait()
	})
	t.Cleanup(stop)
	for i := range 2 {
		p := start(t, append(environ, fmt.Sprintf("EMBEDSEAL_AUDIT_PATH=%s/audit-%d.log", dir, i), fmt.Sprintf("EMBEDSEAL_AUDIT_NAME=server-%d", i)), "serve", "--listen", "127.0.0.1:0")
		servers = append(servers, p)
		address := p.address(t)
		work.Go(func() {
			for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				work.Go(func() {
					begin := time.Now()
					a, err := tryPost(context.WithoutCancel(ctx), address, made.APIToken, goodBody)
					minted.Add(1)
					if (err != nil || a.status != http.StatusOK) && failed.Add(1) <= 5 {
						t.Errorf("a mint failed after %s: %v: %s", time.Since(begin), err, a.text)
					}
				})
			}
		})
	}
	for round := range rounds {
		time.Sleep(1500 * time.Millisecond) // everything is fresh
		o := outages()[round%len(outages())]
		leader := c.Leader(t)
		o.strike(t, c, leader)
		time.Sleep(outage)
		o.mend(t, c, leader)
		back := time.Now()
		for _, p := range servers {
			untilReady(t, opsIn(t, &p.stderr), http.StatusOK, "ready", "")
		}
		after := time.Since(back)
		t.Logf("round %2d: %s: both servers were ready again after %s", round, o.name, after.Round(time.Millisecond))
		if after > recovery {
			t.Errorf("round %d: %s: ready again after %s, want %s at most", round, o.name, after, recovery)
		}
		c.Settle(t)
	}
	stop()
	t.Logf("%d rounds, %d mints over HTTP through two servers, %d failed", rounds, minted.Load(), failed.Load())
	if failed.Load() > 0 || minted.Load() < int64(rounds)*100 {
		t.Errorf("%d of %d mints failed", failed.Load(), minted.Load())
	}
	for _, p := range servers {
		p.terminate(t).want(t, exitOK)
	}
}
