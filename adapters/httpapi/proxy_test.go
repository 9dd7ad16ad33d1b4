package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/httpapi/proxytest"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// protected is a site, a dashboard, and a proxy between the dashboard and its
// clients.
type protected struct {
	*site
	dashboard *proxytest.Dashboard
	proxy     string
	// said is all that the proxy wrote.
	said *proxytest.Said
	// takenBack are the tokens that were.
	takenBack *takenBack
}

// takenBack is what was revoked, by fingerprint.
type takenBack struct{ sync.Map }

func (b *takenBack) Revoked(_ context.Context, _ group.ID, f token.Fingerprint, _ token.Claims, _ key.ID) (bool, error) {
	_, is := b.Load(f)
	return is, nil
}

// behind opens all of it, with that proxy and what is changed in its configuration.
func behind(t *testing.T, proxy func(proxytest.Between, *testing.T) string, change ...string) *protected {
	t.Helper()
	back := &takenBack{}
	p := &protected{site: open(t, func(s *setup) {
		s.policy.ChartEmbedding, s.revocations = true, back
	}), dashboard: proxytest.OpenDashboard(t), takenBack: back, said: &proxytest.Said{}}
	p.proxy = proxy(proxytest.Between{
		Embedseal: p.addr, Dashboard: p.dashboard.Address, APIToken: apiToken("acme", "rw"), Change: change, Said: p.said,
	}, t)
	return p
}

func TestNginxProtectsADashboard(t *testing.T) { behind(t, proxytest.Between.Nginx).protects(t) }

func TestCaddyProtectsADashboard(t *testing.T) { behind(t, proxytest.Between.Caddy).protects(t) }

func TestTraefikProtectsADashboard(t *testing.T) {
	p := behind(t, proxytest.Between.Traefik)
	p.dashboard.CopiesAncestors = true
	p.protects(t)
}

// ask sends a request to the proxy, as it is written.
func (p *protected) ask(t *testing.T, r request) answer {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	return sendOver(t, dialTo(t, "tcp", p.proxy), r.String())
}

func (p *protected) protects(t *testing.T) {
	const origin = "https://your-domain.com"
	good := p.minted(t, `,"embed_origin":"`+origin+`/","rb_allowed_features":["core"],"disable_editable_section_editing":true,"expiration":"PT1H"`)
	short := p.minted(t, `,"expiration":"PT1S"`)
	want := map[string]string{
		"X-Embed-Customer": "customer_1", "X-Embed-Id": "abcde", "X-Embed-Features": "core,crt-view,fork", "X-Embed-Editing": "disabled",
		"X-Embed-Expires": "2026-01-31T11:00:00Z",
	}
	// Caddy and Traefik hand this one on, too; nginx sends it to the browser alone.
	mayHave := map[string]string{"X-Embed-Frame-Ancestors": "frame-ancestors " + origin}
	passes := func(r request) answer {
		t.Helper()
		got := p.ask(t, r)
		seen := p.dashboard.Take()
		if got.status != http.StatusOK || len(seen) != 1 {
			t.Fatalf("%s %.60s: %d %s, %d came through", r.method, r.path, got.status, got.body, len(seen))
		}
		arrived := proxytest.Embeds(seen[0])
		for name, value := range mayHave {
			if arrived[name] == value {
				delete(arrived, name)
			}
		}
		if diff := cmp.Diff(want, arrived); diff != "" {
			t.Errorf("%s %.60s: -want +arrived:\n%s", r.method, r.path, diff)
		}
		return got
	}
	stops := func(status int, r request) {
		t.Helper()
		got := p.ask(t, r)
		if seen := p.dashboard.Take(); got.status != status || len(seen) != 0 {
			t.Errorf("%s %.60s: %d, want %d; %d came through", r.method, r.path, got.status, status, len(seen))
		}
		for _, word := range []string{"expired", "revoked", "malformed", "no_embed_token", "unclear", "key", apiToken("acme", "rw")} {
			if strings.Contains(got.body, word) || strings.Contains(fmt.Sprint(got.header), word) {
				t.Errorf("%.60s: the client is told %q", r.path, word)
			}
		}
	}
	with := func(more ...string) []string { return slices.Concat(more, proxytest.Spoofed()) }

	for _, r := range []request{
		{path: "/iframe/" + good + "/production", headers: with()},
		{path: "/iframe/" + good + "/a%2Fb/%C3%A4?x=1&y=%zz", headers: with()},
		{path: "/assets/app.js", headers: with("Cookie: a=b; __Host-embed_token=" + good)},
		{path: "/?embed_token=" + good, headers: with("Origin: https://app.example", "Sec-Fetch-Site: same-origin", "Authorization: Basic eDp5")},
		{path: "/api/data", headers: with("Embed-Token: " + good)},
		{method: "HEAD", path: "/api/data", headers: with("Embed-Token: " + good)},
		{method: "POST", path: "/api/data", headers: with("Embed-Token: " + good), body: strings.Repeat("x", 20000)},
		{method: "DELETE", path: "/iframe/" + good + "/view/1", headers: with()},
	} {
		got := passes(r)
		if csp := got.header["Content-Security-Policy"]; !slices.Contains(csp, "frame-ancestors "+origin) || !slices.Contains(csp, "default-src 'self'") {
			t.Errorf("%.60s: the browser gets %q", r.path, csp)
		}
		if r.method == "POST" && got.body != "POST 20000" {
			t.Errorf("the dashboard got %s", got.body)
		}
	}
	stops(http.StatusUnauthorized, request{path: "/", headers: with()})
	stops(http.StatusUnauthorized, request{path: "/", headers: with("Authorization: Bearer " + good)})
	stops(http.StatusForbidden, request{path: "/iframe/nonsense/production", headers: with()})
	stops(http.StatusForbidden, request{path: "/iframe/" + tampered(good) + "/production", headers: with()})
	stops(http.StatusForbidden, request{path: "/iframe/" + short + "/x", headers: with("Cookie: embed_token=" + good)})
	// All of them would follow the dots, or leave that to the dashboard.
	for _, hidden := range []string{"/x/../iframe/", "//iframe/", "/%2e/iframe/", "/iframe/" + good + "/%2e%2e/", "/%69frame/x/../", "/IFRAME/"} {
		stops(http.StatusForbidden, request{path: hidden + short + "/", headers: with("Cookie: embed_token=" + good)})
	}

	p.carriesAnyID(t)
	p.underLoad(t, good)
	want["X-Embed-Features"], want["X-Embed-Editing"], want["X-Embed-Expires"], mayHave = "*", "enabled", "2026-01-31T10:00:01Z", nil
	if csp := passes(request{path: "/iframe/" + short + "/x", headers: with()}).header["Content-Security-Policy"]; !slices.Equal(csp, []string{"default-src 'self'"}) {
		t.Errorf("a token that is bound to no origin: the browser gets %q", csp)
	}
	p.clock.advance(time.Second)
	stops(http.StatusForbidden, request{path: "/iframe/" + short + "/x", headers: with()})
}

