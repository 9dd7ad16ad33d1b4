package vaulttest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kvMount is where KV v2 is mounted, in a cluster as in a server in memory.
const kvMount = "secret"

// Cluster is a raft cluster with TLS. Every node has a [Proxy] before its API,
// and one before its port for the other nodes.
type Cluster struct {
	Nodes []*Server
	CA    *Authority

	peers []*Proxy // by node: the way of the others to it
}

// StartCluster starts a cluster of that many nodes, all unsealed and all with a
// vote, with KV v2 at secret/ and Transit at transit/.
func StartCluster(t testing.TB, nodes int) *Cluster {
	t.Helper()
	c := &Cluster{CA: NewAuthority(t)}
	binary := Binary(t)
	for i := range nodes {
		c.Nodes = append(c.Nodes, c.newNode(t, binary, i))
	}
	for _, way := range c.peers {
		way.nameDialers(c.pids)
	}
	first := c.Nodes[0]
	first.start(t)
	c.initialise(t, first)
	first.Unseal(t)
	first.until(t, "lead", func() bool { return first.Health(t) == http.StatusOK })
	first.until(t, "set autopilot", func() bool {
		a, err := first.try(t.Context(), http.MethodPost, "sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "1s"})
		return err == nil && a.Status/100 == 2
	})
	for _, n := range c.Nodes[1:] {
		n.Token, n.unsealKey = first.Token, first.unsealKey
		n.start(t)
	}
	for _, n := range c.Nodes[1:] {
		n.Unseal(t)
	}
	first.until(t, "give every node a vote", func() bool { return c.voters(t, first) == nodes })

	first.mount(t, "sys/mounts/"+kvMount, map[string]any{"type": "kv", "options": map[string]any{"version": "2"}})
	first.mount(t, "sys/mounts/transit", map[string]any{"type": "transit"})
	for _, n := range c.Nodes {
		n.until(t, "serve "+kvMount, func() bool {
			a, err := n.try(t.Context(), http.MethodGet, kvMount+"/config", nil)
			return err == nil && a.Status == http.StatusOK
		})
	}
	return c
}

// Addresses are those of the nodes' proxies.
func (c *Cluster) Addresses() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, "https://"+n.Proxy.Address())
	}
	return all
}

