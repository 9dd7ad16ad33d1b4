package vaulttest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/vault/vaulttest"
)

// counter is a server that counts what reaches it, behind a proxy.
type counter struct {
	*vaulttest.Proxy
	requests atomic.Int64
	client   *http.Client
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.requests.Add(1)
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(server.Close)
	c.Proxy = vaulttest.NewProxy(t, server.URL)
	transport := &http.Transport{}
	c.client = &http.Client{Transport: transport, Timeout: 5 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// send returns what came back. A body that cannot be sent again keeps
// net/http from trying twice.
func (c *counter) send(t *testing.T, method, path string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.Address()+path, io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func (c *counter) mustSend(t *testing.T) {
	t.Helper()
	if text, err := c.send(t, http.MethodPut, "/"); err != nil || text != "done" {
		t.Fatalf("got %q and %v", text, err)
	}
}

func (c *counter) wantRequests(t *testing.T, want int64) {
	t.Helper()
	if got := c.requests.Load(); got != want {
		t.Errorf("%d requests reached the server, want %d", got, want)
	}
}

func TestAProxyPassesOnWhatItIsGiven(t *testing.T) {
	c := newCounter(t)
	for range 3 {
		c.mustSend(t)
	}
	c.wantRequests(t, 3)
	if got := c.Seen("PUT / "); got != 3 {
		t.Errorf("saw %d requests, want 3", got)
	}
}

func TestADroppedAnswerWasGivenByTheServer(t *testing.T) {
	c := newCounter(t)
	c.mustSend(t)
	c.DropAnswers(2, "PUT /lost")
	for range 2 {
		if text, err := c.send(t, http.MethodPut, "/lost"); err == nil {
			t.Errorf("got %q", text)
		}
		if _, err := c.send(t, http.MethodGet, "/lost"); err != nil {
			t.Errorf("a request that does not match: %v", err)
		}
	}
	c.wantRequests(t, 5)
	c.mustSend(t)
	if c.Dropped() != 2 {
		t.Errorf("dropped %d, want 2", c.Dropped())
	}
}

func TestADroppedRequestNeverReachesTheServer(t *testing.T) {
	c := newCounter(t)
	c.DropRequests(1, "PUT")
	if text, err := c.send(t, http.MethodPut, "/"); err == nil {
		t.Errorf("got %q", text)
	}
	c.wantRequests(t, 0)
	c.mustSend(t)
	c.wantRequests(t, 1)
}

func TestACutProxyResetsOldAndNewConnections(t *testing.T) {
	c := newCounter(t)
	c.mustSend(t)
	c.Cut()
	for range 3 {
		if text, err := c.send(t, http.MethodPut, "/"); err == nil {
			t.Errorf("got %q", text)
		}
	}
	c.Pass()
	c.mustSend(t)
	c.wantRequests(t, 2)
}

func TestWhatABlackHoleHeldArrivesLate(t *testing.T) {
	c := newCounter(t)
	c.mustSend(t)
	c.client.Timeout = 200 * time.Millisecond
	c.BlackHole()
	_, err := c.send(t, http.MethodPut, "/")
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
	c.wantRequests(t, 1)
	c.Pass()
	for deadline := time.Now().Add(5 * time.Second); c.requests.Load() != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was held never arrived")
		}
	}
	c.mustSend(t)
}

func TestADelayIsTakenInEachDirection(t *testing.T) {
	c := newCounter(t)
	c.mustSend(t)
	c.Delay(100 * time.Millisecond)
	begin := time.Now()
	c.mustSend(t)
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("took %s, want 200ms at least", took)
	}
	c.Pass()
	c.mustSend(t)
}

func TestGarbageStandsInForTheAnswer(t *testing.T) {
	c := newCounter(t)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nnonsens")
	c.Garbage(answer)
	if text, err := c.send(t, http.MethodPut, "/"); err != nil || text != "nonsens" {
		t.Errorf("got %q and %v", text, err)
	}
	c.Garbage(bytes.Repeat([]byte{0x15}, 100))
	if text, err := c.send(t, http.MethodPut, "/"); err == nil {
		t.Errorf("got %q", text)
	}
	c.wantRequests(t, 2)
	c.Pass()
	c.mustSend(t)
}

func TestAClosedProxyLeavesNobodyWaiting(t *testing.T) {
	for name, spoil := range map[string]func(*counter){
		"black hole": func(c *counter) { c.BlackHole() },
		"delay":      func(c *counter) { c.Delay(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error, 1)
			t.Run("with a request under way", func(t *testing.T) {
				c := newCounter(t)
				c.mustSend(t)
				spoil(c)
				c.client.Timeout = 0
				go func() {
					r, err := http.NewRequest(http.MethodGet, "http://"+c.Address(), nil)
					if err == nil {
						var answer *http.Response
						if answer, err = c.client.Do(r); err == nil {
							err = fmt.Errorf("answered %s", answer.Status)
						}
					}
					failed <- err
				}()
				for c.Seen("") == 0 {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(20 * time.Millisecond)
			})
			select {
			case err := <-failed:
				if err == nil || strings.Contains(err.Error(), "answered") {
					t.Errorf("got %v, want a broken connection", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("the request still waits")
			}
		})
	}
}
