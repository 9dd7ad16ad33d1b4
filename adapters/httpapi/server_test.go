package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/httpapi"
)

// held holds every request in its audit record until the gate is opened.
func held(s *setup) {
	s.audit.entered, s.audit.gate = make(chan struct{}, 10), make(chan struct{})
}

func TestRequestsUnderWayAreAnsweredBeforeTheServerEnds(t *testing.T) {
	s := open(t, held)
	answers := make(chan answer, 1)
	go func() { answers <- s.send(t, request{body: minimal}) }()
	<-s.audit.entered
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()

	for { // until nobody listens
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		_ = conn.Close()
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended before the request: %v", err)
	case a := <-answers:
		t.Fatalf("answered without a record: %d", a.status)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.audit.gate)
	(<-answers).jwt(t)
	if err := <-ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestRequestsThatTakeTooLongAreCutOffAndTheErrorSaysSo(t *testing.T) {
	s := open(t, held, func(s *setup) { s.config.ShutdownTimeout = 50 * time.Millisecond })
	conn := s.dial(t)
	write(t, conn, request{body: minimal}.String())
	<-s.audit.entered
	err := s.stop()
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), "still under way after 50ms") {
		t.Errorf("Serve returned %v", err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("the request was answered all the same")
	}
	close(s.audit.gate)
}

func TestIdleConnectionsDoNotHoldUpTheEnd(t *testing.T) {
	s := open(t)
	conn := s.dial(t)
	write(t, conn, keepAlive(request{body: minimal}))
	buffer := make([]byte, 4096)
	if _, err := conn.Read(buffer); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestATakenPortIsNamedWithWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	addr := taken.Addr().String()
	server, err := httpapi.New(httpapi.Config{Listen: addr}, nil, nil, nil, nil, nil, nil, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Listen(t.Context())
	if !errors.Is(err, httpapi.ErrAddressInUse) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "--listen") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressThatIsNoneIsNamed(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:99999", "203.0.113.200:0", "nonsense"} {
		server, err := httpapi.New(httpapi.Config{Listen: listen}, nil, nil, nil, nil, nil, nil, nil, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = server.Listen(t.Context()); err == nil || errors.Is(err, httpapi.ErrAddressInUse) || !strings.Contains(err.Error(), listen) {
			t.Errorf("%s: got %v", listen, err)
		}
	}
}

func TestServeNeedsAnAddressFirst(t *testing.T) {
	server, err := httpapi.New(httpapi.Config{Listen: "127.0.0.1:0"}, nil, nil, nil, nil, nil, nil, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(t.Context()); err == nil {
		t.Error("Serve listens to nothing")
	}
}

func TestAServerToldToStopBeforeItBeganEndsWell(t *testing.T) {
	server, err := httpapi.New(httpapi.Config{Listen: "127.0.0.1:0", ShutdownTimeout: time.Second}, nil, nil, nil, nil, nil, nil, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	addr, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Serve(ctx); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", addr.String()); err == nil {
		_ = conn.Close()
		t.Error("somebody still listens")
	}
}

func TestTheHandlerIsTheServerWithoutASocket(t *testing.T) {
	s := open(t)
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, route, strings.NewReader(minimal))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+apiToken("acme", "rw"))
	s.server.Handler().ServeHTTP(w, r)
	answer{status: w.Code, header: w.Header(), body: w.Body.String()}.jwt(t)
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	entered := make(chan struct{}, 1)
	s := open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, entered: entered} })
	conn := s.dial(t)
	write(t, conn, request{body: minimal}.String())
	<-entered
	_ = conn.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if events := s.audit.take(); len(events) == 1 {
			if events[0].Code != "timeout" {
				t.Errorf("recorded %+v", events[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the request goes on without its client")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAnAnswerThatComesTooLateIsNotWritten(t *testing.T) {
	s := open(t, held, func(s *setup) { s.config.WriteTimeout = brief })
	conn := s.dial(t)
	write(t, conn, request{body: minimal}.String())
	<-s.audit.entered
	time.Sleep(2 * brief)
	close(s.audit.gate)
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("came %q", got)
	}
}
