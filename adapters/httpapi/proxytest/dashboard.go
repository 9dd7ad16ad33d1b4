package proxytest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Dashboard is what stands behind a proxy, and remembers what came to it.
type Dashboard struct {
	// Address is its host and port.
	Address string
	// CopiesAncestors is set before it is asked: it hands X-Embed-Frame-Ancestors to
	// the browser itself, as one behind Traefik has to.
	CopiesAncestors bool

	server *http.Server
	mu     sync.Mutex
	seen   []*http.Request
}

// OpenDashboard runs one until the test ends. It says the method of a request and how
// long its body was, with a policy of its own for the browser.
func OpenDashboard(t *testing.T) *Dashboard {
	t.Helper()
	d := &Dashboard{}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.Address = listener.Addr().String()
	d.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: d}
	go func() { _ = d.server.Serve(listener) }()
	t.Cleanup(d.Close)
	return d
}

// Close ends it: from then on nobody listens there.
func (d *Dashboard) Close() { _ = d.server.Close() }

func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.mu.Lock()
	d.seen = append(d.seen, r)
	d.mu.Unlock()
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	if ancestors := r.Header.Get("X-Embed-Frame-Ancestors"); ancestors != "" && d.CopiesAncestors {
		w.Header().Add("Content-Security-Policy", ancestors)
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprintf(w, "%s %d", r.Method, len(body)) //nolint:gosec // plain text, for a test
}

// Take is what came since it was last asked.
func (d *Dashboard) Take() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// Embeds are the headers of a request that could be taken for embedseal's, also by
// programs that do not tell an underscore from a hyphen. Several of one name are
// joined with "|".
func Embeds(r *http.Request) map[string]string {
	all := map[string]string{}
	for name, values := range r.Header {
		if folded := strings.ToUpper(strings.ReplaceAll(name, "_", "-")); strings.HasPrefix(folded, "X-EMBED") || folded == "EXPLO-AUTHORIZATION" {
			all[name] = strings.Join(values, "|")
		}
	}
	return all
}

// Spoofed are the lines of a header that a client would like the dashboard to
// believe: every name of ours, in several spellings, and some of them twice.
func Spoofed() []string {
	return []string{
		"X-Embed-Customer: evil", "X-Embed-Id: evil", "X-Embed-Chart: evil", "X-Embed-Features: *", "X-Embed-Editing: enabled",
		"X-Embed-Expires: evil", "X-Embed-Frame-Ancestors: evil", "x-embed-chart: evil", "X_Embed_Customer: evil", "X-Embed_Customer: evil",
		"X_Embed-Customer: evil", "x_embed_chart: evil", "Explo-Authorization: Token evil", "X-Original-URI: /", "X-Forwarded-Uri: /",
		"X-EMBED-CUSTOMER: evil", "x-eMbEd-iD: evil", "X-Embed-Customer: evil", "X_EMBED_ID: evil",
	}
}
