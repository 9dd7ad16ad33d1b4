package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// keepAlive is r for a connection that stays open.
func keepAlive(r request) string { return strings.Replace(r.String(), "Connection: close\r\n", "", 1) }

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func TestAConnectionGoesOnAfterARefusal(t *testing.T) {
	s := open(t)
	conn := s.dial(t)
	from := bufio.NewReader(conn)
	for _, r := range []request{
		{body: "{"}, {body: minimal}, {headers: []string{jsonIs}, body: minimal}, {method: http.MethodGet}, {path: "/nowhere", body: minimal},
		{headers: []string{authorized(), "Content-Type: text/plain"}, body: minimal}, {body: minimal},
		// so little over the cap is read and thrown away
		{body: sized(64<<10 + 1)}, {body: minimal},
	} {
		write(t, conn, keepAlive(r))
		if got := read(t, from, r.method); got.body == "" {
			t.Errorf("%d without a body", got.status)
		}
	}
	write(t, conn, request{body: minimal}.String())
	read(t, from, http.MethodPost).jwt(t)
}

func TestRequestsOnOneConnectionAreAnsweredInOrder(t *testing.T) {
	s := open(t)
	conn := s.dial(t)
	write(t, conn, keepAlive(request{body: minimal})+keepAlive(request{body: "{"})+request{path: "/nowhere"}.String())
	from := bufio.NewReader(conn)
	read(t, from, http.MethodPost).jwt(t)
	for _, want := range []string{"malformed_json", "not_found"} {
		if p := read(t, from, http.MethodPost).problem(t); p.Code != want {
			t.Errorf("got %s, want %s", p.Code, want)
		}
	}
}

// What follows the cap of a chunked body must never be taken for a request.
func TestTheRestOfABodyThatIsTooLargeIsNoRequest(t *testing.T) {
	s := open(t)
	smuggled := keepAlive(request{body: minimal})
	for name, text := range map[string]string{
		"with a length": keepAlive(request{body: sized(600<<10) + smuggled}),
		"chunked":       keepAlive(chunked(sized(600<<10) + smuggled)),
	} {
		conn := s.dial(t)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			_, _ = io.WriteString(conn, text)
		}()
		from := bufio.NewReader(conn)
		if p := read(t, from, http.MethodPost).problem(t); p.Code != "body_too_large" {
			t.Errorf("%s: %s", name, p.Code)
		}
		if rest, _ := io.ReadAll(from); len(rest) > 0 {
			t.Errorf("%s: then came %q", name, rest)
		}
		_ = conn.Close()
		<-wrote
	}
	for _, e := range s.audit.take() {
		if e.Code != "body_too_large" {
			t.Errorf("recorded %+v", e)
		}
	}
}

func TestABodyThatTheClientHoldsBackIsAskedForOrRefused(t *testing.T) {
	s := open(t)
	expect := func(size int, more ...string) string {
		r := request{headers: append([]string{jsonIs, fmt.Sprintf("Content-Length: %d", size), "Expect: 100-continue"}, more...), without: true}
		return r.String()
	}
	conn := s.dial(t)
	from := bufio.NewReader(conn)
	write(t, conn, expect(len(minimal), authorized()))
	if line, err := from.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := from.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	write(t, conn, minimal)
	read(t, from, http.MethodPost).jwt(t)

	for want, text := range map[string]string{
		"body_too_large": expect(1<<20, authorized()), "unauthenticated": expect(len(minimal)), "browser_refused": expect(len(minimal), authorized(), "Origin: null"),
	} {
		if p := s.sendRaw(t, text).problem(t); p.Code != want {
			t.Errorf("got %s, want %s", p.Code, want)
		}
	}
}

func TestHTTP10IsAnswered(t *testing.T) {
	s := open(t)
	text := strings.Replace(request{body: minimal}.String(), "HTTP/1.1", "HTTP/1.0", 1)
	s.sendRaw(t, text).jwt(t)
	text = fmt.Sprintf("POST %s HTTP/1.0\r\n%s\r\n%s\r\nContent-Length: %d\r\n\r\n%s", route, jsonIs, authorized(), len(minimal), minimal)
	s.sendRaw(t, text).jwt(t)
	text = fmt.Sprintf("POST %s HTTP/1.0\r\n%s\r\n%s\r\n\r\n%s", route, jsonIs, authorized(), minimal) // no length, so no body
	if p := s.sendRaw(t, text).problem(t); p.Code != "malformed_json" {
		t.Errorf("got %s", p.Code)
	}
}

