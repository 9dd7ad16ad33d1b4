package vaultfake

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenEntry is a token. A zero expiry is never.
type tokenEntry struct {
	policies  []string
	ttl       time.Duration
	expires   time.Time
	limit     time.Time
	renewable bool
}

func (t *tokenEntry) isRoot() bool { return slices.Contains(t.policies, "root") }

// role is one of any auth method.
type role struct {
	policies    []string
	ttl, maxTTL time.Duration
	id          string
	secrets     []string
	certificate *x509.Certificate
	accounts    []string
	namespaces  []string
}

// authenticate finds the token of a request.
func (s *Server) authenticate(bearer string) (*tokenEntry, *answer) {
	if bearer == "" {
		a := failed(http.StatusForbidden, "permission denied")
		return nil, &a
	}
	t := s.tokens[bearer]
	if t == nil || !t.expires.IsZero() && time.Now().After(t.expires) {
		a := failed(http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
		return nil, &a
	}
	return t, nil
}

// Revoke makes a token invalid; every one but the root token if it is empty.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.tokens {
		if t == token || token == "" && t != RootToken {
			delete(s.tokens, t)
		}
	}
}

// issue makes a token and says so as Vault does.
func (s *Server) issue(id string, policies []string, ttl, maxTTL time.Duration, renewable bool) answer {
	if id == "" {
		id = "hvs." + rand.Text()
	}
	t := &tokenEntry{policies: policies, ttl: ttl, renewable: renewable}
	now := time.Now()
	if maxTTL > 0 {
		t.limit = now.Add(maxTTL)
	}
	s.tokens[id] = t
	return t.lease(id)
}

// lease extends the token by its ttl, within its maximum.
func (t *tokenEntry) lease(id string) answer {
	left := t.ttl
	if t.ttl > 0 {
		t.expires = time.Now().Add(t.ttl)
		if !t.limit.IsZero() && t.expires.After(t.limit) {
			t.expires = t.limit
			left = time.Until(t.limit)
		}
	}
	return answer{auth: map[string]any{
		"client_token": id, "accessor": "accessor", "policies": t.policies, "token_policies": t.policies, "metadata": nil,
		"lease_duration": int(left.Round(time.Second).Seconds()), "renewable": t.renewable, "entity_id": "", "token_type": "service",
		"orphan": true, "mfa_requirement": nil, "num_uses": 0,
	}}
}

// login serves auth/<mount>/login.
func (s *Server) login(c *call) answer {
	mount := strings.TrimSuffix(strings.TrimPrefix(c.path, "auth/"), "/login")
	method, found := s.auths[mount]
	if !found { // whoever has no token is not told which mounts there are
		return failed(http.StatusForbidden, "permission denied")
	}
	var r *role
	var refusal answer
	switch method {
	case "approle":
		r, refusal = s.loginAppRole(mount, c.body)
	case "kubernetes":
		r, refusal = s.loginKubernetes(mount, c.body)
	case "cert":
		r, refusal = s.loginCert(mount, c)
	}
	if r == nil {
		return refusal
	}
	s.logins++
	return s.issue("", append([]string{"default"}, r.policies...), r.ttl, r.maxTTL, true)
}

func (s *Server) loginAppRole(mount string, body map[string]any) (*role, answer) {
	for name, r := range s.roles {
		if !strings.HasPrefix(name, mount+"/") || r.id != text(body, "role_id") {
			continue
		}
		switch id := text(body, "secret_id"); {
		case id == "":
			return nil, failed(http.StatusBadRequest, "missing secret_id")
		case slices.Contains(r.secrets, id):
			return r, answer{}
		}
	}
	return nil, failed(http.StatusBadRequest, "invalid role or secret ID")
}

func (s *Server) loginKubernetes(mount string, body map[string]any) (*role, answer) {
	r := s.roles[mount+"/"+text(body, "role")]
	if r == nil {
		return nil, failed(http.StatusBadRequest, fmt.Sprintf("invalid role name %q", text(body, "role")))
	}
	if s.reviewer == nil {
		return nil, failed(http.StatusForbidden, "permission denied")
	}
	namespace, account, ok := s.reviewer(text(body, "jwt"))
	switch {
	case !ok:
		return nil, failed(http.StatusForbidden, "permission denied")
	case !slices.Contains(r.accounts, account):
		return nil, failed(http.StatusForbidden, "service account name not authorized")
	case !slices.Contains(r.namespaces, namespace):
		return nil, failed(http.StatusForbidden, "namespace not authorized")
	}
	return r, answer{}
}

