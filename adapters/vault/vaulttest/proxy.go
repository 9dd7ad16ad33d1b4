package vaulttest

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mode is what a proxy does with what it is given.
type mode int

const (
	pass mode = iota
	cut
	blackHole
	garbage
)

// Proxy passes TCP connections on to a server, until it is told to spoil them.
// It is safe for concurrent use.
//
// What it knows of HTTP is where a request begins, so [Proxy.DropAnswers],
// [Proxy.DropRequests] and [Proxy.Seen] need plain HTTP/1.1 to match anything.
type Proxy struct {
	target   string
	listener net.Listener
	wait     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, whenever a field below changes
	closed  bool
	mode    mode
	delay   time.Duration
	answer  []byte // what garbage says
	answers drop
	request drop
	dropped int
	seen    map[string]int // by request line
	links   map[*link]struct{}
	held    map[int]bool // processes whose connections are a black hole
	dialers func() []int
}

// drop is what is left to be dropped.
type drop struct {
	count int
	match string
}

// NewProxy listens on a port of its own and passes on to target, a host and a
// port. It is closed when the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", local(freePorts(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		target:   strings.TrimPrefix(strings.TrimPrefix(target, "http://"), "https://"),
		listener: l,
		changed:  make(chan struct{}),
		seen:     map[string]int{},
		links:    map[*link]struct{}{},
	}
	t.Cleanup(p.close)
	p.wait.Go(p.accept)
	return p
}

// Address is the host and port of the proxy.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Pass passes everything on again. What a black hole held arrives now, as it
// does after a network was mended.
func (p *Proxy) Pass() {
	p.change(func() {
		p.mode, p.delay, p.held = pass, 0, nil
		p.answers, p.request = drop{}, drop{}
	})
}

// Cut resets every connection, and each new one at once.
func (p *Proxy) Cut() {
	p.change(func() {
		p.mode = cut
		for l := range p.links {
			l.reset()
		}
	})
}

// BlackHole accepts connections and passes nothing on, in either direction.
func (p *Proxy) BlackHole() { p.change(func() { p.mode = blackHole }) }

// Delay passes everything on that much later, in each direction.
func (p *Proxy) Delay(d time.Duration) { p.change(func() { p.mode, p.delay = pass, d }) }

// Garbage passes requests on, and says answer instead of what the server
// answers.
func (p *Proxy) Garbage(answer []byte) {
	p.change(func() { p.mode, p.answer = garbage, slices.Clone(answer) })
}

// DropAnswers lets the next count requests reach the server whose first line,
// such as "POST /v1/secret/data/x HTTP/1.1", contains match. When the server
// answers, having done what was asked, the connection is reset instead.
func (p *Proxy) DropAnswers(count int, match string) {
	p.change(func() { p.answers = drop{count, match} })
}

// DropRequests resets the connection when one of the next count requests is
// sent whose first line contains match: it never reaches the server.
func (p *Proxy) DropRequests(count int, match string) {
	p.change(func() { p.request = drop{count, match} })
}

// Dropped counts the requests and the answers that were dropped.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Seen counts the requests so far whose first line contains match, those that
// were dropped included.
func (p *Proxy) Seen(match string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for line, times := range p.seen {
		if strings.Contains(line, match) {
			count += times
		}
	}
	return count
}

// nameDialers has the proxy find out which of these processes connects.
func (p *Proxy) nameDialers(pids func() []int) { p.change(func() { p.dialers = pids }) }

// hold is a black hole for the connections of that process, or of all.
func (p *Proxy) hold(all bool, pid int) {
	p.change(func() {
		if all {
			p.mode = blackHole
			return
		}
		p.held = map[int]bool{pid: true}
	})
}

func (p *Proxy) change(to func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.change(func() {
		p.closed = true
		for l := range p.links {
			l.reset()
		}
	})
	p.wait.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve passes one connection on.
func (p *Proxy) serve(client *net.TCPConn) {
	l := &link{proxy: p, client: client, gone: make(chan struct{})}
	p.mu.Lock()
	dialers, refuse := p.dialers, p.closed || p.mode == cut
	p.links[l] = struct{}{}
	p.mu.Unlock()
	defer func() {
		l.reset()
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if refuse {
		return
	}
	if dialers != nil {
		l.dialer = dialerOf(client, dialers())
	}
	if !p.gate(l) {
		return
	}
	dialed, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	server := dialed.(*net.TCPConn)
	if !l.joined(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(client, server, l.up) })
	both.Go(func() { l.pump(server, client, l.down) })
	both.Wait()
}

// gate holds what passes on l as long as there is a black hole, and reports
// whether it may pass afterwards.
func (p *Proxy) gate(l *link) bool {
	for {
		p.mu.Lock()
		closed := p.closed || p.mode == cut
		held := p.mode == blackHole || p.held[l.dialer]
		delay, changed := p.delay, p.changed
		p.mu.Unlock()
		switch {
		case closed:
			return false
		case held:
			select {
			case <-changed:
			case <-l.gone:
				return false
			}
			continue
		case delay > 0:
			select {
			case <-time.After(delay):
			case <-l.gone:
				return false
			}
		}
		return true
	}
}

// requestLine is the first line of chunk when a request begins with it.
func requestLine(chunk []byte) string {
	line, _, _ := bytes.Cut(chunk, []byte("\r\n"))
	if len(line) > 1<<10 || !bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
		return ""
	}
	return string(line)
}
