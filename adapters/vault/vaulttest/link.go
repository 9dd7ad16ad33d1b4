package vaulttest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// link is one connection through a [Proxy].
type link struct {
	proxy  *Proxy
	dialer int // the process that made it; 0 if nobody asked
	client *net.TCPConn
	gone   chan struct{} // closed by reset

	mu     sync.Mutex
	server *net.TCPConn
	ended  bool
	lose   bool // the answer to the request under way
}

// joined takes the connection to the server; false when the link has ended.
func (l *link) joined(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

// reset ends both connections without a farewell, so that neither side takes
// it for the end of an answer.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.gone)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		if c != nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}

// pump copies from one side to the other what treat lets pass. The end of what
// one side says is passed on as such, a broken connection as a broken one.
func (l *link) pump(from, to *net.TCPConn, treat func([]byte) (out []byte, more bool)) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			if !l.proxy.gate(l) {
				break
			}
			out, more := treat(chunk[:n])
			if _, err := to.Write(out); err != nil || !more && out == nil {
				break
			}
			if !more { // the last word: let it arrive
				err = io.EOF
			}
		}
		if errors.Is(err, io.EOF) {
			_ = to.CloseWrite()
			return
		}
		if err != nil {
			break
		}
	}
	l.reset()
}

// up treats what the client sends.
func (l *link) up(chunk []byte) ([]byte, bool) {
	p, line := l.proxy, requestLine(chunk)
	p.mu.Lock()
	defer p.mu.Unlock()
	if line != "" {
		p.seen[line]++
	}
	if p.request.takes(line) {
		p.dropped++
		return nil, false
	}
	if p.answers.takes(line) {
		l.mu.Lock()
		l.lose = true
		l.mu.Unlock()
	}
	return chunk, true
}

// down treats what the server sends.
func (l *link) down(chunk []byte) ([]byte, bool) {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lose:
		p.dropped++
		return nil, false
	case p.mode == garbage:
		return p.answer, false
	}
	return chunk, true
}

// takes reports whether this request is one to drop, and counts it.
func (d *drop) takes(line string) bool {
	if d.count == 0 || line == "" || !strings.Contains(line, d.match) {
		return false
	}
	d.count--
	return true
}
