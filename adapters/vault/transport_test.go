package vault_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/ports"
)

// standby redirects everything to another address.
func standby(t *testing.T, status int, to func(*http.Request) string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", to(r))
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestARedirectIsFollowedOnceToAConfiguredServer(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	first := standby(t, http.StatusTemporaryRedirect, func(r *http.Request) string { return fake.URL() + r.URL.RequestURI() })
	cfg := patient(s.tokenConfig())
	cfg.Addresses = []string{first.URL, fake.URL()}
	b := mustOpen(t, cfg)
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	if err := groups.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
		t.Fatal(err)
	}
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, http.MethodGet, "secret/data/"+cfg.Prefix+"/rings/acme", ""); !strings.Contains(got.body, material("k1")) {
		t.Errorf("the redirected write has the body %s", got.body)
	}
	if err := groups.DeleteGroup(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if all, _ := stored(t, s, cfg.Prefix, "rings", "acme"); strings.Contains(all, material("k1")) {
		t.Error("the redirected delete was not made")
	}
}

func TestATokenGoesToNoServerThatWasNotConfigured(t *testing.T) {
	var reached atomic.Int64
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, `{"data":{}}`)
	}))
	t.Cleanup(stranger.Close)
	port := stranger.URL[strings.LastIndex(stranger.URL, ":"):]
	for name, c := range map[string]struct {
		status int
		to     string
	}{
		"another server":         {307, stranger.URL + "/v1/secret/data/x"},
		"another name of it":     {307, "http://localhost" + port + "/v1/x"},
		"without a scheme":       {307, "//" + strings.TrimPrefix(stranger.URL, "http://") + "/v1/x"},
		"with a user":            {307, "http://me:pw@" + strings.TrimPrefix(stranger.URL, "http://") + "/v1/x"},
		"over TLS":               {307, "https://127.0.0.1" + port + "/v1/x"},
		"for ever":               {301, stranger.URL + "/v1/x"},
		"found":                  {302, stranger.URL + "/v1/x"},
		"see other":              {303, stranger.URL + "/v1/x"},
		"for ever, with methods": {308, stranger.URL + "/v1/x"},
		"to nothing":             {307, ""},
		"to no URL":              {307, "http://[::1"},
		"to itself":              {307, "/v1/again"},
		"not modified":           {304, ""},
		"multiple choices":       {300, stranger.URL + "/v1/x"},
	} {
		t.Run(name, func(t *testing.T) {
			first := standby(t, c.status, func(*http.Request) string { return c.to })
			cfg := vault.Config{
				Addresses: []string{first.URL}, RequireAtStart: true, CallTimeout: time.Second,
				Auth: vault.AuthConfig{Method: vault.MethodToken, Token: newSecret("hvs.canary")},
			}
			_, _, err := vault.Open(t.Context(), cfg)
			wantOnly(t, err, ports.ErrUnavailable)
			if !strings.Contains(err.Error(), "redirects") || strings.Contains(err.Error(), "canary") {
				t.Errorf("got the error %v", err)
			}
		})
	}
	if reached.Load() > 0 {
		t.Errorf("the stranger got %d requests", reached.Load())
	}
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	sealed, fake := vaultfake.Start(t), vaultfake.Start(t)
	sealed.Seal()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(broken.Close)
	cfg := patient(fakeSite(fake).tokenConfig())
	cfg.Addresses = []string{"http://" + closed.Addr().String(), sealed.URL(), broken.URL, fake.URL()}
	b := mustOpen(t, cfg)
	keys := vault.NewKeyStore(b)
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
		t.Fatal(err)
	}
	before := sealed.Requests()
	for range 10 {
		wantOneKey(t, keys)
	}
	if n := sealed.Requests() - before; n != 0 {
		t.Errorf("%d of 10 reads asked a server that was found sealed before", n)
	}
	fake.Seal()
	_, err = keys.Ring(t.Context(), "acme")
	if !errors.Is(err, ports.ErrSealed) {
		t.Errorf("all are sealed or away: got %v, want %v", err, ports.ErrSealed)
	}
	sealed.Unseal() // its data is its own: an empty store
	if r, err := keys.Ring(t.Context(), "acme"); err != nil || r.Len() != 0 {
		t.Errorf("another server answers: got %d keys and the error %v", r.Len(), err)
	}
}

