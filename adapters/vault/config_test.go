package vault_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/secret"
	"embedseal/ports"
)

func TestAConfigurationThatCannotWorkOrIsUnsafeIsRefused(t *testing.T) {
	fake := vaultfake.Start(t)
	good := fakeSite(fake).tokenConfig()
	dir := t.TempDir()
	noPEM := write(t, "no.pem", "not a certificate")
	for name, c := range map[string]struct {
		change func(*vault.Config)
		says   string
	}{
		"no address":             {func(c *vault.Config) { c.Addresses = nil }, "no address"},
		"no URL":                 {func(c *vault.Config) { c.Addresses = []string{"127.0.0.1:8200"} }, "address number 1"},
		"another scheme":         {func(c *vault.Config) { c.Addresses = []string{"unix:///run/vault.sock"} }, "address number 1"},
		"a password":             {func(c *vault.Config) { c.Addresses = []string{"https://me:hunter2@vault:8200"} }, "address number 1"},
		"a query":                {func(c *vault.Config) { c.Addresses = []string{good.Addresses[0], "https://vault:8200?token=hunter2"} }, "address number 2"},
		"http to a name":         {func(c *vault.Config) { c.Addresses = []string{"http://vault.example:8200"} }, "plain http"},
		"http to all":            {func(c *vault.Config) { c.Addresses = []string{"http://0.0.0.0:8200"} }, "plain http"},
		"http to a near name":    {func(c *vault.Config) { c.Addresses = []string{"http://localhost.example:8200"} }, "plain http"},
		"http to the second":     {func(c *vault.Config) { c.Addresses = append(c.Addresses, "http://10.0.0.1:8200") }, "plain http"},
		"a mount that climbs":    {func(c *vault.Config) { c.Mount = "../sys" }, "mount"},
		"a mount with a query":   {func(c *vault.Config) { c.Mount = "secret?x" }, "mount"},
		"a mount with a slash":   {func(c *vault.Config) { c.Mount = "secret/" }, "mount"},
		"a prefix that climbs":   {func(c *vault.Config) { c.Prefix = "a/../b" }, "prefix"},
		"a transit mount":        {func(c *vault.Config) { c.TransitMount = "tr ansit" }, "transit mount"},
		"an auth mount":          {func(c *vault.Config) { c.Auth.Mount = "/approle" }, "auth mount"},
		"a namespace":            {func(c *vault.Config) { c.Namespace = "a\r\nX-Evil: 1" }, "namespace"},
		"no auth method":         {func(c *vault.Config) { c.Auth = vault.AuthConfig{Mount: "x"} }, "auth method"},
		"an unknown auth method": {func(c *vault.Config) { c.Auth = vault.AuthConfig{Method: "ldap"} }, "ldap"},
		"no token":               {func(c *vault.Config) { c.Auth.Token = secret.Text{} }, "a token"},
		"two tokens":             {func(c *vault.Config) { c.Auth.TokenFile = noPEM }, "either"},
		"no role id":             {func(c *vault.Config) { c.Auth = vault.AuthConfig{Method: "approle"} }, "role id"},
		"two secret ids": {func(c *vault.Config) {
			c.Auth = vault.AuthConfig{Method: "approle", RoleID: "x", SecretID: secret.New("hunter2"), SecretIDFile: "y"}
		}, "not both"},
		"no role":                 {func(c *vault.Config) { c.Auth = vault.AuthConfig{Method: "kubernetes"} }, "a role"},
		"no sink":                 {func(c *vault.Config) { c.Auth = vault.AuthConfig{Method: "agent"} }, "sink"},
		"no CA file":              {func(c *vault.Config) { c.TLS.CAFile = filepath.Join(dir, "none") }, "CA file"},
		"a CA file of another":    {func(c *vault.Config) { c.TLS.CAFile = noPEM }, "holds no certificate"},
		"a certificate alone":     {func(c *vault.Config) { c.TLS.CertFile = noPEM }, "needs its key"},
		"a key alone":             {func(c *vault.Config) { c.TLS.KeyFile = noPEM }, "needs its key"},
		"no client certificate":   {func(c *vault.Config) { c.TLS.CertFile, c.TLS.KeyFile = noPEM, noPEM }, "client certificate"},
		"a mount that is missing": {func(c *vault.Config) { c.Mount = "nowhere" }, "nowhere"},
		"a mount of another kind": {func(c *vault.Config) { c.Mount = "transit" }, "no KV engine of version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			cfg.Addresses = append([]string(nil), good.Addresses...)
			c.change(&cfg)
			_, closing, err := vault.Open(t.Context(), cfg)
			if err == nil {
				closing()
				t.Fatal("it was opened")
			}
			if text := err.Error(); !strings.HasPrefix(text, "vault: open: ") || !strings.Contains(text, c.says) || strings.Contains(text, "hunter2") {
				t.Errorf("got the error %q, want one that says %q", text, c.says)
			}
		})
	}
}

