package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"embedseal/adapters/datadir"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/demo"
	"embedseal/adapters/vault"
	"embedseal/app"
	"embedseal/configs"
)

// demoListen is where the page is; its port stands in docs/guides/embed.md.
const demoListen = "127.0.0.1:8090"

// demonstration is what demo prints.
type demonstration struct {
	URL       string `json:"url"`
	Elsewhere string `json:"elsewhere"`
	Dashboard string `json:"dashboard"`
	Server    string `json:"server"`
	Audit     string `json:"audit"`
}

func (p *program) demoCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show an embedded dashboard whose token renews itself",
		Long: "demo serves a page with a dashboard of another origin in it, on loopback, until a signal ends it. The\n" +
			"dashboard asks embedseal about every request, its token lasts 15 seconds, and the page renews it without\n" +
			"a reload. Keys and tokens are in memory. No configuration is read.",
		Example: "  embedseal demo\n  embedseal demo --listen 127.0.0.1:9000",
	}
	c.Flags().StringVar(&listen, "listen", demoListen, "address of the page, on loopback (IPv4); the other servers take free ports")
	// In the place of the flag that every verb has.
	c.Flags().String("config", "", "")
	_ = c.Flags().MarkHidden("config") // there is that flag
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			if c.Flags().Changed("config") {
				return usage(errors.New("the demo reads no configuration: leave out --config"))
			}
			return p.demonstrate(c.Context(), listen)
		})
	}
	return c
}

// demonstrate runs a server in memory, and the two of the demo before it.
func (p *program) demonstrate(ctx context.Context, listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return usage(fmt.Errorf("--listen: %w", err))
	}
	if !vault.Loopback(host) {
		return usage(fmt.Errorf("the demo is served on loopback only, not on %s", listen))
	}
	if strings.Contains(host, ":") {
		return usage(fmt.Errorf("the demo is served on IPv4 only, not on %s: frame-ancestors cannot name an IPv6 address, so that no browser would show the dashboard", listen))
	}
	dir, remove, err := temporaryDir(demoDir)
	if err != nil {
		return err
	}
	defer remove()
	cfg, err := configs.Load(configs.Input{Environ: []string{}, Unread: unread(serverKeys()), Flags: map[string]string{
		"store": storeMemory, "http.listen": net.JoinHostPort(host, "0"), "admin.socket": datadir.At(dir).Path(datadir.AdminSocket),
		"audit.path": filepath.Join(dir, datadir.AuditLog), "log.level": "warn",
	}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	started := false
	err = p.serve(ctx, cfg, func(ctx context.Context, b *app.Bootstrapper, addr, _ string) error {
		d, err := p.stage(ctx, cfg, listen, b, addr)
		if err != nil {
			return err
		}
		started = true
		go func() {
			defer cancel()
			done <- d.Serve(ctx)
		}()
		return nil
	})
	cancel()
	if started {
		err = errors.Join(err, <-done)
	}
	return err
}

// stage makes what the demo needs, and says where it is.
func (p *program) stage(ctx context.Context, cfg configs.Config, listen string, b *app.Bootstrapper, addr string) (*demo.Demo, error) {
	text := b.NewAPIToken(firstGroup)
	if _, err := b.Run(ctx, app.Call{}, firstGroup, text); err != nil {
		return nil, err
	}
	a, err := newAdmin(cfg)
	if err != nil {
		return nil, err
	}
	d, err := demo.Listen(ctx, demo.Config{
		Server: addr, APIToken: text, Keepalive: httpapi.KeepalivePath, Host: listen,
		Revoke: func(ctx context.Context, customer string) error {
			_, err := a.do(ctx, adminCall{
				method: http.MethodPost, path: at("groups", string(firstGroup), "revocations"), replay: newReplay(), patience: 10 * time.Second,
				body: map[string]any{"kind": "customer", "subject": customer, "note": "signed out of the demo"},
			})
			return err
		},
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %w; choose another with --listen", httpapi.ErrAddressInUse, err)
	}
	if err != nil {
		return nil, err
	}
	shown := demonstration{
		URL: d.URL(), Elsewhere: d.Elsewhere(), Dashboard: d.Dashboard() + "/", Server: "http://" + addr + "/", Audit: cfg.Audit.Path,
	}
	if p.output == "json" {
		return d, p.printJSON(shown)
	}
	p.say("Open this in a browser:\n\n  %s\n", shown.URL)
	p.say("The dashboard in the page is of another origin (%s). Its token lasts %d seconds.", d.Dashboard(), int(demo.Lifetime.Seconds()))
	p.say("\nTry this:\n")
	p.say("  - wait: the token is renewed again and again, and the page is not loaded anew;")
	p.say("  - Stop renewing: the token ends, and the dashboard says so. Renew again: it comes back;")
	p.say("  - Revoke and sign out: the next request of the dashboard is refused, and there is no new token;")
	p.say("  - open the page from another origin, for which the token is not: the browser refuses the dashboard:")
	p.say("\n      %s\n", shown.Elsewhere)
	p.say("Who asked for what: tail -f %s", shellQuote(shown.Audit))
	p.say("Everything is in memory and gone when this ends (Ctrl-C).")
	return d, nil
}
