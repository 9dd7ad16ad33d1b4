package plainhttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/httpapi/plainhttp"
)

const (
	get  = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
	// long is what no test reaches that does not hang.
	long = 10 * time.Second
)

// transcript is a log that goroutines write.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// underTest is a server with what a test may want of it.
type underTest struct {
	*plainhttp.Server
	addr string
	log  *transcript
	// plain counts the requests that were not left to net/http.
	plain atomic.Int64
	// served has what Serve returned.
	served chan error
}

func newHTTP(handler http.HandlerFunc) (*http.Server, *transcript) {
	l := &transcript{}
	return &http.Server{
		Handler: handler, ErrorLog: log.New(l, "", 0), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: long, ReadTimeout: long, WriteTimeout: long, IdleTimeout: long,
	}, l
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start serves plainly. change, which may be nil, is called before.
func start(t testing.TB, handler http.HandlerFunc, change func(*underTest)) *underTest {
	t.Helper()
	return startOn(t, listen(t), handler, change)
}

func startOn(t testing.TB, l net.Listener, handler http.HandlerFunc, change func(*underTest)) *underTest {
	t.Helper()
	s := &underTest{addr: l.Addr().String(), served: make(chan error, 1)}
	server, transcript := newHTTP(handler)
	s.log = transcript
	s.Server = &plainhttp.Server{HTTP: server, Serves: func(string, string) bool { return true }}
	s.Refuse = func(_ net.Conn, answer []byte) []byte { s.plain.Add(1); return answer }
	if change != nil {
		change(s)
	}
	go func() { s.served <- s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// reference serves with net/http alone, and returns the address.
func reference(t testing.TB, handler http.HandlerFunc, changes ...func(*http.Server)) string {
	t.Helper()
	l := listen(t)
	server, _ := newHTTP(handler)
	for _, change := range changes {
		change(server)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// peer is the client's end of a connection, with all that was read of it.
type peer struct {
	net.Conn
	t    testing.TB
	seen bytes.Buffer
	r    *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(long))
	p := &peer{Conn: conn, t: t}
	p.r = bufio.NewReader(io.TeeReader(conn, &p.seen))
	return p
}

func (p *peer) send(text string) {
	_, _ = io.WriteString(p, text) // whether it arrived, the answer says
}

// answer reads one answer with its body.
func (p *peer) answer(method string) (*http.Response, string, error) {
	resp, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// wants reads an answer of this status.
func (p *peer) wants(status int) (body string) {
	p.t.Helper()
	resp, body, err := p.answer(http.MethodGet)
	if err != nil {
		p.t.Fatalf("no answer: %v", err)
	}
	if resp.StatusCode != status {
		p.t.Fatalf("answered %d, want %d", resp.StatusCode, status)
	}
	return body
}

// ends reads to the end of the connection, which must come now.
func (p *peer) ends() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if len(rest) > 0 {
		p.t.Errorf("before its end the connection said %q", rest)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Errorf("the connection did not end")
	}
}

var dates = regexp.MustCompile(`Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9: ]{13} GMT`)

// undated is what was read, without the times in it.
func (p *peer) undated() string { return dates.ReplaceAllString(p.seen.String(), "Date: then") }

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// echo answers with all that it was told.
func echo(w http.ResponseWriter, r *http.Request) {
	var all bytes.Buffer
	all.WriteString(r.Method + " " + r.RequestURI + " " + r.URL.String() + " " + r.Proto + "\n" + r.Host + "\n")
	_ = r.Header.Write(&all)
	_, err := all.ReadFrom(r.Body)
	if err != nil {
		all.WriteString("\n" + err.Error())
	}
	w.Header().Set("Content-Length", itoa(all.Len()))
	_, _ = w.Write(all.Bytes())
}

// eventually waits for what happens soon.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(long); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// leaksNone fails where more goroutines are left at the end than there were. Tests
// that call it are not parallel.
func leaksNone(t testing.TB) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				all := make([]byte, 64<<10)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, all[:runtime.Stack(all, true)])
			}
		}
	})
}

// failing is a listener that fails at first.
type failing struct {
	net.Listener
	times atomic.Int64
}

type passingError struct{}

func (passingError) Error() string   { return "too many open files" }
func (passingError) Timeout() bool   { return false }
func (passingError) Temporary() bool { return true }

func (l *failing) Accept() (net.Conn, error) {
	if l.times.Add(-1) >= 0 {
		return nil, passingError{}
	}
	return l.Listener.Accept()
}

func TestFailuresToAcceptThatPassAreOutlived(t *testing.T) {
	t.Parallel()
	l := &failing{Listener: listen(t)}
	l.times.Store(2)
	s := startOn(t, l, hello, nil)
	p := dial(t, s.addr)
	p.send(get)
	p.wants(http.StatusOK)
	if got := strings.Count(s.log.String(), "too many open files"); got != 2 {
		t.Errorf("%d failures were logged, want 2: %s", got, s.log)
	}
}

func TestAFailureToAcceptThatStaysEndsTheServer(t *testing.T) {
	t.Parallel()
	l := listen(t)
	s := startOn(t, l, hello, nil)
	_ = l.Close()
	select {
	case err := <-s.served:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
	case <-time.After(long):
		t.Error("Serve goes on without a listener")
	}
}

func TestAPanicIsLoggedWithoutItsValue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value  any
		logged bool
	}{
		"a text":   {"secret-4711", true},
		"an error": {errors.New("secret-4711"), true},
		"an abort": {http.ErrAbortHandler, false},
	} {
		s := start(t, func(http.ResponseWriter, *http.Request) { panic(c.value) }, nil)
		p := dial(t, s.addr)
		p.send(get)
		p.ends()
		if s.plain.Load() != 1 {
			t.Errorf("%s: it was net/http that answered", name)
		}
		if !c.logged {
			if got := s.log.String(); got != "" {
				t.Errorf("%s: logged %q", name, got)
			}
			continue
		}
		eventually(t, name+" is logged", func() bool { return strings.Contains(s.log.String(), "panic") })
		if got := s.log.String(); strings.Contains(got, "4711") || !strings.Contains(got, "server_test.go") {
			t.Errorf("%s: logged %q", name, got)
		}
	}
}

func TestARefusalIsTheAnswerAndTheHandlerNotAsked(t *testing.T) {
	t.Parallel()
	const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	var refuse atomic.Bool
	refuse.Store(true)
	s := start(t, hello, func(s *underTest) {
		s.Refuse = func(conn net.Conn, answer []byte) []byte {
			if _, ok := conn.(*net.TCPConn); !ok {
				t.Errorf("refused is %T", conn)
			}
			if refuse.Load() {
				return append(answer, refusal...)
			}
			return answer
		}
	})
	p := dial(t, s.addr)
	p.send(post)
	p.wants(http.StatusServiceUnavailable)
	if got := p.seen.String(); got != refusal {
		t.Errorf("answered %q", got)
	}
	refuse.Store(false)
	p.send(post)
	if got := p.wants(http.StatusOK); got != "hello" {
		t.Errorf("answered %q", got)
	}
}

// Handlers that end their goroutine, as tests in a handler do, end the connection.
func TestAHandlerThatExitsEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := start(t, func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, nil)
	p := dial(t, s.addr)
	_ = p.SetDeadline(time.Now().Add(2 * time.Second))
	p.send(get)
	p.ends()
}
