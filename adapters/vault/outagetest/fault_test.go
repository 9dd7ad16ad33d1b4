package outagetest_test

import (
	"testing"

	"embedseal/adapters/vault/vaulttest"
)

// fault is a way to break the cluster.
type fault struct {
	name string
	// strike breaks something; leader is who leads before.
	strike func(t *testing.T, c *vaulttest.Cluster, leader *vaulttest.Server)
	// mend is nil where the other nodes elect a leader. Otherwise nobody can write
	// until it is called, and writes answer that Vault is sealed, or unreachable.
	mend   func(t *testing.T, c *vaulttest.Cluster)
	sealed bool
}

// faults begins with those that the short form gets by with.
func faults() []fault {
	return []fault{
		{name: "kill -9 the leader", strike: func(t *testing.T, _ *vaulttest.Cluster, leader *vaulttest.Server) { leader.Kill(t) }},
		{name: "cut the leader off from everybody", strike: func(t *testing.T, c *vaulttest.Cluster, leader *vaulttest.Server) {
			c.Isolate(t, leader)
			leader.Proxy.BlackHole()
		}},
		{
			name: "seal all nodes", sealed: true,
			strike: func(t *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) { c.Seal(t) },
			mend: func(t *testing.T, c *vaulttest.Cluster) {
				for _, n := range c.Nodes {
					n.Unseal(t)
				}
			},
		},
		{name: "seal the leader", strike: func(t *testing.T, _ *vaulttest.Cluster, leader *vaulttest.Server) { leader.Seal(t) }},
		{name: "cut the leader off from its peers", strike: func(t *testing.T, c *vaulttest.Cluster, leader *vaulttest.Server) { c.Isolate(t, leader) }},
		{name: "hang the leader", strike: func(t *testing.T, _ *vaulttest.Cluster, leader *vaulttest.Server) { leader.Pause(t) }},
		{
			name: "cut all nodes off from us",
			strike: func(_ *testing.T, c *vaulttest.Cluster, _ *vaulttest.Server) {
				for _, n := range c.Nodes {
					n.Proxy.Cut()
				}
			},
			mend: func(_ *testing.T, c *vaulttest.Cluster) {
				for _, n := range c.Nodes {
					n.Proxy.Pass()
				}
			},
		},
	}
}
