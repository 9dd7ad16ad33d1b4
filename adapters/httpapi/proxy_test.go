package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// dashboard is what stands behind a proxy, and remembers what came to it.
type dashboard struct {
	addr string
	mu   sync.Mutex
	seen []*http.Request
}

func openDashboard(t *testing.T) *dashboard {
	t.Helper()
	d := &dashboard{}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		d.mu.Lock()
		d.seen = append(d.seen, r)
		d.mu.Unlock()
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		_, _ = fmt.Fprintf(w, "%s %d", r.Method, len(body))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return d
}

// take is what came since.
func (d *dashboard) take() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// embeds are the headers of a request that could be taken for ours, also by
// programs that do not tell an underscore from a hyphen.
func embeds(r *http.Request) map[string]string {
	all := map[string]string{}
	for name, values := range r.Header {
		if folded := strings.ToUpper(strings.ReplaceAll(name, "_", "-")); strings.HasPrefix(folded, "X-EMBED") || folded == "EXPLO-AUTHORIZATION" {
			all[name] = strings.Join(values, "|")
		}
	}
	return all
}

// protected is a site, a dashboard, and a proxy between the dashboard and its
// clients.
type protected struct {
	*site
	*dashboard
	proxy string
	// takenBack are the tokens that were.
	takenBack *takenBack
}

// takenBack is what was revoked, by fingerprint.
type takenBack struct{ sync.Map }

func (b *takenBack) Revoked(_ context.Context, _ group.ID, f token.Fingerprint, _ token.Claims, _ key.ID) (bool, error) {
	_, is := b.Load(f)
	return is, nil
}

// needs finds a program of the tests' peers. Without it the test is skipped, and
// fails where CI=true.
func needs(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err == nil {
			return path
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s: .ci/peers installs it", name)
		}
		t.Skipf("%s is not installed: apt-get install %s, or make peers", name, name)
	}
	return path
}

// configured is a file of configs/proxy with the addresses of this test, each of
// which must be in it.
func configured(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "proxy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("configs/proxy/%s has no %s", name, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start runs a proxy until the test ends, and waits until it listens.
func start(t *testing.T, addr string, env []string, name string, args ...string) {
	t.Helper()
	var out logbook
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr, command.Env = &out, &out, append(os.Environ(), env...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out.String())
		}
	})
	for range 200 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", name, err, out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen on %s\n%s", name, addr, out.String())
}

func openProtected(t *testing.T) *protected {
	t.Helper()
	back := &takenBack{}
	return &protected{site: open(t, func(s *setup) {
		s.policy.ChartEmbedding, s.revocations = true, back
	}), dashboard: openDashboard(t), takenBack: back}
}

func behindNginx(t *testing.T) *protected {
	t.Helper()
	program := needs(t, "nginx")
	p, dir, port := openProtected(t), t.TempDir(), freePort(t)
	p.proxy = "127.0.0.1:" + port
	user := ""
	if os.Getuid() == 0 { // its workers would be another user's, who cannot enter dir
		user = "user root;\n"
	}
	token := writeFile(t, filepath.Join(dir, "token.conf"), `proxy_set_header Explo-Authorization "Token `+apiToken("acme", "rw")+"\";\n")
	server := writeFile(t, filepath.Join(dir, "dashboard.conf"), configured(t, "nginx.conf",
		"127.0.0.1:8080", p.site.addr, "127.0.0.1:3000", p.dashboard.addr, "listen 8443", "listen "+p.proxy,
		"/etc/nginx/embedseal-token.conf", token, "rate=100r/s", "rate=100000r/s", "burst=200", "burst=100000"))
	main := user + "daemon off;\npid " + dir + "/pid;\nerror_log stderr warn;\nevents {}\nhttp {\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	start(t, p.proxy, nil, program, "-p", dir, "-e", "stderr", "-c", writeFile(t, filepath.Join(dir, "nginx.conf"), main+"include "+server+";\n}\n"))
	return p
}

