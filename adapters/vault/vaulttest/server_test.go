package vaulttest_test

import (
	"net/http"
	"testing"
	"time"

	"embedseal/adapters/vault/vaulttest"
)

// put writes a value under a key of KV, at the root.
func put(t *testing.T, s *vaulttest.Server, value string) {
	t.Helper()
	s.Do(t, http.MethodPost, "secret/data/x", map[string]any{"data": map[string]any{"value": value}})
}

func get(t *testing.T, s *vaulttest.Server) string {
	t.Helper()
	var got struct {
		Data struct {
			Value string `json:"value"`
		} `json:"data"`
	}
	s.Do(t, http.MethodGet, "secret/data/x", nil).Data(t, &got)
	return got.Data.Value
}

func wantHealth(t *testing.T, s *vaulttest.Server, want int) {
	t.Helper()
	if got := s.Health(t); got != want {
		t.Errorf("the health of %s is %d, want %d", s, got, want)
	}
}

func TestAServerInMemoryHasItsMountsAndCanBeSealed(t *testing.T) {
	s := vaulttest.Dev(t)
	put(t, s, "1")
	s.Do(t, http.MethodPost, "transit/keys/k", map[string]any{"type": "aes256-gcm96"})
	s.Seal(t)
	wantHealth(t, s, http.StatusServiceUnavailable)
	s.Unseal(t)
	if got := get(t, s); got != "1" {
		t.Errorf("got %q after unsealing, want what was written", got)
	}
	s.Pause(t)
	s.Resume(t)
	wantHealth(t, s, http.StatusOK)
	s.Kill(t)
	wantHealth(t, s, 0)
	if s.Running() {
		t.Error("it runs after it was killed")
	}
	s.Restart(t)
	if a := s.Ask(t, http.MethodGet, "secret/data/x", nil); a.Status != http.StatusNotFound {
		t.Errorf("got %d for what was in memory, want %d", a.Status, http.StatusNotFound)
	}
}

func TestTheKubernetesMethodIsMounted(t *testing.T) {
	s := vaulttest.Kubernetes(t)
	s.Do(t, http.MethodPost, "auth/kubernetes/config", map[string]any{
		"kubernetes_host": "http://127.0.0.1:1", "disable_local_ca_jwt": true,
	})
}

func TestAClusterOutlivesItsLeader(t *testing.T) {
	begin := time.Now()
	step := func(what string) {
		t.Logf("%s: %s", what, time.Since(begin).Round(10*time.Millisecond))
		begin = time.Now()
	}
	c := vaulttest.StartCluster(t, 3)
	step("start")
	first := c.Leader(t)
	put(t, first, "1")

	first.Kill(t)
	second := c.Leader(t, first)
	step("lead after a kill")
	if got := get(t, second); got != "1" {
		t.Errorf("got %q from the second leader, want what was written to the first", got)
	}
	c.Settle(t)
	step("settle")

	leader := c.Leader(t)
	leader.Seal(t)
	put(t, c.Leader(t, leader), "2")
	step("lead after a seal")
	c.Settle(t)
	step("settle")

	isolated := c.Leader(t)
	c.Isolate(t, isolated)
	put(t, c.Leader(t, isolated), "3")
	step("lead after a cut")
	if a := isolated.Ask(t, http.MethodPost, "secret/data/x", map[string]any{"data": map[string]any{"value": "lost"}}); a.Status < 400 {
		t.Errorf("an isolated leader took a write: %d %s", a.Status, a.Body)
	}
	step("write to the isolated one")
	c.Settle(t)
	step("settle")
	for _, n := range c.Nodes {
		if got := get(t, n); got != "3" {
			t.Errorf("got %q from %s, want what was written last", got, n)
		}
	}
}
