package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"syscall"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/ports"
)

// ErrAddressInUse is wrapped by the error of a Listen on a taken port.
var ErrAddressInUse = errors.New("address in use")

// Server is the public listener.
type Server struct {
	cfg      Config
	auth     *app.Authenticator
	minter   *app.Minter
	refusals *app.Refusals
	random   ports.Random
	clock    ports.Clock
	meter    ports.Meter
	log      *slog.Logger
	tokens   *limiter
	failures *limiter
	http     *http.Server
	listener net.Listener
}

// New builds the server; [Server.Listen] and [Server.Serve] start it. The error
// names a trusted proxy that is none.
func New(cfg Config, auth *app.Authenticator, minter *app.Minter, refusals *app.Refusals,
	clock ports.Clock, random ports.Random, meter ports.Meter, log *slog.Logger) (*Server, error) {
	s := &Server{
		cfg: cfg, auth: auth, minter: minter, refusals: refusals, random: random, clock: clock, meter: meter, log: log,
		tokens:   newLimiter(cfg.Rate.Enabled, cfg.Rate.TokenPerSecond, cfg.Rate.TokenBurst, clock),
		failures: newLimiter(cfg.Rate.Enabled, cfg.Rate.FailurePerSecond, cfg.Rate.FailureBurst, clock),
	}
	handler, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: handler,
		// "OPTIONS *" is a request like any other, and gets the answer of its path.
		DisableGeneralOptionsHandler: true,

		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
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

// listen takes address for either listener. purpose stands behind the address in
// the error, and flag is what chooses another.
func listen(ctx context.Context, address, purpose, flag string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("httpapi: listen on %s%s: %w; stop the process that has it, or choose another with %s",
			address, purpose, ErrAddressInUse, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("httpapi: listen on %s%s: %w", address, purpose, err)
	}
	return listener, nil
}

// Serve answers requests until ctx is done, then lets those under way finish:
// for ShutdownTimeout, after which their connections are cut and the error
// says so.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("httpapi: serve: nothing was listened on before")
	}
	done := make(chan error, 1)
	go func() { done <- s.http.Serve(s.listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("httpapi: serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("httpapi: requests were still under way after %s: %w", s.cfg.ShutdownTimeout, err), s.http.Close())
	}
	<-done
	return nil
}

// routes is what there is, and the order of what happens to a request.
func (s *Server) routes() (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	if err := engine.SetTrustedProxies(slices.Clone(s.cfg.TrustedProxies)); err != nil {
		return nil, fmt.Errorf("httpapi: http.trusted_proxies: %w", err)
	}
	engine.RemoteIPHeaders = []string{"X-Forwarded-For"} // gin would also believe X-Real-IP
	engine.Use(s.identify, s.recover)
	engine.NoRoute(func(c *gin.Context) { answerProblem(c, &failure{kind: kindNotFound}) })
	engine.NoMethod(func(c *gin.Context) { answerProblem(c, &failure{kind: kindMethod}) })

	engine.GET("/healthz", health)
	engine.HEAD("/healthz", health)
	// Both spellings, one handler: an answer to a POST is never a redirect.
	for _, path := range []string{"/api/generate_jwt/", "/api/generate_jwt"} {
		engine.POST(path, s.mint)
		if len(s.cfg.BrowserOrigins) > 0 {
			engine.OPTIONS(path, s.preflight)
		}
	}
	return engine, nil
}

func health(c *gin.Context) {
	c.Writer.Header().Set("Content-Type", "application/json")
	c.Writer.WriteHeader(http.StatusOK)
	if c.Request.Method == http.MethodGet {
		_, _ = c.Writer.WriteString("{\"status\":\"ok\"}\n")
	}
}
