package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"embedseal/app"
	"embedseal/ports"
)

// front is what the listeners that take API tokens have in common: who calls, how
// often, and how they are refused.
type front struct {
	auth     *app.Authenticator
	refusals *app.Refusals
	random   ports.Random
	clock    ports.Clock
	meter    ports.Meter
	log      *slog.Logger
	tokens   *limiter
	failures *limiter
}

func newFront(rate RateConfig, auth *app.Authenticator, refusals *app.Refusals,
	clock ports.Clock, random ports.Random, meter ports.Meter, log *slog.Logger) front {
	return front{
		auth: auth, refusals: refusals, random: random, clock: clock, meter: meter, log: log,
		tokens:   newLimiter(rate.Enabled, rate.TokenPerSecond, rate.TokenBurst, clock),
		failures: newLimiter(rate.Enabled, rate.FailurePerSecond, rate.FailureBurst, clock),
	}
}

// newEngine is a router without routes: what is not there is a problem, and no
// answer is a redirect.
func newEngine(first ...gin.HandlerFunc) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	engine.Use(first...)
	engine.NoRoute(func(c *gin.Context) { answerProblem(c, &failure{kind: kindNotFound}) })
	engine.NoMethod(func(c *gin.Context) { answerProblem(c, &failure{kind: kindMethod}) })
	return engine
}

// listen takes address for any listener. purpose stands behind the address in
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

// server is an [http.Server], or the like of one.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// serveUntil answers on the listeners until ctx is done, then lets the requests
// under way finish: for grace, after which their connections are cut and the error
// says so.
func serveUntil(ctx context.Context, server server, grace time.Duration, listeners ...net.Listener) error {
	done := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { done <- server.Serve(l) }()
	}
	running := len(listeners)
	var failed error
	select {
	case err := <-done:
		running--
		failed = fmt.Errorf("httpapi: serve: %w", err)
	case <-ctx.Done():
	}
	if failed != nil {
		failed = errors.Join(failed, server.Close())
	} else {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := server.Shutdown(ending); err != nil {
			failed = errors.Join(fmt.Errorf("httpapi: requests were still under way after %s: %w", grace, err), server.Close())
		}
	}
	for range running {
		<-done
	}
	return failed
}
