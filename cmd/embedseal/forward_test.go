package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/httpapi/proxytest"
)

func TestWhatIsTakenBackIsStoppedAtOnceBehindNginx(t *testing.T) {
	t.Parallel()
	stopsAtOnce(t, proxytest.Between.Nginx)
}

func TestWhatIsTakenBackIsStoppedAtOnceBehindCaddy(t *testing.T) {
	t.Parallel()
	stopsAtOnce(t, proxytest.Between.Caddy)
}

func TestWhatIsTakenBackIsStoppedAtOnceBehindTraefik(t *testing.T) {
	t.Parallel()
	stopsAtOnce(t, proxytest.Between.Traefik)
}

// stopsAtOnce: the real program and a real proxy, and clients that go on asking while
// an operator takes back what they have. From the moment that the operator is told that
// it was done, no request passes that begins: not one.
func stopsAtOnce(t *testing.T, proxy func(proxytest.Between, *testing.T) string) {
	dir := filepath.Join(shortDir(t), "data")
	made := initialise(t, dir, storeBbolt)
	p := start(t, []string{"EMBEDSEAL_OPS_LISTEN=127.0.0.1:0", "EMBEDSEAL_RATE_LIMIT=off"}, "serve", "--data-dir", dir, "--store", storeBbolt, "--listen", "127.0.0.1:0")
	address := p.address(t)
	operator := func(args ...string) { execute(t, append(args, "--data-dir", dir)...).want(t, exitOK) }
	tokenFile := filepath.Join(dir, "proxy-token")
	operator("token", "create", "--name", "proxy", "--scopes", "verify", "--secret-out", tokenFile)
	operator("key", "create", "--id", "leaked", "--secret-out", filepath.Join(dir, "leaked"))
	operator("key", "create", "--id", "retired", "--secret-out", filepath.Join(dir, "retired"))
	dashboard := proxytest.OpenDashboard(t)
	front := proxy(proxytest.Between{Embedseal: address, Dashboard: dashboard.Address, APIToken: strings.TrimSpace(contents(t, tokenFile))}, t)

	mint := func(customer, embed, key string) string {
		a := post(t, address, made.APIToken, fmt.Sprintf(`{"provided_id":%q,"embed_id":%q,"key_id":%q,"rb_allowed_features":["core"],"disable_editable_section_editing":true}`, customer, embed, key))
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.text)
		}
		return a.JWT
	}
	bystander := mint("customer_0", "embed_0", made.KeyID)
	arrived := 0
	for i, c := range []struct {
		name, key string
		args      []string
	}{
		{"the token", made.KeyID, []string{"revoke", "token", "--token-file", filepath.Join(dir, "taken-back"), "--yes"}},
		{"its customer", made.KeyID, []string{"revoke", "customer", "customer_2", "--yes"}},
		{"its embed", made.KeyID, []string{"revoke", "embed", "embed_3", "--yes"}},
		{"all of its key", "leaked", []string{"revoke", "key", "leaked", "--yes"}},
		{"its key is disabled", "retired", []string{"key", "disable", "retired", "--yes"}},
	} {
		customer, embed := fmt.Sprint("customer_", i+1), fmt.Sprint("embed_", i+1)
		crowd := &crowd{proxy: front, token: mint(customer, embed, c.key), bystander: bystander}
		write(t, filepath.Join(dir, "taken-back"), crowd.token)
		crowd.while(t, func() { operator(c.args...) })
		crowd.judge(t, c.name)
		for _, r := range dashboard.Take() {
			arrived++
			whose := map[string]string{crowd.token: customer + " " + embed, bystander: "customer_0 embed_0"}[strings.Split(r.URL.Path, "/")[2]]
			got := proxytest.Embeds(r)
			if got["X-Embed-Customer"]+" "+got["X-Embed-Id"] != whose || got["X-Embed-Features"] != "core,crt-view,fork" || got["X-Embed-Editing"] != "disabled" ||
				got["X-Embed-Expires"] == "" || len(got) != 5 {
				t.Fatalf("%s: arrived for %s: %v", c.name, whose, got)
			}
			if r.Header.Get("Moment") == fmt.Sprint(acknowledged) && whose != "customer_0 embed_0" {
				t.Fatalf("%s: the dashboard was asked after it was acknowledged", c.name)
			}
		}
	}
	// Nobody's answer served for another request.
	_, metrics := fetched(t, http.DefaultClient, "http://"+opsIn(t, &p.stderr)+"/metrics", apispec.Operations)
	if line := fmt.Sprintf("\nembedseal_forward_auth_answers_total{outcome=\"granted\"} %d\n", arrived); !strings.Contains(metrics, line) {
		t.Errorf("%d requests arrived, but:\n%s", arrived, metrics)
	}
}

