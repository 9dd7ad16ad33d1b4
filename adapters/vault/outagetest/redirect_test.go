package outagetest_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
)

// A standby passes a write on to the leader. When the leader applies it and is
// lost before it has answered, the standby falls back to a redirect: that one
// came does not mean that nothing was done.
// https://github.com/hashicorp/vault/blob/v1.21.1/http/handler.go (forwardRequest)
func TestAWriteThatWasAppliedAndThenRedirectedIsSettled(t *testing.T) {
	s := vaulttest.Dev(t)
	create(t, newReplica(t, s, vault.Config{}), "acme")
	target, err := url.Parse(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leader := "http://" + dead.Addr().String()
	_ = dead.Close()

	var redirects atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(target)
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, "/v1/secret/data/") || redirects.Add(1) > 1 {
			forward.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), r) // applied, and nobody hears of it
		http.Redirect(w, r, leader+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(standby.Close)

	for _, addresses := range [][]string{
		{standby.URL, leader}, // the redirect is followed, to a server that is gone
		{standby.URL},         // it is not: it leads to a server that was not configured
	} {
		redirects.Store(0)
		r := newReplica(t, s, vault.Config{Addresses: addresses})
		before := versionsOf(t, s, "groups/acme").current
		if err := r.groups.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
			g.Name += "."
			return g, nil
		}); err != nil {
			t.Errorf("with %d addresses: the write was applied, and it is answered with %v", len(addresses), err)
		}
		if redirects.Load() == 0 {
			t.Error("nothing was redirected")
		}
		wantVersions(t, s, "groups/acme", before+1)
	}
}
