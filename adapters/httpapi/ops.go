package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/ports"
)

// OpsConfig is the operations listener.
type OpsConfig struct {
	// Listen is the TCP address, host:port; empty means that there is none.
	Listen string
}

// Ops is the operations listener: for those who run the service, on another
// address than the public one.
type Ops struct {
	cfg       OpsConfig
	readiness *app.Readiness
	metrics   http.Handler
	clock     ports.Clock
	random    ports.Random
	log       *slog.Logger
	http      *http.Server
	listener  net.Listener

	mu sync.Mutex
	// told is what the log knows of the state, as it was at that time.
	told string
	at   time.Time
}

// MetricsHandler answers GET /metrics.
type MetricsHandler http.Handler

// NewOps builds the listener; [Ops.Listen] and [Ops.Serve] start it.
func NewOps(cfg OpsConfig, readiness *app.Readiness, metrics MetricsHandler, clock ports.Clock, random ports.Random, log *slog.Logger) *Ops {
	o := &Ops{cfg: cfg, readiness: readiness, metrics: metrics, clock: clock, random: random, log: log}
	o.http = &http.Server{
		Handler: o.routes(), DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return o
}

// Handler is the whole surface, for tests that want no socket.
func (o *Ops) Handler() http.Handler { return o.http.Handler }

// Listen takes the address. It does nothing, and returns nil, when there is
// none. The error wraps [ErrAddressInUse] for one that is taken.
func (o *Ops) Listen(ctx context.Context) (net.Addr, error) {
	if o.cfg.Listen == "" {
		return nil, nil
	}
	listener, err := listen(ctx, o.cfg.Listen, " for operations", "--ops-listen")
	if err != nil {
		return nil, err
	}
	o.listener = listener
	return listener.Addr(), nil
}

// Serve answers until ctx is done, and then lets go at once: nobody loses
// anything by it. Where nothing is listened on it waits for that only.
func (o *Ops) Serve(ctx context.Context) error {
	if o.listener == nil {
		<-ctx.Done()
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = o.http.Close() })
	defer stop()
	if err := o.http.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("httpapi: serve operations: %w", err)
	}
	return nil
}

func (o *Ops) routes() http.Handler {
	engine := newEngine(func(c *gin.Context) {
		headers(c, o.random)
		c.Next()
	})
	_ = engine.SetTrustedProxies(nil) // nil is always right
	for path, handler := range map[string]gin.HandlerFunc{
		"/healthz": health, "/readyz": o.ready, "/metrics": gin.WrapH(o.metrics),
	} {
		engine.GET(path, handler)
		engine.HEAD(path, handler)
	}
	return engine
}

// The values of "status" in an answer to /readyz.
const (
	statusReady       = "ready"
	statusDegraded    = "degraded"
	statusUnavailable = "unavailable"
	statusOK          = "ok"
	statusAway        = "away"
)

// readiness is the answer to /readyz.
type readinessBody struct {
	// Status is ready, degraded (tokens are minted with what was read before), or
	// unavailable.
	Status     string          `json:"status"`
	Components []componentBody `json:"components"`
}

type componentBody struct {
	Name string `json:"name"`
	// Status is ok or away.
	Status string `json:"status"`
	// Code and Detail are those of the problem that a write would be answered with.
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
	// ServesUntil is until when minting goes on without the component.
	ServesUntil *time.Time `json:"serves_until,omitempty"`
}

// Watch looks after the store at that interval until ctx is done, so that an
// outage is in the log although nobody asks for /readyz.
func (o *Ops) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		o.look(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look checks the store, and logs what has changed.
func (o *Ops) look(ctx context.Context) readinessBody {
	report := o.readiness.Check(ctx)
	store := componentBody{Name: "store", Status: statusOK}
	body := readinessBody{Status: statusReady}
	if report.Store != nil {
		f := translate(report.Store)
		store = componentBody{Name: "store", Status: statusAway, Code: f.kind.code, Detail: f.kind.detail}
		if body.Status = statusUnavailable; report.Ready(o.clock.Now()) {
			until := report.ServesUntil.UTC().Truncate(time.Second)
			body.Status, store.ServesUntil = statusDegraded, &until
		}
	}
	if ctx.Err() == nil {
		o.tell(ctx, body.Status, store, report)
	}
	body.Components = []componentBody{store}
	return body
}

// ready is GET /readyz: 200 as long as tokens can be minted, so that an outage
// of the backend takes no replica out of service that does without it.
func (o *Ops) ready(c *gin.Context) {
	body, status := o.look(c.Request.Context()), http.StatusOK
	if body.Status == statusUnavailable {
		status = http.StatusServiceUnavailable
	}
	text, err := json.Marshal(body)
	if err != nil { // strings and times always encode
		c.Status(http.StatusInternalServerError)
		return
	}
	text = append(text, '\n')
	header := c.Writer.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	if status != http.StatusOK {
		header.Set("Retry-After", "1")
	}
	c.Writer.WriteHeader(status)
	if c.Request.Method == http.MethodGet {
		_, _ = c.Writer.Write(text)
	}
}

// tell logs a change of the state, once.
func (o *Ops) tell(ctx context.Context, status string, store componentBody, report app.Report) {
	err := report.Store
	o.mu.Lock()
	before, changed := o.told, false
	if !report.At.Before(o.at) { // one who waited longer may hold an older report
		o.told, o.at = status+" "+store.Code, report.At
		changed = before != o.told
	}
	o.mu.Unlock()
	switch {
	case !changed, before == "" && err == nil:
		return
	case err == nil:
		o.log.LogAttrs(ctx, slog.LevelInfo, "the store answers again")
		return
	}
	attrs := []slog.Attr{slog.String("status", status), slog.String("code", store.Code)}
	if store.ServesUntil != nil {
		attrs = append(attrs, slog.Time("minting_goes_on_until", *store.ServesUntil))
	}
	o.log.LogAttrs(ctx, slog.LevelWarn, "the store is away", append(attrs, slog.Any("error", err))...)
}