func behindCaddy(t *testing.T) *protected {
	t.Helper()
	program := needs(t, "caddy")
	p, dir, port := openProtected(t), t.TempDir(), freePort(t)
	p.proxy = "127.0.0.1:" + port
	file := writeFile(t, filepath.Join(dir, "Caddyfile"), "{\n\tadmin off\n\tauto_https off\n}\n"+configured(t, "Caddyfile",
		"127.0.0.1:8080", p.site.addr, "127.0.0.1:3000", p.dashboard.addr, ":8443 {", ":"+port+" {"))
	start(t, p.proxy, []string{"EMBEDSEAL_TOKEN=" + apiToken("acme", "rw"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
		program, "run", "--adapter", "caddyfile", "--config", file)
	return p
}

func TestNginxProtectsADashboard(t *testing.T) { behindNginx(t).protects(t) }

func TestCaddyProtectsADashboard(t *testing.T) { behindCaddy(t).protects(t) }

// spoofed is what a client would like the dashboard to believe.
func spoofed() []string {
	return []string{
		"X-Embed-Customer: evil", "X-Embed-Id: evil", "X-Embed-Chart: evil", "X-Embed-Features: *", "X-Embed-Editing: enabled",
		"X-Embed-Expires: evil", "X-Embed-Frame-Ancestors: evil", "x-embed-chart: evil", "X_Embed_Customer: evil", "X-Embed_Customer: evil",
		"X_Embed-Customer: evil", "x_embed_chart: evil", "Explo-Authorization: Token evil", "X-Original-URI: /", "X-Forwarded-Uri: /",
	}
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
	// Caddy hands this one on, too; nginx sends it to the browser alone.
	mayHave := map[string]string{"X-Embed-Frame-Ancestors": "frame-ancestors " + origin}
	passes := func(r request) answer {
		t.Helper()
		got := p.ask(t, r)
		seen := p.take()
		if got.status != http.StatusOK || len(seen) != 1 {
			t.Fatalf("%s %.60s: %d %s, %d came through", r.method, r.path, got.status, got.body, len(seen))
		}
		arrived := embeds(seen[0])
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
		if seen := p.take(); got.status != status || len(seen) != 0 {
			t.Errorf("%s %.60s: %d, want %d; %d came through", r.method, r.path, got.status, status, len(seen))
		}
		for _, word := range []string{"expired", "revoked", "malformed", "no_embed_token", "unclear", "key", apiToken("acme", "rw")} {
			if strings.Contains(got.body, word) || strings.Contains(fmt.Sprint(got.header), word) {
				t.Errorf("%.60s: the client is told %q", r.path, word)
			}
		}
	}
	with := func(more ...string) []string { return slices.Concat(more, spoofed()) }

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
	// Both nginx and Caddy would follow the dots, or leave that to the dashboard.
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
	seen := p.take()
	if got.status != http.StatusOK || len(seen) != 1 {
		t.Fatalf("%d, %d came through", got.status, len(seen))
	}
	arrived := embeds(seen[0])
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
	p.take()
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
					r := request{method: "GET", path: "/iframe/" + text + "/x", headers: spoofed()}
					if i%4 == 3 {
						r = request{method: "GET", path: "/", headers: append(spoofed(), "Embed-Token: "+tampered(good))}
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
	for _, r := range p.take() {
		if arrived := embeds(r); arrived["X-Embed-Customer"] != "customer_1" || strings.Contains(fmt.Sprint(arrived), "evil") {
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
	if seen := p.take(); passed.Load() != 0 || len(seen) != 0 {
		t.Errorf("%d passed and %d came through after the token was revoked", passed.Load(), len(seen))
	}
	text = p.minted(t, `,"key_id":"`+namedKey+`"`)
	round()
	if seen := p.take(); passed.Load() != 150 || len(seen) != 150 {
		t.Errorf("%d passed and %d came through with a new token", passed.Load(), len(seen))
	}
	if err := p.keys.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
		return r.Disable(namedKey, p.clock.Now(), p.clock.Now())
	}); err != nil {
		t.Fatal(err)
	}
	passed.Store(0)
	round()
	if seen := p.take(); passed.Load() != 0 || len(seen) != 0 {
		t.Errorf("%d passed and %d came through after the key was disabled", passed.Load(), len(seen))
	}
}
