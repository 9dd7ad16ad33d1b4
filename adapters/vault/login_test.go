package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/ports"
)

// reader is the policy of the log-ins here.
const reader = `{"policy":"path \"secret/data/*\" { capabilities = [\"read\"] }"}`

func write(t *testing.T, name, content string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// appRole makes a role, and returns its id and a way to make secret ids.
func (s *site) appRole(t *testing.T, settings string) (id string, secretID func() string) {
	t.Helper()
	s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
	s.do(t, http.MethodPut, "sys/auth/approle", `{"type":"approle"}`)
	s.do(t, http.MethodPut, "auth/approle/role/mint", settings)
	id, _ = s.do(t, http.MethodGet, "auth/approle/role/mint/role-id", "").member(t, "data")["role_id"].(string)
	return id, func() string {
		secret, _ := s.do(t, http.MethodPut, "auth/approle/role/mint/secret-id", "").member(t, "data")["secret_id"].(string)
		return secret
	}
}

// wantReads asks for an empty ring, which takes a token that may read.
func wantReads(t *testing.T, b *vault.Backend) {
	t.Helper()
	if r, err := vault.NewKeyStore(b).Ring(t.Context(), "acme"); err != nil || r.Len() != 0 {
		t.Errorf("got %d keys and the error %v", r.Len(), err)
	}
}

// wantRefusedAtStart asks for an error that says it is the credentials.
func wantRefusedAtStart(t *testing.T, cfg vault.Config) {
	t.Helper()
	_, closing, err := vault.Open(t.Context(), cfg)
	if err == nil {
		closing()
	}
	if !errors.Is(err, ports.ErrDenied) {
		t.Errorf("got the error %v, want %v", err, ports.ErrDenied)
	}
}

func TestATokenLogsIn(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
		for name, settings := range map[string]string{
			"renewable":                  `{"policies":["reader"],"ttl":"1h"}`,
			"not renewable":              `{"policies":["reader"],"ttl":"1h","renewable":false}`,
			"without the default policy": `{"policies":["reader"],"ttl":"1h","no_default_policy":true}`,
		} {
			t.Run(name, func(t *testing.T) {
				cfg := s.tokenConfig()
				token := s.newToken(t, settings)
				cfg.Auth.Token = newSecret(token)
				wantReads(t, mustOpen(t, cfg))
				cfg.Auth.Token, cfg.Auth.TokenFile = newSecret(""), write(t, "token", "  "+token+"\r\n")
				wantReads(t, mustOpen(t, cfg))
			})
		}
		cfg := s.tokenConfig()
		for _, bad := range []string{"hvs.nobody", "two words", "line\nbreak", "\x7f"} {
			cfg.Auth.Token = newSecret(bad)
			wantRefusedAtStart(t, cfg)
		}
		cfg.Auth.Token = newSecret("")
		for _, file := range []string{write(t, "empty", " \n"), filepath.Join(t.TempDir(), "none")} {
			cfg.Auth.TokenFile = file
			wantRefusedAtStart(t, cfg)
		}
	})
}

func TestAppRoleLogsInWithTheSecretIDThatTheFileHoldsNow(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		id, secretID := s.appRole(t, `{"token_policies":"reader","token_ttl":"1h"}`)
		file := write(t, "secret-id", secretID()+"\n")
		cfg := s.tokenConfig()
		cfg.Auth = vault.AuthConfig{Method: vault.MethodAppRole, RoleID: id, SecretIDFile: file}
		wantReads(t, mustOpen(t, cfg))

		write(t, file, "not this one")
		wantRefusedAtStart(t, cfg)
		write(t, file, secretID())
		wantReads(t, mustOpen(t, cfg))

		cfg.Auth.SecretIDFile = ""
		wantRefusedAtStart(t, cfg)
		cfg.Auth.SecretID = newSecret(secretID())
		wantReads(t, mustOpen(t, cfg))
		cfg.Auth.RoleID = "nobody"
		wantRefusedAtStart(t, cfg)
		cfg.Auth.RoleID, cfg.Auth.Mount = id, "nowhere"
		wantRefusedAtStart(t, cfg)
	})
}