func wantOneKey(t *testing.T, keys *vault.KeyStore) {
	t.Helper()
	if r, err := keys.Ring(t.Context(), "acme"); err != nil || r.Len() != 1 {
		t.Errorf("got %d keys and the error %v, want one", r.Len(), err)
	}
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	fake := vaultfake.Start(t)
	keys := vault.NewKeyStore(mustOpen(t, patient(fakeSite(fake).tokenConfig())))
	huge := `{"data":{"data":{"x":"` + strings.Repeat("x", 9<<20) + `"},"metadata":{"version":1}}}`
	fake.Intercept(func(*http.Request) *vaultfake.Fault {
		return &vaultfake.Fault{Skip: true, Status: http.StatusOK, Body: huge}
	})
	_, err := keys.Ring(t.Context(), "acme")
	wantOnly(t, err, ports.ErrUnavailable)
}

func TestTheServersCertificateIsVerified(t *testing.T) {
	fake := vaultfake.StartTLS(t, nil)
	cfg := fakeSite(fake).tokenConfig()
	cfg.RequireAtStart = true
	for name, c := range map[string]struct {
		tls  vault.TLSConfig
		says string
	}{
		"the system's authorities":  {vault.TLSConfig{}, "unknown authority"},
		"another authority":         {vault.TLSConfig{CAFile: vaulttest.NewAuthority(t).File}, "unknown authority"},
		"the authority":             {vault.TLSConfig{CAFile: fake.CAFile()}, ""},
		"another name":              {vault.TLSConfig{CAFile: fake.CAFile(), ServerName: "vault.internal"}, "another name"},
		"the name that is expected": {vault.TLSConfig{CAFile: fake.CAFile(), ServerName: "example.com"}, ""},
	} {
		cfg.TLS = c.tls
		_, closing, err := vault.Open(t.Context(), cfg)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (!errors.Is(err, ports.ErrUnavailable) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: got the error %v, want one that says %q", name, err, c.says)
		}
		if err == nil {
			closing()
		}
	}
}

func TestARenewedCertificateIsShownOnTheNextHandshake(t *testing.T) {
	ca := vaulttest.NewAuthority(t)
	var shown atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = requestingTLS()
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	show := func(name string) {
		certFile, keyFile := ca.Client(t, name)
		copyFile(t, certFile, filepath.Join(dir, "cert.pem"))
		copyFile(t, keyFile, filepath.Join(dir, "key.pem"))
	}
	show("first")
	cfg := vault.Config{
		Addresses: []string{server.URL}, CallTimeout: 2 * time.Second,
		TLS:  vault.TLSConfig{CAFile: certificateFile(t, server), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")},
		Auth: vault.AuthConfig{Method: vault.MethodCert},
	}
	mustOpen(t, cfg)
	if shown.Load() != "first" {
		t.Errorf("the certificate of %v was shown", shown.Load())
	}
	show("second")
	server.CloseClientConnections()
	within(t, 10*time.Second, func() error { // the log-in is tried again and again: no answer here is Vault's
		if shown.Load() != "second" {
			return errors.New("the first certificate is still shown")
		}
		return nil
	})
}

func TestWhoeverStopsWaitingIsToldSo(t *testing.T) {
	fake := vaultfake.Start(t)
	b := mustOpen(t, patient(fakeSite(fake).tokenConfig()))
	groups, keys := vault.NewGroupStore(b), vault.NewKeyStore(b)
	fake.Intercept(func(*http.Request) *vaultfake.Fault { return &vaultfake.Fault{Delay: time.Minute, Skip: true} })
	for name, call := range map[string]func(context.Context) error{
		"Ring":   func(ctx context.Context) error { _, err := keys.Ring(ctx, "acme"); return err },
		"Group":  func(ctx context.Context) error { _, err := groups.Group(ctx, "acme"); return err },
		"Groups": func(ctx context.Context) error { _, err := groups.Groups(ctx); return err },
		"Check":  b.Check,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got the error %v, want %v", name, err, context.DeadlineExceeded)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		cancel()
	}
}

func TestAWriteThatHasBegunIsSettledThoughNobodyWaits(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	cfg := patient(s.tokenConfig())
	groups := vault.NewGroupStore(mustOpen(t, cfg))
	ctx, cancel := context.WithCancel(t.Context())
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if r.Method == http.MethodPut {
			cancel()
			return &vaultfake.Fault{Lost: true}
		}
		return nil
	})
	if err := groups.CreateGroup(ctx, sampleGroup("acme")); err != nil {
		t.Errorf("got the error %v, and the group was written", err)
	}
	fake.Intercept(nil)
	if _, err := groups.Group(t.Context(), group.ID("acme")); err != nil {
		t.Error(err)
	}
}
