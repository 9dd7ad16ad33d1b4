package vaulttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take for anything, on a machine that is
// busy with other tests.
const patience = 60 * time.Second

// Server is one Vault process. Whoever starts and ends it does so in one
// goroutine; everything else may be called by any.
type Server struct {
	// Address is where it answers, such as "http://127.0.0.1:10200".
	Address string
	// Token is the root token.
	Token string
	// CAFile is the PEM file of the authority that signed its certificate; empty
	// where Address is plain http.
	CAFile string
	// Proxy is a way to the server that can be spoiled; nil unless the server is
	// a node of a [Cluster].
	Proxy *Proxy

	name      string
	process   *process
	client    *http.Client
	unsealKey string
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.process.kill()
}

// Pause stops the process where it is (SIGSTOP): it holds its connections and
// answers nothing.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.process.signal(t, syscall.SIGSTOP)
}

// Resume lets a paused process go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.process.signal(t, syscall.SIGCONT)
}

// Restart starts the server at the same address, after killing it where it
// still runs, and returns when it answers. A node of a cluster is sealed then;
// a server in memory has forgotten everything, and is not mounted anew.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.process.kill()
	s.start(t)
}

// Running reports whether the process is there, paused or not.
func (s *Server) Running() bool { return s.process.running() }

// Seal seals the server, which takes its answer to everything but its state.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	s.Do(t, http.MethodPut, "sys/seal", nil)
}

// Unseal unseals the server, and returns when it serves or stands by.
//
// The key is handed in once: a node that is about to join takes its time after
// it has said yes, and one that is given the key again meanwhile enters standby
// twice and later does not notice that it has lost leadership.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	accepted := s.unsealed(t)
	s.until(t, "be unsealed", func() bool {
		if !accepted {
			a, err := s.try(t.Context(), http.MethodPut, "sys/unseal", map[string]any{"key": s.unsealKey})
			accepted = err == nil && a.Status == http.StatusOK
			return false // a node that has not found the others yet says no
		}
		return s.unsealed(t)
	})
}

// unsealed reports whether the server serves or stands by.
func (s *Server) unsealed(t testing.TB) bool {
	t.Helper()
	health := s.Health(t)
	return health == http.StatusOK || health == http.StatusTooManyRequests
}

// Health is the status of GET sys/health: 200 serves, 429 stands by, 503 is
// sealed, 501 not initialised, 0 no answer.
func (s *Server) Health(t testing.TB) int {
	t.Helper()
	a, err := s.try(t.Context(), http.MethodGet, "sys/health", nil)
	if err != nil {
		return 0
	}
	return a.Status
}

// Leads reports whether the server takes itself for the leader.
func (s *Server) Leads(t testing.TB) bool {
	t.Helper()
	a, err := s.try(t.Context(), http.MethodGet, "sys/leader", nil)
	if err != nil || a.Status != http.StatusOK {
		return false
	}
	var leader struct {
		IsSelf bool `json:"is_self"`
	}
	return json.Unmarshal(a.Body, &leader) == nil && leader.IsSelf
}

// start starts the process and waits until it answers.
func (s *Server) start(t testing.TB) {
	t.Helper()
	if err := s.process.start(); err != nil {
		t.Fatal(err)
	}
	s.until(t, "answer", func() bool { return s.Health(t) != 0 })
}

// until waits for ready, and fails the test when it takes too long or the
// server ends.
func (s *Server) until(t testing.TB, what string, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ready() {
		if !s.process.running() {
			t.Fatalf("%s ended before it could %s:\n%s", s, what, s.process.tail())
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not %s within %s:\n%s", s, what, patience, s.process.tail())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// mount mounts an engine or, under sys/auth, a method. A cluster that is on its
// way to a leader may take more than one request for that.
func (s *Server) mount(t testing.TB, path string, what map[string]any) {
	t.Helper()
	s.until(t, "mount "+path, func() bool {
		a, err := s.try(t.Context(), http.MethodPost, path, what)
		return err == nil && (a.Status/100 == 2 || bytes.Contains(a.Body, []byte("path is already in use")))
	})
}

// String names the server in a test's output.
func (s *Server) String() string {
	return strings.TrimSpace("vault " + s.name + " at " + s.Address)
}