// carriesAnyID: what stands in an id is text to every proxy, and the longest ids
// fit.
func (p *protected) carriesAnyID(t *testing.T) {
	t.Helper()
	longest := strings.Repeat("\u00e4", 256)
	text := p.send(t, request{body: `{"provided_id":"` + longest + `","embed_id":"{env.EMBEDSEAL_TOKEN} $http_host 100%","chart_id":"` + longest + `"}`}).jwt(t)
	got := p.ask(t, request{path: "/iframe/" + text + "/", headers: []string{}})
	seen := p.dashboard.Take()
	if got.status != http.StatusOK || len(seen) != 1 {
		t.Fatalf("%d, %d came through", got.status, len(seen))
	}
	arrived := proxytest.Embeds(seen[0])
	long := strings.Repeat("%C3%A4", 256)
	if arrived["X-Embed-Customer"] != long || arrived["X-Embed-Chart"] != long || arrived["X-Embed-Id"] != "%7Benv.EMBEDSEAL_TOKEN%7D%20$http_host%20100%25" {
		t.Errorf("arrived %v", arrived)
	}
}

// underLoad: ten clients at once, until their token is revoked, or its key disabled,
// and after it. Nothing that was spoofed comes through, and nothing after that.
func (p *protected) underLoad(t *testing.T, good string) {
	t.Helper()
	text := p.minted(t, `,"key_id":"`+namedKey+`"`)
	p.dashboard.Take()
	var passed, stopped, wrong atomic.Int64
	round := func() {
		var clients sync.WaitGroup
		for range 10 {
			clients.Go(func() {
				conn, err := net.Dial("tcp", p.proxy)
				if err != nil {
					wrong.Add(1)
					return
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				in := bufio.NewReader(conn)
				for i := range 20 {
					r := request{method: "GET", path: "/iframe/" + text + "/x", headers: proxytest.Spoofed()}
					if i%4 == 3 {
						r = request{method: "GET", path: "/", headers: append(proxytest.Spoofed(), "Embed-Token: "+tampered(good))}
					}
					_, _ = io.WriteString(conn, keepAlive(r))
					res, err := http.ReadResponse(in, &http.Request{Method: "GET"})
					if err != nil {
						wrong.Add(1)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					switch res.StatusCode {
					case http.StatusOK:
						passed.Add(1)
					case http.StatusForbidden:
						stopped.Add(1)
					default:
						wrong.Add(1)
					}
				}
			})
		}
		clients.Wait()
	}
	round()
	if passed.Load() != 150 || stopped.Load() != 50 || wrong.Load() != 0 {
		t.Errorf("%d passed, %d were stopped, %d neither", passed.Load(), stopped.Load(), wrong.Load())
	}
	for _, r := range p.dashboard.Take() {
		if arrived := proxytest.Embeds(r); arrived["X-Embed-Customer"] != "customer_1" || strings.Contains(fmt.Sprint(arrived), "evil") {
			t.Fatalf("arrived: %v", arrived)
		}
	}
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		t.Fatal(err)
	}
	p.takenBack.Store(token.FingerprintOf(compact), true)
	passed.Store(0)
	round()
	if seen := p.dashboard.Take(); passed.Load() != 0 || len(seen) != 0 {
		t.Errorf("%d passed and %d came through after the token was revoked", passed.Load(), len(seen))
	}
	text = p.minted(t, `,"key_id":"`+namedKey+`"`)
	round()
	if seen := p.dashboard.Take(); passed.Load() != 150 || len(seen) != 150 {
		t.Errorf("%d passed and %d came through with a new token", passed.Load(), len(seen))
	}
	if err := p.keys.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
		return r.Disable(namedKey, p.clock.Now(), p.clock.Now())
	}); err != nil {
		t.Fatal(err)
	}
	passed.Store(0)
	round()
	if seen := p.dashboard.Take(); passed.Load() != 0 || len(seen) != 0 {
		t.Errorf("%d passed and %d came through after the key was disabled", passed.Load(), len(seen))
	}
}