// What is not HTTP is answered before anything of ours sees it.
func TestWhatIsNotHTTPIsRefusedAndTheConnectionClosed(t *testing.T) {
	s := open(t)
	for name, text := range map[string]string{
		"no HTTP":                     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"no Host":                     "POST " + route + " HTTP/1.1\r\n" + authorized() + "\r\n\r\n",
		"two hosts":                   strings.Replace(request{body: minimal}.String(), "Host: embedseal.test", "Host: a\r\nHost: b", 1),
		"two lengths":                 request{headers: []string{jsonIs, authorized(), "Content-Length: 3"}, body: minimal}.String(),
		"a negative length":           request{headers: []string{jsonIs, authorized(), "Content-Length: -1"}, without: true}.String(),
		"a space before a colon":      request{headers: []string{jsonIs, "Explo-Authorization : Token x"}, body: minimal}.String(),
		"a continued header":          request{headers: []string{jsonIs, "Explo-Authorization: Token", "\x01 x"}, body: minimal}.String(),
		"a header of 64 KiB":          request{headers: []string{jsonIs, authorized(), "X-Pad: " + strings.Repeat("x", 64<<10)}, body: minimal}.String(),
		"an unknown transfer coding":  request{headers: []string{jsonIs, authorized(), "Transfer-Encoding: gzip"}, body: minimal}.String(),
		"an unknown expectation":      request{headers: []string{jsonIs, authorized(), "Expect: miracles"}, body: minimal}.String(),
		"a path that does not decode": request{path: "/api/%zz", body: minimal}.String(),
		"the preface of HTTP/2":       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		conn := s.dial(t)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			_, _ = io.WriteString(conn, text)
		}()
		got, _ := io.ReadAll(conn)
		_ = conn.Close()
		<-wrote
		status, _, _ := strings.Cut(string(got), "\r\n")
		if !strings.HasPrefix(status, "HTTP/1.1 4") && !strings.HasPrefix(status, "HTTP/1.1 501") && !strings.HasPrefix(status, "HTTP/1.1 505") ||
			strings.Contains(string(got), "jwt\":") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if events := s.audit.take(); len(events) != 0 {
		t.Errorf("recorded %+v", events)
	}
	s.send(t, request{body: minimal}).jwt(t)
}

func TestATunnelIsNotOffered(t *testing.T) {
	s := open(t)
	for _, target := range []string{"vault.internal:8200", "/api/generate_jwt/"} {
		text := "CONNECT " + target + " HTTP/1.1\r\nHost: vault.internal:8200\r\nConnection: close\r\n\r\n"
		if got := s.whole(t, text); !strings.HasPrefix(got, "HTTP/1.1 40") || !strings.Contains(got, "urn:embedseal:problem:") {
			t.Errorf("%s: got %q", target, got)
		}
	}
}

// The timeouts of one test each: where one is missing, the next longer one
// takes its place, and the test takes too long.
const brief, atMost = 200 * time.Millisecond, 5 * time.Second

func TestAHeaderThatDripsIsCutOff(t *testing.T) {
	s := open(t, func(s *setup) { s.config.ReadHeaderTimeout = brief })
	conn := s.dial(t)
	begun := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, b := range []byte(request{body: minimal}.String()) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	got, _ := io.ReadAll(conn)
	if took := time.Since(begun); took < brief/2 || took > atMost || strings.Contains(string(got), "200 OK") {
		t.Errorf("after %s came %q", took, got)
	}
	_ = conn.Close()
	<-done
}

func TestABodyThatDripsIsRefused(t *testing.T) {
	s := open(t, func(s *setup) { s.config.ReadTimeout = brief })
	for name, text := range map[string]string{
		"with a length": request{headers: []string{jsonIs, authorized(), "Content-Length: 47"}, without: true, body: `{"prov`}.String(),
		"chunked":       request{headers: []string{jsonIs, authorized(), "Transfer-Encoding: chunked"}, without: true, body: "6\r\n{\"prov\r\n"}.String(),
	} {
		begun := time.Now()
		got := s.sendRaw(t, text)
		if p := got.problem(t); got.status != http.StatusBadRequest || p.Code != "unreadable_body" {
			t.Errorf("%s: %d %s", name, got.status, p.Code)
		}
		if took := time.Since(begun); took < brief/2 || took > atMost {
			t.Errorf("%s: after %s", name, took)
		}
	}
}

func TestABodyThatEndsEarlyIsRefused(t *testing.T) {
	s := open(t)
	conn := s.dial(t)
	write(t, conn, request{headers: []string{jsonIs, authorized(), "Content-Length: 1000"}, without: true, body: minimal}.String())
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if p := read(t, bufio.NewReader(conn), http.MethodPost).problem(t); p.Code != "unreadable_body" {
		t.Errorf("got %s", p.Code)
	}
	for name, body := range map[string]string{"a bad chunk size": "zz\r\n{}\r\n", "a chunk without its end": "2\r\n{}xx0\r\n\r\n"} {
		r := request{headers: []string{jsonIs, authorized(), "Transfer-Encoding: chunked"}, without: true, body: body}
		if p := s.send(t, r).problem(t); p.Code != "unreadable_body" {
			t.Errorf("%s: got %s", name, p.Code)
		}
	}
}

func TestAConnectionThatSaysNothingMoreIsClosed(t *testing.T) {
	s := open(t, func(s *setup) { s.config.IdleTimeout = brief })
	conn := s.dial(t)
	from := bufio.NewReader(conn)
	write(t, conn, keepAlive(request{body: minimal}))
	read(t, from, http.MethodPost).jwt(t)
	begun := time.Now()
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
		t.Errorf("then came %q, %v", rest, err)
	}
	if took := time.Since(begun); took > atMost-time.Second {
		t.Errorf("after %s", took)
	}
}

func TestAConnectionThatNeverSaysAnythingIsClosed(t *testing.T) {
	s := open(t, func(s *setup) { s.config.ReadHeaderTimeout = brief })
	begun := time.Now()
	if got, err := io.ReadAll(s.dial(t)); err != nil || len(got) > 0 {
		t.Errorf("came %q, %v", got, err)
	}
	if took := time.Since(begun); took > atMost {
		t.Errorf("after %s", took)
	}
}
