package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/entropy"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apispec"
	"embedseal/app"
	"embedseal/ports"
)

// backend is a store that answers a check with err, and lasts until then.
type backend struct {
	err   error
	lasts time.Time
}

func (b *backend) Check(context.Context) error { return b.err }
func (b *backend) LastsUntil() time.Time       { return b.lasts }

func openOps(b *backend, listen string) (*httpapi.Ops, *clock, *logbook) {
	at, logs := &clock{now: time.Date(2026, 1, 31, 10, 0, 0, 500e6, time.UTC)}, &logbook{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	return httpapi.NewOps(httpapi.OpsConfig{Listen: listen}, app.NewReadiness([]app.Component{{Name: httpapi.ComponentStore, Checker: b, Reserve: b}}, at), http.NotFoundHandler(), at, entropy.System{}, log), at, logs
}

func askOps(t *testing.T, o *httpapi.Ops, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	spec(t).Handler(t, apispec.Operations, o.Handler()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%s %s: headers %v", method, path, w.Header())
	}
	return w
}

func TestReadinessSaysWhatIsAwayAndUntilWhenMintingGoesOn(t *testing.T) {
	inside := errors.New("canary of the inside")
	b := &backend{}
	o, at, logs := openOps(b, "")
	for _, step := range []struct {
		err    error
		lasts  time.Duration
		status int
		want   string
	}{
		{nil, 0, 200, `{"status":"ready","components":[{"name":"store","status":"ok"}]}`},
		{ports.ErrSealed, time.Hour, 200, `{"status":"degraded","components":[{"name":"store","status":"away","code":"store_sealed",` +
			`"detail":"the key store is sealed; its operator must open it","serves_until":"2026-01-31T11:00:04Z"}]}`},
		{ports.ErrSealed, 0, 503, `{"status":"unavailable","components":[{"name":"store","status":"away","code":"store_sealed",` +
			`"detail":"the key store is sealed; its operator must open it"}]}`},
		{ports.ErrDenied, -time.Second, 503, `{"status":"unavailable","components":[{"name":"store","status":"away","code":"store_denied",` +
			`"detail":"the key store refuses this service's own credentials"}]}`},
		{ports.ErrUnavailable, -time.Second, 503, `{"status":"unavailable","components":[{"name":"store","status":"away","code":"store_unavailable",` +
			`"detail":"the key store cannot be asked now; try again"}]}`},
		{nil, time.Hour, 200, `{"status":"ready","components":[{"name":"store","status":"ok"}]}`},
	} {
		if b.err = nil; step.err != nil {
			b.err = fmt.Errorf("%w: %w", step.err, inside)
		}
		at.advance(2 * time.Second)
		b.lasts = at.Now().Add(step.lasts)
		w := askOps(t, o, http.MethodGet, "/readyz")
		if w.Code != step.status || strings.TrimSpace(w.Body.String()) != step.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %s\nwant %d %s", step.err, w.Code, w.Body, step.status, step.want)
		}
		if head := askOps(t, o, http.MethodHead, "/readyz"); head.Code != step.status || head.Body.Len() != 0 {
			t.Errorf("HEAD: %d %q", head.Code, head.Body)
		}
	}
	// The cause is in the log, once for each change of the state.
	if got := strings.Count(logs.String(), "the store is away"); got != 4 || !strings.Contains(logs.String(), "canary of the inside") ||
		strings.Count(logs.String(), "the store answers again") != 1 {
		t.Errorf("%d lines tell of an outage:\n%s", got, logs)
	}
}

func TestAnAuditLogThatCannotBeWrittenIsNotReady(t *testing.T) {
	at, logs := &clock{now: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}, &logbook{}
	store, log := &backend{lasts: at.Now().Add(time.Hour)}, &backend{}
	o := httpapi.NewOps(httpapi.OpsConfig{}, app.NewReadiness([]app.Component{
		{Name: httpapi.ComponentStore, Checker: store, Reserve: store},
		{Name: httpapi.ComponentAudit, Checker: log, Wraps: app.ErrAudit},
	}, at), http.NotFoundHandler(), at, entropy.System{}, slog.New(slog.NewTextHandler(logs, nil)))
	for _, step := range []struct {
		store, log    error
		status        int
		whole, ending string
	}{
		{nil, nil, 200, "ready", `{"name":"audit","status":"ok"}]}`},
		{ports.ErrSealed, nil, 200, "degraded", `{"name":"audit","status":"ok"}]}`},
		{ports.ErrSealed, errors.New("canary: disk full"), 503, "unavailable", `{"name":"audit","status":"away","code":"audit_unavailable",` +
			`"detail":"the audit record could not be written, so nothing was done; try again"}]}`},
		{nil, errors.New("canary: disk full"), 503, "unavailable", `"code":"audit_unavailable",` +
			`"detail":"the audit record could not be written, so nothing was done; try again"}]}`},
		{nil, nil, 200, "ready", `{"name":"audit","status":"ok"}]}`},
	} {
		store.err, log.err = step.store, step.log
		at.advance(2 * time.Second)
		w := askOps(t, o, http.MethodGet, "/readyz")
		text := strings.TrimSpace(w.Body.String())
		if w.Code != step.status || !strings.HasPrefix(text, `{"status":"`+step.whole+`","components":[{"name":"store"`) ||
			!strings.HasSuffix(text, step.ending) || strings.Contains(text, "canary") {
			t.Errorf("store %v, log %v: %d %s", step.store, step.log, w.Code, text)
		}
	}
	for line, times := range map[string]int{"the audit log is away": 1, "the audit log answers again": 1, "the store is away": 1, "the store answers again": 1, "canary: disk full": 1} {
		if got := strings.Count(logs.String(), line); got != times {
			t.Errorf("%q is %d times in the log, want %d:\n%s", line, got, times, logs)
		}
	}
}

func TestTheOperationsListenerHasNothingElse(t *testing.T) {
	o, _, _ := openOps(&backend{}, "")
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/healthz", 200}, {"HEAD", "/healthz", 200}, {"GET", "/", 404}, {"GET", "/readyz/", 404},
		{"POST", "/readyz", 405}, {"OPTIONS", "/readyz", 405}, {"POST", "/api/generate_jwt/", 404},
	} {
		w := askOps(t, o, tt.method, tt.path)
		if w.Code != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.status)
		}
		if tt.status < 400 {
			continue
		}
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != tt.status {
			t.Errorf("%s %s: not a problem: %s", tt.method, tt.path, w.Body)
		}
	}
}

func TestTheOperationsListenerIsThereOnlyWhereItIsAskedFor(t *testing.T) {
	none, _, _ := openOps(&backend{}, "")
	if addr, err := none.Listen(t.Context()); addr != nil || err != nil {
		t.Errorf("it listens on %v: %v", addr, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := none.Serve(ctx); err != nil {
		t.Error(err)
	}

	o, _, _ := openOps(&backend{}, "127.0.0.1:0")
	addr, err := o.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Serve(ctx) }()
	response, err := http.Get("http://" + addr.String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	taken, _, _ := openOps(&backend{}, addr.String())
	if _, err := taken.Listen(t.Context()); !errors.Is(err, httpapi.ErrAddressInUse) || !strings.Contains(err.Error(), "--ops-listen") {
		t.Errorf("a taken address: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String()); err == nil {
		t.Error("it still listens")
	}
}
