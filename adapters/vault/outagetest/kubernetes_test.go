package outagetest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/ports"
)

// apiServer is as much of Kubernetes as the auth method asks: it reviews
// tokens, and takes the one that a pod has now.
type apiServer struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu      sync.Mutex
	current string
	reviews map[string]int // by token
}

const reviewer = "the-reviewer-of-vault"

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &apiServer{key: key, reviews: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.review))
	t.Cleanup(a.Close)
	return a
}

// review answers POST /apis/authentication.k8s.io/v1/tokenreviews.
func (a *apiServer) review(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Spec struct {
			Token     string   `json:"token"`
			Audiences []string `json:"audiences"`
		} `json:"spec"`
	}
	if r.Header.Get("Authorization") != "Bearer "+reviewer || json.NewDecoder(r.Body).Decode(&asked) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	a.reviews[asked.Spec.Token]++
	good := asked.Spec.Token == a.current
	a.mu.Unlock()
	status := map[string]any{"authenticated": good, "audiences": asked.Spec.Audiences}
	if good {
		status["user"] = map[string]any{"username": "system:serviceaccount:shop:embedseal", "uid": "uid-1"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status,
	})
}

// issue makes the token that the pod has from now on, and writes it where the
// kubelet would.
func (a *apiServer) issue(t *testing.T, file string) string {
	t.Helper()
	now := time.Now()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	body := part(map[string]any{"alg": "ES256", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": "https://kubernetes.default.svc", "aud": []string{"vault"}, "sub": "system:serviceaccount:shop:embedseal",
		"iat": now.Unix(), "nbf": now.Add(-time.Second).Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "embedseal", "uid": "uid-1"}},
	})
	sum := sha256.Sum256([]byte(body))
	r, s, err := ecdsa.Sign(rand.Reader, a.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	token := body + "." + base64.RawURLEncoding.EncodeToString(signature)
	a.mu.Lock()
	a.current = token
	a.mu.Unlock()
	if err := os.WriteFile(file+".new", []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil { // as the kubelet does
		t.Fatal(err)
	}
	return token
}

func (a *apiServer) reviewed(token string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reviews[token]
}

func TestKubernetesLogsInWithTheTokenThatThePodHasNow(t *testing.T) {
	s, kubernetes := vaulttest.Kubernetes(t), newAPIServer(t)
	create(t, newReplica(t, s, vault.Config{}), "acme")
	s.Do(t, http.MethodPost, "auth/kubernetes/config", map[string]any{
		"kubernetes_host": kubernetes.URL, "token_reviewer_jwt": reviewer, "disable_local_ca_jwt": true,
	})
	s.Do(t, http.MethodPut, "sys/policies/acl/replica", map[string]any{
		"policy": `path "secret/data/embedseal/*" { capabilities = ["read"] }
			path "secret/data/embedseal/audit/*" { capabilities = ["create", "update", "read"] }`,
	})
	s.Do(t, http.MethodPost, "auth/kubernetes/role/embedseal", map[string]any{
		"bound_service_account_names": "embedseal", "bound_service_account_namespaces": "shop", "audience": "vault",
		"token_policies": "replica", "token_ttl": "3s", "token_max_ttl": "3s",
	})
	file := filepath.Join(t.TempDir(), "token")
	first := kubernetes.issue(t, file)
	cfg := vault.Config{Auth: vault.AuthConfig{Method: vault.MethodKubernetes, Role: "embedseal", JWTFile: file}}
	r := newReplica(t, s, cfg)
	read := func() {
		t.Helper()
		if _, err := r.groups.Group(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
	}
	read()
	second := kubernetes.issue(t, file)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		read()
	}
	if kubernetes.reviewed(first) != 1 || kubernetes.reviewed(second) == 0 || kubernetes.reviewed(second) > 3 {
		t.Errorf("logged in %d times with the first token of the pod and %d times with the second, want once, and once to three times",
			kubernetes.reviewed(first), kubernetes.reviewed(second))
	}

	cfg.Addresses = []string{s.Address}
	for _, c := range []struct {
		what  string
		spoil func(*vault.Config)
	}{
		{"a role that is not there", func(c *vault.Config) { c.Auth.Role = "nobody" }},
		{"a token that Kubernetes does not know", func(c *vault.Config) {
			c.Auth.JWTFile = filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(c.Auth.JWTFile, []byte(first), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		wrong := cfg
		c.spoil(&wrong)
		_, stop, err := vault.Open(t.Context(), wrong)
		if err == nil {
			stop()
		}
		if !errors.Is(err, ports.ErrDenied) {
			t.Errorf("%s: got %v, want %v", c.what, err, ports.ErrDenied)
		}
	}
}
