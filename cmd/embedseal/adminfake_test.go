package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// question is what a fake server was asked.
type question struct{ line, body, match, replay, bearer string }

// fakeAdmin is an administration listener that answers what a test wants.
type fakeAdmin struct {
	dir, socket string
	mu          sync.Mutex
	asked       []question
	answer      http.HandlerFunc
}

// shortDir is a directory whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "es")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newFakeAdmin(t *testing.T, answer http.HandlerFunc) *fakeAdmin {
	t.Helper()
	dir := shortDir(t)
	f := &fakeAdmin{dir: dir, socket: filepath.Join(dir, "admin.sock"), answer: answer}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: f}}
	server.Start()
	t.Cleanup(server.Close)
	return f
}

func (f *fakeAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	f.asked = append(f.asked, question{
		line: r.Method + " " + r.URL.RequestURI(), body: strings.TrimSpace(string(body)), match: r.Header.Get("If-Match"),
		replay: r.Header.Get("Idempotency-Key"), bearer: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
	})
	f.mu.Unlock()
	w.Header().Set("X-Request-Id", "mzxw6ytboi4dqnbr")
	f.answer(w, r)
}

// questions are what was asked since the last call.
func (f *fakeAdmin) questions() []question {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

// run runs a verb against the fake.
func (f *fakeAdmin) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return world{}.run(t, append(args, "--data-dir", f.dir)...)
}

// examples are those of the answers in docs/api/openapi.yaml, each as JSON on one
// line.
func examples(t *testing.T) map[string]string {
	t.Helper()
	var document struct {
		Components struct {
			Responses map[string]struct {
				Content map[string]struct {
					Example any `yaml:"example"`
				} `yaml:"content"`
			} `yaml:"responses"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal([]byte(contents(t, filepath.Join(repository, "docs", "api", "openapi.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for name, response := range document.Components.Responses {
		for _, content := range response.Content {
			text, err := json.Marshal(content.Example)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = string(text)
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d examples", len(found))
	}
	return found
}

// say answers with JSON.
func sayJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"0f1e2d3c4b5a6978"`)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body+"\n")
}

// refuse answers with a problem.
func sayProblem(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body+"\n")
}

// always answers every question alike.
func always(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if body == "" {
			w.WriteHeader(status)
			return
		}
		sayJSON(w, status, body)
	}
}