func (s *Server) loginCert(mount string, c *call) (*role, answer) {
	if c.http.TLS == nil {
		return nil, failed(http.StatusBadRequest, "tls connection required")
	}
	if len(c.http.TLS.PeerCertificates) == 0 {
		return nil, failed(http.StatusBadRequest, "invalid certificate or no client certificate supplied")
	}
	for name, r := range s.roles {
		wanted := text(c.body, "name")
		if r.certificate == nil || !strings.HasPrefix(name, mount+"/") || wanted != "" && name != mount+"/"+wanted {
			continue
		}
		pool := x509.NewCertPool()
		pool.AddCert(r.certificate)
		if _, err := c.http.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}); err == nil {
			return r, answer{}
		}
	}
	return nil, failed(http.StatusBadRequest, "invalid certificate or no client certificate supplied")
}

// authAdmin serves what is below auth/, but for log-ins.
func (s *Server) authAdmin(c *call, path string) answer {
	mount, rest, _ := strings.Cut(path, "/")
	if mount == "token" {
		return s.tokenAdmin(c, rest)
	}
	if _, found := s.auths[mount]; !found {
		return noHandler(c.path)
	}
	kind, name, _ := strings.Cut(rest, "/")
	name, property, _ := strings.Cut(name, "/")
	r := s.roles[mount+"/"+name]
	switch {
	case kind == "config":
		return answer{}
	case property == "role-id" && r != nil:
		return answer{mount: "approle", data: map[string]any{"role_id": r.id}}
	case property == "secret-id" && r != nil:
		r.secrets = append(r.secrets, rand.Text())
		return answer{mount: "approle", data: map[string]any{"secret_id": r.secrets[len(r.secrets)-1]}}
	case property != "":
		return failed(http.StatusNotFound)
	}
	s.roles[mount+"/"+name] = newRole(c.body)
	return answer{}
}

func newRole(body map[string]any) *role {
	r := &role{
		policies: list(body, "token_policies"), id: rand.Text(),
		ttl: seconds(body, "token_ttl"), maxTTL: seconds(body, "token_max_ttl"),
		accounts:   list(body, "bound_service_account_names"),
		namespaces: list(body, "bound_service_account_namespaces"),
	}
	if block, _ := pem.Decode([]byte(text(body, "certificate"))); block != nil {
		r.certificate, _ = x509.ParseCertificate(block.Bytes)
	}
	return r
}

func (s *Server) tokenAdmin(c *call, verb string) answer {
	switch verb {
	case "lookup-self":
		return answer{mount: "token", data: map[string]any{
			"id": c.bearer, "path": "auth/token/create", "policies": c.token.policies, "renewable": c.token.renewable,
			"ttl": int(remaining(c.token).Seconds()), "creation_ttl": int(c.token.ttl.Seconds()), "type": "service",
		}}
	case "renew-self":
		if !c.token.renewable {
			return failed(http.StatusBadRequest, "lease is not renewable")
		}
		return c.token.lease(c.bearer)
	case "revoke-self":
		delete(s.tokens, c.bearer)
		return answer{}
	case "revoke":
		delete(s.tokens, text(c.body, "token"))
		return answer{}
	case "create":
		policies := list(c.body, "policies")
		if c.body["no_default_policy"] != true {
			policies = append([]string{"default"}, policies...)
		}
		return s.issue(text(c.body, "id"), policies, seconds(c.body, "ttl"), seconds(c.body, "explicit_max_ttl"), c.body["renewable"] != false)
	}
	return noHandler(c.path)
}

func remaining(t *tokenEntry) time.Duration {
	if t.expires.IsZero() {
		return 0
	}
	return time.Until(t.expires)
}

// list is a member that is a list, or a text with commas.
func list(body map[string]any, name string) []string {
	var all []string
	switch v := body[name].(type) {
	case string:
		all = strings.Split(v, ",")
	case []any:
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
	}
	return all
}

// seconds is a member that is a duration, or a number of seconds.
func seconds(body map[string]any, name string) time.Duration {
	switch v := body[name].(type) {
	case float64:
		return time.Duration(v * float64(time.Second))
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return time.Duration(n) * time.Second
		}
		d, _ := time.ParseDuration(v)
		return d
	}
	return 0
}

// Tokens are all that were ever made and not revoked, expired ones included.
func (s *Server) Tokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.tokens))
}
