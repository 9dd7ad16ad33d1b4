// Package vaultfake answers: what would Vault say, if a test could break it at
// any point? It is a server in the test's own process that speaks the part of
// Vault's API that this project uses: KV v2, Transit, tokens, AppRole,
// Kubernetes and TLS certificates, policies, mounts and health. A test compares
// its answers with those of a real server.
package vaultfake

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// RootToken may do everything.
const RootToken = "root"

// Server is the fake. It is safe for concurrent use.
type Server struct {
	http *httptest.Server
	ca   string

	mu        sync.Mutex
	intercept func(*http.Request) *Fault
	reviewer  func(jwt string) (namespace, account string, ok bool)
	sealed    bool
	logins    int
	requests  int

	mounts   map[string]string // path without the slash, type: "kv", "kv1", "transit"
	auths    map[string]string
	secrets  map[string]*secretEntry
	keys     map[string]*transitKey
	policies map[string][]rule
	tokens   map[string]*tokenEntry
	roles    map[string]*role
	quotas   map[string]*quota
}

// Fault is what goes wrong with one request. The zero Fault is nothing.
type Fault struct {
	// Delay comes before everything else.
	Delay time.Duration
	// Skip keeps the request from having an effect.
	Skip bool
	// Lost closes the connection instead of answering; Cut does so after half of
	// the answer.
	Lost, Cut bool
	// Status, Body and Location replace the answer, if there is a status.
	Status         int
	Body, Location string
}

// Start runs a server over plain http until the test ends.
func Start(t testing.TB) *Server { return start(t, nil, false) }

// StartTLS runs a server over TLS that takes client certificates which one of
// those in clientCA (PEM) signed.
func StartTLS(t testing.TB, clientCA []byte) *Server { return start(t, clientCA, true) }

func start(t testing.TB, clientCA []byte, overTLS bool) *Server {
	t.Helper()
	s := &Server{}
	s.Reset()
	s.http = httptest.NewUnstartedServer(s)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	if overTLS {
		s.startTLS(t, clientCA)
	} else {
		s.http.Start()
	}
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

func (s *Server) startTLS(t testing.TB, clientCA []byte) {
	t.Helper()
	s.http.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientCAs: x509.NewCertPool()}
	if s.http.TLS.ClientCAs.AppendCertsFromPEM(clientCA) {
		s.http.TLS.ClientAuth = tls.RequestClientCert // the log-in verifies
	}
	s.http.StartTLS()
	s.ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	if err := os.WriteFile(s.ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// URL is the address to configure.
func (s *Server) URL() string { return s.http.URL }

// CAFile holds the certificate of a server over TLS.
func (s *Server) CAFile() string { return s.ca }

// Reset forgets everything, as a restarted dev server does: what is left is
// the root token, KV v2 at secret/ and Transit at transit/.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = false
	s.mounts = map[string]string{"secret": "kv", "transit": "transit"}
	s.auths = map[string]string{"token": "token"}
	s.secrets, s.keys = map[string]*secretEntry{}, map[string]*transitKey{}
	s.policies = map[string][]rule{}
	s.tokens = map[string]*tokenEntry{RootToken: {policies: []string{"root"}}}
	s.roles, s.quotas = map[string]*role{}, map[string]*quota{}
}

// Intercept asks f about every request from now on; nil asks nobody. f may be
// called from several goroutines.
func (s *Server) Intercept(f func(*http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Review makes f say whose a Kubernetes token is.
func (s *Server) Review(f func(jwt string) (namespace, account string, ok bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reviewer = f
}

// Seal makes every call answer 503, and Unseal ends that.
func (s *Server) Seal() { s.setSealed(true) }

// Unseal ends Seal. Tokens and data are as they were.
func (s *Server) Unseal() { s.setSealed(false) }

func (s *Server) setSealed(sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = sealed
}

// Logins is how many log-ins have succeeded, and Requests how many requests
// have come.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// Requests is how many requests have come.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	intercept := s.intercept
	s.requests++
	s.mu.Unlock()
	var f Fault
	if intercept != nil {
		if asked := intercept(r); asked != nil {
			f = *asked
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			if f.Skip {
				panic(http.ErrAbortHandler)
			}
		}
	}
	a := answer{}
	if !f.Skip {
		a = s.serve(r, body)
	}
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		a = answer{status: f.Status, text: f.Body}
		if f.Location != "" {
			w.Header().Set("Location", f.Location)
		}
	}
	write(w, a, f.Cut)
}

// answer is a status with the members of an envelope, errors, or a text.
type answer struct {
	status int
	data   any
	auth   any
	mount  string
	errors []string
	text   string
	// bare answers data without an envelope.
	bare bool
}

func failed(status int, errors ...string) answer {
	if errors == nil {
		errors = []string{}
	}
	return answer{status: status, errors: errors}
}

func (a answer) encode() []byte {
	var v any
	switch {
	case a.text != "":
		return []byte(a.text)
	case a.errors != nil:
		v = map[string]any{"errors": a.errors}
	case a.bare:
		v = a.data
	case a.data == nil && a.auth == nil:
		return nil
	default:
		v = map[string]any{
			"request_id": "00000000-0000-4000-8000-000000000000", "lease_id": "", "renewable": false, "lease_duration": 0,
			"data": a.data, "wrap_info": nil, "warnings": nil, "auth": a.auth, "mount_type": a.mount,
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a test's own making
	}
	return append(b, '\n')
}

func write(w http.ResponseWriter, a answer, cut bool) {
	b := a.encode()
	if a.status == 0 {
		a.status = http.StatusOK
		if len(b) == 0 {
			a.status = http.StatusNoContent
		}
	}
	if len(b) > 0 && strings.HasPrefix(string(b), "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	if !cut {
		w.WriteHeader(a.status)
		_, _ = w.Write(b) //nolint:gosec // no browser sees what a test asks for
		return
	}
	w.Header().Set("Content-Length", "100000")
	w.WriteHeader(a.status)
	_, _ = w.Write(b[:len(b)/2]) //nolint:gosec // as above
	panic(http.ErrAbortHandler)
}
