package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Answer is what the server said.
type Answer struct {
	Status int
	Body   []byte
}

// Data decodes the member "data" of the body into v.
func (a Answer) Data(t testing.TB, v any) {
	t.Helper()
	a.member(t, "data", v)
}

// Auth decodes the member "auth" of the body into v.
func (a Answer) Auth(t testing.TB, v any) {
	t.Helper()
	a.member(t, "auth", v)
}

func (a Answer) member(t testing.TB, name string, v any) {
	t.Helper()
	var members map[string]json.RawMessage
	err := json.Unmarshal(a.Body, &members)
	if err == nil {
		err = json.Unmarshal(members[name], v)
	}
	if err != nil {
		t.Fatalf("read %q of %s: %v", name, a.Body, err)
	}
}

// Do sends a request as root, and fails the test unless it is answered with
// success. path is what follows /v1/; body is nil, or becomes JSON.
func (s *Server) Do(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	a := s.Ask(t, method, path, body)
	if a.Status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a
}

// Ask sends a request as root and returns what is answered, whatever that is.
func (s *Server) Ask(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	a, err := s.try(t.Context(), method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (s *Server) try(ctx context.Context, method, path string, body any) (Answer, error) {
	// The context of a test is done when its cleanup runs, which still may call.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.Address+"/v1/"+path, content)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("X-Vault-Token", s.Token)
	answer, err := s.client.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return Answer{Status: answer.StatusCode, Body: text}, nil
}