// The moments at which a request begins: before something is taken back, while the
// operator waits for it, and once it was acknowledged.
const (
	before = iota
	underWay
	acknowledged
	moments
)

const (
	clients = 10
	// requestsEach is how many requests with the token each client makes before, and
	// after it was acknowledged, at the least.
	requestsEach = 20
)

// crowd is clients that go on asking a proxy, three times of four with a token that is
// taken back meanwhile, and once with one that is not.
type crowd struct {
	proxy, token, bystander string

	moment  atomic.Int64
	over    atomic.Bool
	wrong   atomic.Pointer[string]
	asked   [clients][moments]atomic.Int64
	passed  [moments]atomic.Int64
	stopped [moments]atomic.Int64
}

// while has them ask before, during and after do.
func (c *crowd) while(t *testing.T, do func()) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	defer c.over.Store(true)
	for i := range clients {
		all.Go(func() {
			if err := c.ask(i); err != nil {
				text := err.Error()
				c.wrong.Store(&text)
			}
		})
	}
	c.until(t, before)
	c.moment.Store(underWay)
	do()
	c.moment.Store(acknowledged)
	c.until(t, acknowledged)
}

// until waits until each of them has asked often enough at that moment.
func (c *crowd) until(t *testing.T, moment int) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		if wrong := c.wrong.Load(); wrong != nil {
			t.Fatal(*wrong)
		}
		enough := true
		for i := range clients {
			enough = enough && c.asked[i][moment].Load() >= requestsEach
		}
		if enough {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the clients do not get on")
		}
	}
}

// ask is one of them, on one connection, until it is over.
func (c *crowd) ask(client int) error {
	conn, err := net.Dial("tcp", c.proxy)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * patient))
	in := bufio.NewReader(conn)
	for n := 0; !c.over.Load(); n++ {
		token := c.token
		if n%4 == 3 {
			token = c.bystander
		}
		moment := c.moment.Load() // the request begins no earlier
		// The address stays the same, so that whoever kept an answer would give it again.
		lines := append([]string{"GET /iframe/" + token + "/x HTTP/1.1", "Host: dashboard.example", fmt.Sprint("Moment: ", moment)}, proxytest.Spoofed()...)
		if n%2 == 1 {
			slices.Reverse(lines[2:])
		}
		if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
			return err
		}
		response, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		switch {
		case err != nil:
			return err
		case token == c.bystander && response.StatusCode != http.StatusOK:
			return fmt.Errorf("who had nothing to do with it is told %d %s", response.StatusCode, body)
		case token == c.bystander:
			continue
		case response.StatusCode == http.StatusOK:
			c.passed[moment].Add(1)
		case response.StatusCode == http.StatusForbidden:
			c.stopped[moment].Add(1)
		default:
			return fmt.Errorf("neither passed nor refused: %d %s", response.StatusCode, body)
		}
		c.asked[client][moment].Add(1)
	}
	return nil
}

// judge fails the test unless all of them passed before, and none afterwards.
func (c *crowd) judge(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: before %d passed; under way %d passed, %d were stopped; once acknowledged %d passed, %d were stopped", what,
		c.passed[before].Load(), c.passed[underWay].Load(), c.stopped[underWay].Load(), c.passed[acknowledged].Load(), c.stopped[acknowledged].Load())
	if c.stopped[before].Load() != 0 {
		t.Errorf("%s: %d were stopped before", what, c.stopped[before].Load())
	}
	if c.passed[acknowledged].Load() != 0 {
		t.Errorf("%s: %d passed that began after it was acknowledged", what, c.passed[acknowledged].Load())
	}
}
