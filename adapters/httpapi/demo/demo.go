// Package demo answers: what does it look like when it works? It is two web servers
// for people who try embedseal out: the page of an application, and a dashboard of
// another origin that is embedded in it and asks embedseal about every request.
//
// Both speak to embedseal over its public listener as any other program would. Both
// are for one person on one machine: there is one session, and it is everybody's.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"embedseal/domain/secret"
)

// The customer and the dashboard of every token, and how long one lives.
const (
	Customer = "customer_1"
	Embed    = "sales"
	Lifetime = 15 * time.Second
)

// Config is what the two servers need.
type Config struct {
	// Server is the address of embedseal's public listener, host:port.
	Server string
	// APIToken may mint and verify.
	APIToken secret.Text
	// Keepalive is the path of the module on that listener.
	Keepalive string
	// Revoke takes back every token that the customer has.
	Revoke func(ctx context.Context, customer string) error
	// Host is the address that the page of the application is served on, host:port.
	Host string
}

// Demo is the two servers.
type Demo struct {
	host, dashboard         *http.Server
	onHost, onDashboard     net.Listener
	hostOrigin, otherOrigin string
	dashboardOrigin         string
}

// Listen takes both addresses; that of the dashboard is a free one on the same
// machine. [Demo.Serve] answers.
func Listen(ctx context.Context, cfg Config) (*Demo, error) {
	var lc net.ListenConfig
	onHost, err := lc.Listen(ctx, "tcp", cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("demo: listen on %s: %w", cfg.Host, err)
	}
	address, _, err := net.SplitHostPort(onHost.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %w", err), onHost.Close())
	}
	onDashboard, err := lc.Listen(ctx, "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: listen for the dashboard: %w", err), onHost.Close())
	}
	_, port, err := net.SplitHostPort(onHost.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("demo: %w", err), onHost.Close(), onDashboard.Close())
	}
	d := &Demo{
		onHost: onHost, onDashboard: onDashboard,
		hostOrigin: "http://" + onHost.Addr().String(), otherOrigin: "http://localhost:" + port,
		dashboardOrigin: "http://" + onDashboard.Addr().String(),
	}
	seal := client{server: "http://" + cfg.Server, token: cfg.APIToken}
	host := &host{
		seal: seal, revoke: cfg.Revoke, origin: d.hostOrigin, other: d.otherOrigin, dashboard: d.dashboardOrigin,
		module: seal.server + cfg.Keepalive,
	}
	dashboard := &dashboard{seal: seal, host: d.hostOrigin, started: time.Now()}
	d.host, d.dashboard = server(only(host.handler(), d.hostOrigin, d.otherOrigin)), server(only(dashboard.handler(), d.dashboardOrigin))
	return d, nil
}

func server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// only lets requests through that name one of these origins in Host: a page of
// somebody else's name that leads here gets nothing.
func only(next http.Handler, origins ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, origin := range origins {
			if "http://"+r.Host == origin {
				next.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, "this is another host", http.StatusMisdirectedRequest)
	})
}

// URL is that of the page to open, and Elsewhere the same page under an origin that
// no token is for.
func (d *Demo) URL() string { return d.hostOrigin + "/" }

// Elsewhere is the same page under an origin that no token is for.
func (d *Demo) Elsewhere() string { return d.otherOrigin + "/" }

// Dashboard is the origin of the dashboard.
func (d *Demo) Dashboard() string { return d.dashboardOrigin }

// Serve answers until ctx is done, and then lets go at once.
func (d *Demo) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _, _ = d.host.Close(), d.dashboard.Close() })
	defer stop()
	done := make(chan error, 2)
	go func() { done <- d.host.Serve(d.onHost) }()
	go func() { done <- d.dashboard.Serve(d.onDashboard) }()
	err := <-done
	_, _ = d.host.Close(), d.dashboard.Close()
	<-done
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("demo: serve: %w", err)
	}
	return nil
}