// Leader waits until a node that is not among others leads and serves.
func (c *Cluster) Leader(t testing.TB, others ...*Server) *Server {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
	nodes:
		for _, n := range c.Nodes {
			for _, other := range others {
				if n == other {
					continue nodes
				}
			}
			if n.Running() && n.Leads(t) && n.Health(t) == http.StatusOK {
				return n
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no node leads within %s:\n%s", patience, c.Nodes[0].process.tail())
	return nil
}

// Isolate cuts n off from the other nodes: nothing that either side sends
// arrives, until [Cluster.Heal]. Clients still reach it.
func (c *Cluster) Isolate(t testing.TB, n *Server) {
	t.Helper()
	for i, proxy := range c.peers {
		proxy.hold(c.Nodes[i] == n, n.process.pid())
	}
}

// Heal lets the nodes talk again. What was held meanwhile arrives late.
func (c *Cluster) Heal() {
	for _, proxy := range c.peers {
		proxy.Pass()
	}
}

// Seal seals every node. One that stands by refuses to be sealed, and is
// started anew instead.
func (c *Cluster) Seal(t testing.TB) {
	t.Helper()
	for _, n := range c.Nodes {
		a, err := n.try(t.Context(), http.MethodPut, "sys/seal", nil)
		if err != nil || a.Status/100 != 2 {
			n.Restart(t)
		}
	}
}

// Settle brings the cluster back to where it began: every node runs, is
// unsealed and is in touch with a leader, and every proxy passes.
func (c *Cluster) Settle(t testing.TB) {
	t.Helper()
	c.Heal()
	for _, n := range c.Nodes {
		n.Proxy.Pass()
		if !n.Running() {
			n.Restart(t)
		}
		n.Unseal(t)
	}
	leader := c.Leader(t)
	for _, n := range c.Nodes {
		n.until(t, "serve "+kvMount, func() bool {
			a, err := n.try(t.Context(), http.MethodGet, kvMount+"/config", nil)
			return err == nil && a.Status == http.StatusOK
		})
	}
	leader.until(t, "have every node healthy", func() bool { return c.healthy(t, leader) })
}

// newNode prepares a node's directory, its certificate and its proxies.
func (c *Cluster) newNode(t testing.TB, binary string, i int) *Server {
	t.Helper()
	port := freePorts(t, 2)
	api, peer := local(port), local(port+1)
	n := &Server{
		Address: "https://" + api,
		CAFile:  c.CA.File,
		Proxy:   NewProxy(t, api),
		name:    fmt.Sprintf("node-%d", i),
		process: &process{binary: binary, dir: t.TempDir()},
		client:  c.client(t),
	}
	peers := NewProxy(t, peer)
	c.peers = append(c.peers, peers)
	cert, key := c.CA.Server(t, n.name)
	data, config := filepath.Join(n.process.dir, "data"), filepath.Join(n.process.dir, "vault.hcl")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	var join strings.Builder
	for _, other := range c.Nodes {
		fmt.Fprintf(&join, "  retry_join {\n    leader_api_addr = %q\n    leader_ca_cert_file = %q\n  }\n", other.Address, c.CA.File)
	}
	text := fmt.Sprintf(`storage "raft" {
  path                         = %q
  node_id                      = %q
  performance_multiplier       = 1
  autopilot_reconcile_interval = "1s"
  autopilot_update_interval    = "1s"
%s}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_cert_file   = %q
  tls_key_file    = %q
}
api_addr      = "https://%s"
cluster_addr  = "https://%s"
disable_mlock = true
log_level     = "info"
`, data, n.name, join.String(), api, peer, cert, key, n.Proxy.Address(), peers.Address())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.process.args = []string{"server", "-config=" + config}
	t.Cleanup(func() {
		n.process.kill()
		n.client.CloseIdleConnections()
	})
	return n
}

func (c *Cluster) client(t testing.TB) *http.Client {
	t.Helper()
	text, err := os.ReadFile(c.CA.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", c.CA.File)
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		// A node answers for itself.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (c *Cluster) initialise(t testing.TB, n *Server) {
	t.Helper()
	a := n.Do(t, http.MethodPut, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	var made struct {
		Keys  []string `json:"keys_base64"`
		Token string   `json:"root_token"`
	}
	if err := json.Unmarshal(a.Body, &made); err != nil || len(made.Keys) != 1 {
		t.Fatalf("read the answer to sys/init: %d keys, %v", len(made.Keys), err)
	}
	n.unsealKey, n.Token = made.Keys[0], made.Token
}

// voters counts the nodes with a vote.
func (c *Cluster) voters(t testing.TB, leader *Server) int {
	t.Helper()
	a, err := leader.try(t.Context(), http.MethodGet, "sys/storage/raft/configuration", nil)
	if err != nil || a.Status != http.StatusOK {
		return 0
	}
	var raft struct {
		Config struct {
			Servers []struct {
				Voter bool `json:"voter"`
			} `json:"servers"`
		} `json:"config"`
	}
	a.Data(t, &raft)
	count := 0
	for _, s := range raft.Config.Servers {
		if s.Voter {
			count++
		}
	}
	return count
}

// healthy asks whether the leader would survive the loss of any one node.
func (c *Cluster) healthy(t testing.TB, leader *Server) bool {
	t.Helper()
	a, err := leader.try(t.Context(), http.MethodGet, "sys/storage/raft/autopilot/state", nil)
	if err != nil || a.Status != http.StatusOK {
		return false
	}
	var state struct {
		Healthy bool `json:"healthy"`
	}
	a.Data(t, &state)
	return state.Healthy
}

// pids are the processes of the nodes.
func (c *Cluster) pids() []int {
	var all []int
	for _, n := range c.Nodes {
		all = append(all, n.process.pid())
	}
	return all
}