func TestKubernetesLogsInWithTheTokenThatTheFileHoldsNow(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	fake.Review(func(jwt string) (string, string, bool) { return "prod", "embedseal", jwt == "of-now" })
	s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
	s.do(t, http.MethodPut, "sys/auth/kubernetes", `{"type":"kubernetes"}`)
	role := `{"bound_service_account_names":["%s"],"bound_service_account_namespaces":["%s"],"token_policies":["reader"],"token_ttl":"1h"}`
	s.do(t, http.MethodPut, "auth/kubernetes/role/mint", fmt.Sprintf(role, "embedseal", "prod"))
	s.do(t, http.MethodPut, "auth/kubernetes/role/other", fmt.Sprintf(role, "embedseal", "staging"))
	file := write(t, "jwt", "of-then")
	cfg := s.tokenConfig()
	cfg.Auth = vault.AuthConfig{Method: vault.MethodKubernetes, Role: "mint", JWTFile: file}
	wantRefusedAtStart(t, cfg)
	write(t, file, "of-now\n")
	b := mustOpen(t, cfg)
	wantReads(t, b)
	cfg.Auth.Role = "other"
	wantRefusedAtStart(t, cfg)

	// The file changes while the service runs, and the token is revoked.
	fake.Review(func(jwt string) (string, string, bool) { return "prod", "embedseal", jwt == "of-tomorrow" })
	write(t, file, "of-tomorrow")
	fake.Revoke("")
	wantReads(t, b)
}

func TestACertificateLogsIn(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		ca := vaulttest.NewAuthority(t)
		pem, err := os.ReadFile(ca.File)
		if err != nil {
			t.Fatal(err)
		}
		fake := vaultfake.StartTLS(t, pem)
		s := fakeSite(fake)
		s.client = clientOf(t, fake.CAFile())
		certificateLogsIn(t, s, ca, fake.CAFile())
	})
	t.Run("real", func(t *testing.T) {
		c := vaulttest.StartCluster(t, 1)
		n := c.Nodes[0]
		s := &site{address: c.Addresses()[0], token: n.Token, client: clientOf(t, n.CAFile)}
		certificateLogsIn(t, s, c.CA, n.CAFile)
	})
}

func certificateLogsIn(t *testing.T, s *site, ca *vaulttest.Authority, serverCA string) {
	s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
	s.do(t, http.MethodPut, "sys/auth/cert", `{"type":"cert"}`)
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{"certificate": string(pem), "token_policies": "reader", "token_ttl": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	s.do(t, http.MethodPut, "auth/cert/certs/mint", string(settings))
	cfg := s.tokenConfig()
	cfg.Auth = vault.AuthConfig{Method: vault.MethodCert, Role: "mint"}
	cfg.TLS.CAFile = serverCA
	wantRefusedAtStart(t, cfg) // it shows no certificate
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Client(t, "embedseal")
	wantReads(t, mustOpen(t, cfg))
	cfg.Auth.Role = ""
	wantReads(t, mustOpen(t, cfg))
	cfg.Auth.Role = "other"
	wantRefusedAtStart(t, cfg)
	cfg.Auth.Role = "mint"
	cfg.TLS.CertFile, cfg.TLS.KeyFile = vaulttest.NewAuthority(t).Client(t, "embedseal")
	wantRefusedAtStart(t, cfg)
}

func TestTheSinkOfAnAgentIsWaitedForAndReadAgain(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
		settings := `{"policies":["reader"],"ttl":"1h"}`
		sink := filepath.Join(t.TempDir(), "sink")
		cfg := s.tokenConfig()
		cfg.Auth = vault.AuthConfig{Method: vault.MethodAgent, SinkFile: sink}
		cfg.CallTimeout = 500 * time.Millisecond
		b := mustOpen(t, cfg)
		_, err := vault.NewKeyStore(b).Ring(t.Context(), "acme")
		wantOnly(t, err, ports.ErrUnavailable)
		if errors.Is(err, ports.ErrDenied) || !strings.Contains(err.Error(), sink) {
			t.Errorf("got the error %v, want one that says the sink is not there yet", err)
		}
		first := s.newToken(t, settings)
		write(t, sink, first)
		within(t, 5*time.Second, func() error { return b.Check(t.Context()) })

		cfg.CallTimeout = 3 * time.Second
		b = mustOpen(t, cfg)
		wantReads(t, b)
		s.do(t, http.MethodPut, "auth/token/revoke", `{"token":"`+first+`"}`)
		write(t, sink, s.newToken(t, settings)+"\n")
		wantReads(t, b)
	})
}

// within tries until there is no error, for as long as d.
func within(t *testing.T, d time.Duration, try func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := try()
		took := time.Since(began)
		if err == nil {
			return took
		}
		if took > d {
			t.Fatalf("not within %v: %v", d, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
