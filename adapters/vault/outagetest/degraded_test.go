package outagetest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/ports"
)

// Vault that is there and of no use: minting goes on with what was read, writes
// are refused within three seconds, and all is well again five seconds after it
// is.
func TestMintingOutlivesAServerThatIsSlowLimitedOrTalksNonsense(t *testing.T) {
	s := vaulttest.Dev(t)
	proxy := vaulttest.NewProxy(t, s.Address)
	create(t, newReplica(t, s, vault.Config{}), "acme")
	site := newSite(t, newReplica(t, s, through(proxy)), 0)
	touch := func() (time.Duration, error) {
		begin := time.Now()
		err := site.groups.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) { return g, nil })
		return time.Since(begin), err
	}
	stalls := watchStalls(t)
	for _, f := range []struct {
		name         string
		strike, mend func()
	}{
		{"slow", func() { proxy.Delay(10 * time.Second) }, proxy.Pass},
		{"garbage", func() { proxy.Garbage([]byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops")) }, proxy.Pass},
		{"another server", func() {
			proxy.Garbage([]byte("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<html>no</html"))
		}, proxy.Pass},
		{"cut off", proxy.Cut, proxy.Pass},
		{
			"rate-limited",
			func() {
				s.Do(t, http.MethodPost, "sys/quotas/rate-limit/all", map[string]any{"path": "secret/", "rate": 0.1, "interval": "60s"})
				s.Ask(t, http.MethodGet, "secret/data/x", nil) // the one that is allowed
			},
			func() { s.Do(t, http.MethodDelete, "sys/quotas/rate-limit/all", nil) },
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			if _, err := touch(); err != nil {
				t.Fatal(err)
			}
			f.strike()
			for begin := time.Now(); time.Since(begin) < 4*time.Second; time.Sleep(20 * time.Millisecond) {
				if err := site.mint(context.WithoutCancel(t.Context())); err != nil {
					t.Fatalf("a mint failed after %s: %v", time.Since(begin), err)
				}
			}
			took, err := touch()
			if !errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrDenied) {
				t.Errorf("a write was answered with %v", err)
			}
			if limit := stalls.within(writeLimit); took > limit {
				t.Errorf("a write took %s, want %s at most", took, limit)
			}
			if err := site.mint(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("after the write that failed: %v", err)
			}
			f.mend()
			begin := time.Now()
			for {
				if _, err = touch(); err == nil || time.Since(begin) > stalls.within(recoveryLimit) {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if err != nil {
				t.Errorf("%s after it was mended: %v", time.Since(begin), err)
			}
			t.Logf("writes again after %s", time.Since(begin).Round(time.Millisecond))
		})
	}
}