func TestKVOfVersionOneIsRefused(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		s.do(t, http.MethodPut, "sys/mounts/old", `{"type":"kv"}`)
		cfg := s.tokenConfig()
		cfg.Mount = "old"
		_, _, err := vault.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "no KV engine of version 2") {
			t.Errorf("got the error %v", err)
		}
		cfg.Mount = "nowhere"
		if _, _, err := vault.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no engine at the mount nowhere") {
			t.Errorf("got the error %v", err)
		}
	})
}

// Vault answers for the engine that a path lies in. Below it "metadata" would be
// the name of a secret, and deletions would be acknowledged and not done.
func TestAPathWithinAnEngineIsNoMount(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		for _, mount := range []string{"secret/data", "secret/metadata", "secret/team"} {
			cfg := s.tokenConfig()
			cfg.Mount = mount
			_, _, err := vault.Open(t.Context(), cfg)
			if !errors.Is(err, ports.ErrDenied) || !strings.Contains(err.Error(), mount+" lies within the engine that is mounted at secret") {
				t.Errorf("%s: got the error %v", mount, err)
			}
			cfg.Mount, cfg.TransitMount = "secret", "transit/keys"
			e, err := vault.Examine(t.Context(), cfg)
			if err != nil || !strings.Contains(fmt.Sprint(sick(e.Findings)), "transit/keys lies within the engine that is mounted at transit") {
				t.Errorf("%v, %+v", err, sick(e.Findings))
			}
		}
	})
}

func TestAServiceThatMayReadNothingIsRefusedAtTheStart(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		for _, readable := range []string{"groups", "rings"} {
			prefix := newPrefix()
			cfg := s.withPolicy(t, prefix, fmt.Sprintf(`path "secret/data/%s/%s/*" { capabilities = ["read"] }`, prefix, readable))
			if _, _, err := vault.Open(t.Context(), cfg); !errors.Is(err, ports.ErrDenied) {
				t.Errorf("with %s alone: got the error %v", readable, err)
			}
		}
	})
}

func TestMountPrefixAndNamespaceAreTheConfiguredOnes(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	s.do(t, http.MethodPut, "sys/mounts/team/keys", `{"type":"kv","options":{"version":"2"}}`)
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if ns := r.Header.Get("X-Vault-Namespace"); ns != "team/a" && r.Header.Get("X-Vault-Request") == "true" {
			t.Errorf("%s: the namespace %q", r.URL, ns)
		}
		return nil
	})
	cfg := s.tokenConfig()
	cfg.Mount, cfg.Prefix, cfg.Namespace = "team/keys", "prod/embedseal", "team/a"
	keys := vault.NewKeyStore(mustOpen(t, cfg))
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, http.MethodGet, "team/keys/data/prod/embedseal/rings/acme", ""); !strings.Contains(got.body, material("k1")) {
		t.Errorf("got %s", got.body)
	}
}

