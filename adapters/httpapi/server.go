package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"embedseal/adapters/httpapi/plainhttp"
	"embedseal/app"
	"embedseal/ports"
)

// ErrAddressInUse is wrapped by the error of a Listen on a taken port.
var ErrAddressInUse = errors.New("address in use")

// Server is the public listener.
type Server struct {
	front
	cfg      Config
	minter   *app.Minter
	verifier *app.Verifier
	gate     *gate
	http     *http.Server
	plain    *plainhttp.Server
	listener net.Listener
}

// New builds the server; [Server.Listen] and [Server.Serve] start it. The error
// names a trusted proxy that is none.
func New(cfg Config, auth *app.Authenticator, minter *app.Minter, verifier *app.Verifier, refusals *app.Refusals,
	clock ports.Clock, random ports.Random, meter ports.Meter, log *slog.Logger) (*Server, error) {
	s := &Server{front: newFront(cfg.Rate, auth, refusals, clock, random, meter, log), cfg: cfg, minter: minter, verifier: verifier, gate: newGate(cfg.MaxWait, clock)}
	handler, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:     s.gated(handler),
		ConnContext: withGateConn,
		// "OPTIONS *" is a request like any other, and gets the answer of its path.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.plain = &plainhttp.Server{HTTP: s.http, Serves: servedPlain, Refuse: s.refuser()}
	return s, nil
}

// Handler is the whole public surface, for tests that want no socket.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Listen takes the address, so that a taken one is known before anything is
// promised. The error wraps [ErrAddressInUse] for that.
func (s *Server) Listen(ctx context.Context) (net.Addr, error) {
	listener, err := listen(ctx, s.cfg.Listen, "", "--listen")
	if err != nil {
		return nil, err
	}
	s.listener = listener
	return listener.Addr(), nil
}

// Serve answers requests until ctx is done, then lets those under way finish:
// for ShutdownTimeout, after which their connections are cut and the error
// says so.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("httpapi: serve: nothing was listened on before")
	}
	return serveUntil(ctx, s.plain, s.cfg.ShutdownTimeout, s.guard(s.listener))
}

// Limits tells what the limiters of the listener have done, and the gate against
// overload where it is on.
func (s *Server) Limits() []LimitCounts {
	all := s.front.Limits()
	if s.gate != nil {
		all = append(all, LimitCounts{Kind: "overload", Allowed: s.gate.allowed.Load(), Refused: s.gate.refused.Load()})
	}
	return all
}

// routes is what there is, and the order of what happens to a request.
func (s *Server) routes() (http.Handler, error) {
	engine := newEngine(s.identify, s.recover)
	if err := engine.SetTrustedProxies(slices.Clone(s.cfg.TrustedProxies)); err != nil {
		return nil, fmt.Errorf("httpapi: http.trusted_proxies: %w", err)
	}
	engine.RemoteIPHeaders = []string{"X-Forwarded-For"} // gin would also believe X-Real-IP

	engine.GET(healthPath, health)
	engine.HEAD(healthPath, health)
	for path, forEver := range map[string]bool{KeepalivePath: false, KeepaliveDigest(): true} {
		module := asset("text/javascript; charset=utf-8", keepalive, forEver)
		engine.GET(path, module)
		engine.HEAD(path, module)
	}
	// Both spellings, one handler: an answer to a POST is never a redirect.
	for path, handle := range map[string]gin.HandlerFunc{"/api/generate_jwt": s.mint, "/api/generate_jwts": s.mintBatch} {
		for _, spelling := range []string{path, path + "/"} {
			engine.POST(spelling, handle)
			if len(s.cfg.BrowserOrigins) > 0 {
				engine.OPTIONS(spelling, s.preflight)
			}
		}
	}
	for _, path := range []string{"/api/verify_jwt/", "/api/verify_jwt"} {
		engine.POST(path, s.verify)
	}
	for _, method := range forwardMethods() {
		engine.Handle(method, forwardRoute, s.forwardAuth)
		engine.Handle(method, forwardRoute+"/*original", s.forwardAuth)
	}
	return engine, nil
}

// servedPlain is true of what is asked so often that it is worth to do without
// net/http's server. A batch is not: it streams.
func servedPlain(method, path string) bool {
	switch path {
	case "/api/generate_jwt/", "/api/generate_jwt", "/api/verify_jwt/", "/api/verify_jwt":
		return method == http.MethodPost
	}
	return method == http.MethodGet && strings.HasPrefix(path, forwardRoute)
}

const healthPath = "/healthz"

func health(c *gin.Context) {
	c.Writer.Header().Set("Content-Type", "application/json")
	c.Writer.WriteHeader(http.StatusOK)
	if c.Request.Method == http.MethodGet {
		_, _ = c.Writer.WriteString("{\"status\":\"ok\"}\n")
	}
}
