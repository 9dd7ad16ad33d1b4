package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/httpapi/proxytest"
)

// A proxy is most talkative when a server behind it is away, and what it then says may
// have the request in it.
func TestNginxWritesNoTokenToItsLog(t *testing.T) {
	limit := []string{"rate=100r/s", "rate=1r/m", "burst=200", "burst=5"}
	p := behind(t, proxytest.Between.Nginx, limit...)
	p.saysNone(t, p.fails(t, http.StatusInternalServerError, true))
	p = behind(t, proxytest.Between.Nginx, append(limit, "error_log /dev/null emerg;", "")...)
	p.saysOne(t, p.fails(t, http.StatusInternalServerError, true))
}

func TestCaddyWritesNoTokenToItsLog(t *testing.T) {
	p := behind(t, proxytest.Between.Caddy)
	p.saysNone(t, p.fails(t, http.StatusBadGateway, false))
	p = behind(t, proxytest.Between.Caddy, "request>uri delete", "", "request>headers delete", "")
	p.saysOne(t, p.fails(t, http.StatusBadGateway, false))
}

// Traefik does so by itself, at its own level of logging.
func TestTraefikWritesNoTokenToItsLog(t *testing.T) {
	p := behind(t, proxytest.Between.Traefik)
	p.saysNone(t, p.fails(t, http.StatusInternalServerError, false))
}

// fails asks with tokens in every place: while all is well, while the dashboard is
// away, while embedseal is away too, which the client is told with a status, and, of a
// proxy that has a limit on clients, beyond it. It returns the tokens.
func (p *protected) fails(t *testing.T, without int, limited bool) []string {
	t.Helper()
	good := p.minted(t, "")
	bad := tampered(good)
	asks := func(status int) {
		t.Helper()
		for _, r := range []request{
			{path: "/iframe/" + good + "/x", headers: []string{"Referer: http://" + p.proxy + "/iframe/" + good + "/x"}},
			{path: "/?embed_token=" + good, headers: []string{"Embed-Token: " + good, "Cookie: embed_token=" + good}},
		} {
			if got := p.ask(t, r); got.status != status {
				t.Fatalf("%.40s: %d, want %d", r.path, got.status, status)
			}
		}
	}
	asks(http.StatusOK)
	if got := p.ask(t, request{path: "/iframe/" + bad + "/x"}); got.status != http.StatusForbidden {
		t.Fatalf("a token that is not good: %d", got.status)
	}
	p.dashboard.Close()
	asks(http.StatusBadGateway)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if got := p.ask(t, request{path: "/iframe/" + good + "/x"}); got.status != without {
		t.Fatalf("without embedseal: %d, want %d", got.status, without)
	}
	if limited {
		asks(http.StatusServiceUnavailable)
	}
	return []string{good, bad}
}

// says is whether one of the tokens was written, or as much of it as can be known
// where a line was cut.
func (p *protected) says(tokens []string) bool {
	text := p.said.String()
	for _, token := range tokens {
		if end := strings.LastIndex(token, "."); strings.Contains(text, token[:end]) || strings.Contains(text, token[end:]) {
			return true
		}
	}
	return false
}

func (p *protected) saysNone(t *testing.T, tokens []string) {
	t.Helper()
	time.Sleep(200 * time.Millisecond) // what it has to say comes after its answer
	if p.says(tokens) {
		t.Errorf("a token was written:\n%s", p.said.String())
	}
}

// saysOne is the other half: without the lines that keep tokens back there is one, and
// so [protected.saysNone] looks where one would be.
func (p *protected) saysOne(t *testing.T, tokens []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !p.says(tokens); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no token was written")
		}
	}
}
