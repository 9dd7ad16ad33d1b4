package outagetest_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/secret"
	"embedseal/ports/porttest"
)

const (
	expiryClients = 20
	tokenTTL      = 5 * time.Second
	login         = "/v1/auth/approle/login"
)

func TestATokenThatExpiresFailsNoRead(t *testing.T) { expiries(t, 2*expiryClients) }
func TestCampaignATokenThatExpiresFailsNoRead(t *testing.T) {
	expiries(t, porttest.LongRounds(t, 200, 2*expiryClients))
}

// appRole makes a role whose tokens live for ttl and no longer, and returns how
// to log in with it.
func appRole(t *testing.T, s *vaulttest.Server, ttl time.Duration) vault.AuthConfig {
	t.Helper()
	s.Do(t, http.MethodPost, "sys/auth/approle", map[string]any{"type": "approle"})
	s.Do(t, http.MethodPut, "sys/policies/acl/replica", map[string]any{"policy": `
path "secret/data/embedseal/*"     { capabilities = ["create", "update", "read"] }
path "secret/metadata/embedseal/*" { capabilities = ["read", "list", "delete"] }
path "secret/destroy/embedseal/*"  { capabilities = ["update"] }
`})
	s.Do(t, http.MethodPost, "auth/approle/role/replica", map[string]any{
		"token_policies": "replica", "token_ttl": ttl.String(), "token_max_ttl": ttl.String(),
	})
	var role struct {
		ID     string `json:"role_id"`
		Secret string `json:"secret_id"`
	}
	s.Do(t, http.MethodGet, "auth/approle/role/replica/role-id", nil).Data(t, &role)
	s.Do(t, http.MethodPost, "auth/approle/role/replica/secret-id", nil).Data(t, &role)
	return vault.AuthConfig{Method: vault.MethodAppRole, RoleID: role.ID, SecretID: secret.New(role.Secret)}
}

// crowd is clients of Vault that read without a pause, each through a proxy of
// its own that counts its log-ins.
type crowd struct {
	replicas []replica
	proxies  []*vaulttest.Proxy
	reads    atomic.Int64
	failed   atomic.Int64
	stop     func()
}

func newCrowd(t *testing.T, s *vaulttest.Server, auth vault.AuthConfig) *crowd {
	t.Helper()
	c := &crowd{}
	for range expiryClients {
		proxy := vaulttest.NewProxy(t, s.Address)
		cfg := through(proxy)
		cfg.Auth = auth
		c.proxies = append(c.proxies, proxy)
		c.replicas = append(c.replicas, newReplica(t, s, cfg))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	c.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(c.stop)
	for _, r := range c.replicas {
		for range 4 { // side by side, so that a log-in is asked for by several
			wg.Go(func() { c.read(ctx, t, r) })
		}
	}
	return c
}

func (c *crowd) read(ctx context.Context, t *testing.T, r replica) {
	for ctx.Err() == nil {
		if _, err := r.keys.Ring(t.Context(), "acme"); err != nil {
			if c.failed.Add(1) <= 5 {
				t.Errorf("a read failed: %v", err)
			}
		}
		c.reads.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// logins is how often each client logged in so far.
func (c *crowd) logins() []int {
	var counts []int
	for _, p := range c.proxies {
		counts = append(counts, p.Seen(login))
	}
	return counts
}

// expiries has tokens of five seconds end under clients that read.
func expiries(t *testing.T, count int) {
	s := vaulttest.Dev(t)
	create(t, newReplica(t, s, vault.Config{}), "acme")
	c := newCrowd(t, s, appRole(t, s, tokenTTL))
	each := (count + expiryClients - 1) / expiryClients
	begin := time.Now()
	time.Sleep(time.Duration(each)*tokenTTL + tokenTTL/2)
	lived := time.Since(begin)
	c.stop()

	// A token is replaced at two thirds of its life at the earliest.
	least, most := each, int(lived/(tokenTTL*2/3))+1
	ended := 0
	for i, n := range c.logins() {
		ended += n - 1
		if n-1 < least || n > most {
			t.Errorf("client %d logged in %d times in %s, want %d to %d", i, n, lived, least+1, most)
		}
	}
	t.Logf("%d clients, %d tokens of %s ended in %s, %d reads, %d failed, log-ins by client: %v",
		expiryClients, ended, tokenTTL, lived.Round(time.Second), c.reads.Load(), c.failed.Load(), c.logins())
	if c.failed.Load() > 0 {
		t.Errorf("%d reads failed", c.failed.Load())
	}
	if c.reads.Load() < int64(ended) {
		t.Errorf("%d reads saw %d expiries: too few to show anything", c.reads.Load(), ended)
	}
}

func TestATokenThatIsRevokedCostsOneLogIn(t *testing.T) { revocations(t, 2) }
func TestCampaignATokenThatIsRevokedCostsOneLogIn(t *testing.T) {
	revocations(t, porttest.LongRounds(t, 10, 2))
}

// revocations ends the tokens of all clients at once, which no clock foretells.
func revocations(t *testing.T, rounds int) {
	s := vaulttest.Dev(t)
	create(t, newReplica(t, s, vault.Config{}), "acme")
	c := newCrowd(t, s, appRole(t, s, time.Hour))
	for round := range rounds {
		// Tokens that Vault refuses as soon as it gave them are another matter.
		time.Sleep(2500 * time.Millisecond)
		s.Do(t, http.MethodPut, "sys/leases/revoke-prefix/auth/approle/login", map[string]any{"sync": true})
		want := round + 2
		deadline := time.Now().Add(10 * time.Second)
		for i := range c.proxies {
			for c.proxies[i].Seen(login) < want {
				if time.Now().After(deadline) {
					t.Fatalf("round %d: client %d has not logged in again: %v", round, i, c.logins())
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	time.Sleep(1500 * time.Millisecond)
	c.stop()
	for i, n := range c.logins() {
		if n != rounds+1 {
			t.Errorf("client %d logged in %d times for %d revocations, want %d", i, n, rounds, rounds+1)
		}
	}
	t.Logf("%d clients, %d tokens revoked, %d reads, %d failed, log-ins by client: %v",
		expiryClients, rounds*expiryClients, c.reads.Load(), c.failed.Load(), c.logins())
	if c.failed.Load() > 0 {
		t.Errorf("%d reads failed", c.failed.Load())
	}
}
