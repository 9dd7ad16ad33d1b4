package vault_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// site is a server of Vault's API, the fake or a real one, seen by its root.
type site struct {
	address string
	token   string
	client  *http.Client
}

// eachSite runs the test against the fake, and against a real server where
// there is one; where there is none, the sub-test says so.
func eachSite(t *testing.T, run func(*testing.T, *site)) {
	t.Run("fake", func(t *testing.T) { run(t, fakeSite(vaultfake.Start(t))) })
	t.Run("real", func(t *testing.T) { run(t, realSite(t)) })
}

func fakeSite(s *vaultfake.Server) *site {
	return &site{address: s.URL(), token: vaultfake.RootToken, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

func realSite(t *testing.T) *site {
	t.Helper()
	s := vaulttest.Dev(t)
	return &site{address: s.Address, token: s.Token, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// reply is a status and a body.
type reply struct {
	status int
	body   string
}

// data is the member of that name.
func (r reply) member(t *testing.T, name string) map[string]any {
	t.Helper()
	var members map[string]json.RawMessage
	var v map[string]any
	err := json.Unmarshal([]byte(r.body), &members)
	if err == nil {
		err = json.Unmarshal(members[name], &v)
	}
	if err != nil {
		t.Fatalf("read %q of %s: %v", name, r.body, err)
	}
	return v
}

// ask sends a request with that token, none if it is empty.
func (s *site) ask(t *testing.T, token, method, path, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.address+"/v1/"+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, string(text)}
}

// do is ask as root, for what must succeed.
func (s *site) do(t *testing.T, method, path, body string) reply {
	t.Helper()
	r := s.ask(t, s.token, method, path, body)
	if r.status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

// newToken makes a token with those policies and settings.
func (s *site) newToken(t *testing.T, settings string) string {
	t.Helper()
	token, _ := s.do(t, http.MethodPut, "auth/token/create", settings).member(t, "auth")["client_token"].(string)
	return token
}

// tokenConfig uses the site with its root token.
func (s *site) tokenConfig() vault.Config {
	return vault.Config{
		Addresses: []string{s.address}, Prefix: newPrefix(),
		Auth: vault.AuthConfig{Method: vault.MethodToken, Token: secret.New(s.token)},
	}
}

// patient is for what is not about time: tests share their machine.
func patient(cfg vault.Config) vault.Config {
	cfg.TryTimeout, cfg.CallTimeout = 10*time.Second, 30*time.Second
	return cfg
}

// prefixes are counted, so that every store of a test is a new one.
var prefixes atomic.Int64

func newPrefix() string { return "store-" + strconv.FormatInt(prefixes.Add(1), 10) }

func mustOpen(t *testing.T, cfg vault.Config) *vault.Backend {
	t.Helper()
	b, closing, err := vault.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closing)
	return b
}

func sampleGroup(id group.ID) group.Group {
	return group.Group{ID: id, Name: "The group " + string(id), Policy: policy.Default()}
}

// material is the secret of the key of that id.
func material(id string) string {
	return (id + "-MATERIAL-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")[:key.SecretSize]
}

func sampleKey(t *testing.T, id string) key.Key {
	t.Helper()
	value, err := key.ParseSecret(material(id))
	if err != nil {
		t.Fatal(err)
	}
	return key.Key{ID: key.ID(id), State: key.Active, Custody: key.Material, Secret: value}
}

// adding is a change that adds a key.
func adding(t *testing.T, id string) func(key.Ring) (key.Ring, error) {
	k := sampleKey(t, id)
	return func(r key.Ring) (key.Ring, error) { return r.With(k) }
}

// destroying is a change after which the material of a key is gone.
func destroying(id key.ID) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) {
		keys := r.Keys()
		for i := range keys {
			if keys[i].ID == id {
				keys[i].State, keys[i].Secret = key.Destroyed, key.Secret{}
			}
		}
		return key.NewRing(keys, "")
	}
}

func newSecret(text string) secret.Text { return secret.New(text) }

// wantOnly asks for want, and that err wraps no other of the sentinels that a
// store answers with.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
	for _, other := range sentinels() {
		if errors.Is(err, other) && !errors.Is(want, other) {
			t.Errorf("the error %v also says %v", err, other)
		}
	}
}

func sentinels() []error {
	return []error{
		ports.ErrNotFound, ports.ErrExists, ports.ErrConflict, ports.ErrUnavailable, ports.ErrUnknownOutcome, ports.ErrCorrupt,
	}
}

// clientOf trusts the certificates in that file.
func clientOf(t *testing.T, caFile string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", caFile)
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// replacingWith is a change after which the ring holds that key alone.
func replacingWith(k key.Key) func(key.Ring) (key.Ring, error) {
	return func(key.Ring) (key.Ring, error) { return key.NewRing([]key.Key{k}, "") }
}

// requestingTLS asks clients for a certificate of whatever authority.
func requestingTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
}

func certificateFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	return write(t, "server.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(content))
}