func TestNothingOfVaultsEnvironmentIsUsed(t *testing.T) {
	fake, stranger := vaultfake.Start(t), vaultfake.Start(t)
	for name, value := range map[string]string{
		"VAULT_ADDR": stranger.URL(), "VAULT_AGENT_ADDR": stranger.URL(), "VAULT_TOKEN": "hvs.of-the-environment", "VAULT_NAMESPACE": "elsewhere",
		"VAULT_HEADERS": `{"X-Evil":"1"}`, "VAULT_PROXY_ADDR": stranger.URL(), "VAULT_HTTP_PROXY": stranger.URL(), "HTTP_PROXY": stranger.URL(),
		"VAULT_MAX_RETRIES": "7", "VAULT_CLIENT_TIMEOUT": "1ms", "VAULT_RATE_LIMIT": "0.001:1", "VAULT_SRV_LOOKUP": "true",
		"VAULT_WRAP_TTL": "5m", "VAULT_DISABLE_REDIRECTS": "false", "VAULT_TLS_SERVER_NAME": "elsewhere", "NO_PROXY": "",
	} {
		t.Setenv(name, value)
	}
	var requests atomic.Int64
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		requests.Add(1)
		for _, name := range []string{"X-Vault-Namespace", "X-Evil", "X-Vault-Wrap-Ttl"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("%s %s carries %s: %s", r.Method, r.URL, name, v)
			}
		}
		if strings.HasSuffix(r.URL.Path, "/rings/broken") {
			return &vaultfake.Fault{Skip: true, Status: http.StatusInternalServerError}
		}
		return nil
	})
	cfg := fakeSite(fake).tokenConfig()
	keys := vault.NewKeyStore(mustOpen(t, patient(cfg)))
	for range 3 {
		if err := keys.UpdateRing(t.Context(), "acme", replacingWith(sampleKey(t, "k1"))); err != nil {
			t.Fatal(err)
		}
	}
	before := requests.Load()
	if _, err := keys.Ring(t.Context(), "broken"); err == nil || requests.Load()-before != 2 {
		t.Errorf("a read that fails made %d requests, want 2, and the error is %v", requests.Load()-before, err)
	}
	if n := stranger.Requests(); n != 0 {
		t.Errorf("%d requests went to the server of the environment", n)
	}
}

func TestAnEnvironmentThatTheLibraryCannotReadIsNamed(t *testing.T) {
	t.Setenv("VAULT_CACERT", filepath.Join(t.TempDir(), "none"))
	t.Setenv("VAULT_TOKEN", "hunter2")
	_, _, err := vault.Open(t.Context(), fakeSite(vaultfake.Start(t)).tokenConfig())
	if err == nil || !strings.Contains(err.Error(), "VAULT_CACERT") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got the error %v", err)
	}
}

func TestVaultSkipVerifyRefusesTheStart(t *testing.T) {
	cfg := fakeSite(vaultfake.Start(t)).tokenConfig()
	for _, value := range []string{"1", "true", "false", "0", "anything"} {
		t.Setenv("VAULT_SKIP_VERIFY", value)
		if _, _, err := vault.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "VAULT_SKIP_VERIFY") {
			t.Errorf("%s: got the error %v", value, err)
		}
	}
	if err := os.Unsetenv("VAULT_SKIP_VERIFY"); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, cfg)
}

func TestPlainHTTPIsForLoopbackUnlessItIsAskedFor(t *testing.T) {
	fake := vaultfake.Start(t)
	cfg := fakeSite(fake).tokenConfig()
	port := cfg.Addresses[0][strings.LastIndex(cfg.Addresses[0], ":"):]
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "localhost", "LocalHost", "[::1]", "[::ffff:127.0.0.1]"} {
		cfg.Addresses = []string{"http://" + host + port}
		_, closing, err := vault.Open(t.Context(), cfg)
		if err != nil && strings.Contains(err.Error(), "plain http") {
			t.Errorf("%s: %v", host, err)
		}
		if err == nil {
			closing()
		}
	}
	cfg.Addresses, cfg.AllowHTTP = []string{"http://192.0.2.1:8200", "http://127.0.0.1" + port}, true
	if _, closing, err := vault.Open(t.Context(), cfg); err != nil {
		t.Error(err)
	} else {
		closing()
	}
}
