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
	// told is what the log knows of each component, as it was at that time.
	told map[string]string
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

// The names of components that an answer to /readyz speaks of.
const (
	ComponentStore = "store"
	ComponentAudit = "audit"
)

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

// Watch looks after every component at that interval until ctx is done, so that an
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

// look checks every component, and logs what has changed.
func (o *Ops) look(ctx context.Context) readinessBody {
	report := o.readiness.Check(ctx)
	now, body := o.clock.Now(), readinessBody{Status: statusReady}
	for _, c := range report.Components {
		shown := componentBody{Name: c.Name, Status: statusOK}
		if c.Err != nil {
			f := translate(c.Err)
			shown.Status, shown.Code, shown.Detail = statusAway, f.kind.code, f.kind.detail
			switch {
			case !c.Ready(now):
				body.Status = statusUnavailable
			default:
				until := c.ServesUntil.UTC().Truncate(time.Second)
				shown.ServesUntil = &until
				if body.Status == statusReady {
					body.Status = statusDegraded
				}
			}
		}
		body.Components = append(body.Components, shown)
	}
	if ctx.Err() == nil {
		o.tell(ctx, body, report)
	}
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

// tell logs a change of each component, once.
func (o *Ops) tell(ctx context.Context, body readinessBody, report app.Report) {
	before := make([]string, len(body.Components))
	o.mu.Lock()
	if report.At.Before(o.at) { // one who waited longer may hold an older report
		o.mu.Unlock()
		return
	}
	o.at = report.At
	if o.told == nil {
		o.told = map[string]string{}
	}
	for i, c := range body.Components {
		before[i] = o.told[c.Name]
		o.told[c.Name] = c.state()
	}
	o.mu.Unlock()
	for i, c := range body.Components {
		if now := c.state(); now != before[i] && (before[i] != "" || c.Status != statusOK) {
			o.tellOne(ctx, body.Status, c, report.Components[i].Err)
		}
	}
}

// state is what a line of the log is written about when it changes.
func (c componentBody) state() string {
	switch {
	case c.Status == statusOK:
		return statusOK
	case c.ServesUntil == nil:
		return statusUnavailable + " " + c.Code
	}
	return statusDegraded + " " + c.Code
}

func (o *Ops) tellOne(ctx context.Context, status string, c componentBody, err error) {
	name := map[string]string{ComponentStore: "the store", ComponentAudit: "the audit log"}[c.Name]
	if c.Status == statusOK {
		o.log.LogAttrs(ctx, slog.LevelInfo, name+" answers again")
		return
	}
	attrs := []slog.Attr{slog.String("status", status), slog.String("code", c.Code)}
	if c.ServesUntil != nil {
		attrs = append(attrs, slog.Time("minting_goes_on_until", *c.ServesUntil))
	}
	o.log.LogAttrs(ctx, slog.LevelWarn, name+" is away", append(attrs, slog.Any("error", err))...)
}
