package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/adapters/auditlog"
	"embedseal/adapters/datadir"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apipage"
	"embedseal/adapters/metrics"
	"embedseal/adapters/vault"
	"embedseal/app"
	"embedseal/configs"
	"embedseal/docs/api"
	"embedseal/ports"
)

// service is what serve runs.
type service struct {
	Server       *httpapi.Server
	Admin        *httpapi.Admin
	Ops          *httpapi.Ops
	Readiness    *app.Readiness
	Bootstrapper *app.Bootstrapper
	Uses         *app.LastUse
	Schedule     *app.Schedule
	Refusals     *app.Refusals
	Revoked      *app.Revoked
}

func (p *program) serveCommand() *cobra.Command {
	var dev bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer mint requests over HTTP",
		Long: "serve opens the store in the data directory and listens. It makes no store: embedseal init does.\n" +
			"SIGTERM and SIGINT let requests under way finish, then it exits with 0.\n\n" +
			"With --dev, which is the same as --store memory, it makes a store in memory, prints its token and its\n" +
			"secret, and forgets all on exit.",
		Example: "  embedseal serve --dev\n  embedseal serve --data-dir /var/lib/embedseal --store bbolt --listen 127.0.0.1:8080",
	}
	c.Flags().BoolVar(&dev, "dev", false, "try it out: a store in memory, on loopback only, lost on exit")
	load := p.settings(c, serverKeys()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if dev = dev || cfg.Store == storeMemory; dev {
				if err := p.makeDev(&cfg, c); err != nil {
					return err
				}
				p.warn("\n  WARNING: development mode. Keys and tokens are in memory, printed, and gone on exit.\n  Do not mint anything that matters.\n")
			}
			return p.serve(c.Context(), cfg, func(ctx context.Context, b *app.Bootstrapper, addr, socket string) error {
				return p.announce(ctx, cfg, dev, b, addr, socket)
			})
		})
	}
	return c
}

// makeDev turns the configuration into that of --dev, or says what contradicts
// it.
func (p *program) makeDev(cfg *configs.Config, c *cobra.Command) error {
	if f := c.Flags().Lookup("store"); f.Changed && cfg.Store != storeMemory {
		return usage(errors.New("--dev keeps everything in memory; leave out --store, or --dev"))
	}
	host, _, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil {
		return usage(err)
	}
	if !vault.Loopback(host) {
		return usage(fmt.Errorf("a store in memory is served on loopback only, not on %s", cfg.HTTP.Listen))
	}
	for _, s := range cfg.Settings() {
		if s.Key == "store" && s.Value != storeMemory && s.Source != "default" {
			p.warn("embedseal: warning: --dev keeps everything in memory: store %s (%s) is not used", s.Value, s.Source)
		}
	}
	cfg.Store = storeMemory
	return nil
}

// serve runs a server until ctx is done. Once its addresses are taken it calls
// announce, and then begins to answer.
func (p *program) serve(ctx context.Context, cfg configs.Config, announce func(ctx context.Context, b *app.Bootstrapper, addr, socket string) error) error {
	defer runtime.KeepAlive(ballast())
	fitProcessors()
	log := p.logger(cfg.Log)
	dir := datadir.At(cfg.DataDir)
	if cfg.Store == storeVault && cfg.Audit.Path == "" {
		return &failed{code: exitConfig, err: errors.New("audit.path " + noAuditPath)}
	}
	cfg.Vault.Log = log
	m := metrics.New(p.version)
	s, release, err := openStores(ctx, cfg, m)
	if err != nil {
		return err
	}
	defer release()
	if inDataDir(cfg.Store) {
		for _, path := range dir.Exposed() {
			log.Warn("other users can look into this; close it with chmod go=", "path", path)
		}
	}
	logAt := auditConfig(cfg, dir, s, log)
	auditor, closeLog, err := auditlog.Open(ctx, logAt)
	if err != nil {
		return err
	}
	defer closeLog()
	if cfg.Store == storeMemory && cfg.Admin.Socket == "" {
		temporary, remove, err := temporaryDir(devDir)
		if err != nil {
			return err
		}
		defer remove()
		cfg.Admin.Socket = datadir.At(temporary).Path(datadir.AdminSocket)
	}
	administered := adminConfig(cfg, p.version)
	page, err := apipage.New(api.Document())
	if err != nil {
		return err
	}
	administered.Page = page.Handlers()
	if cfg.Admin.Socket == "" && !httpapi.FitsSocket(administered.Socket) { // nobody asked for it: no reason not to mint
		log.Warn("there is no administration socket: its path would be longer than a socket takes; name another with admin.socket", "path", administered.Socket)
		administered.Socket = ""
	}
	run, err := newService(httpConfig(cfg), administered, httpapi.OpsConfig{Listen: cfg.Ops.Listen}, m.Handler(), m, s, m.Auditor(auditor), auditor, components(s, auditlog.NewProbe(logAt)), cfg.ChartClaim, app.Leeway(cfg.Leeway), log)
	if err != nil {
		return err
	}
	run.measure(m)
	m.WatchAudit(auditor.Status)
	addr, err := run.Server.Listen(ctx)
	if err != nil {
		return err
	}
	opsAddr, err := run.Ops.Listen(ctx)
	if err != nil {
		return err
	}
	admin, err := run.Admin.Listen(ctx)
	if err != nil {
		return err
	}
	defer run.Admin.Close()
	beside := []httpapi.Listening{{Name: httpapi.NamePublic, Address: addr.String()}}
	if opsAddr != nil {
		beside = append(beside, httpapi.Listening{Name: httpapi.NameOps, Address: opsAddr.String()})
	}
	run.Admin.Beside(beside...)
	if err := announce(ctx, run.Bootstrapper, addr.String(), socketOf(admin)); err != nil {
		return err
	}
	attrs := []any{"address", addr.String(), "store", cfg.Store, "data_dir", shownDir(cfg), "audit", auditPath(cfg, dir), "processors", runtime.GOMAXPROCS(0)}
	for _, l := range admin {
		attrs = append(attrs, strings.ReplaceAll(l.Name, "-", "_"), l.Address)
	}
	if opsAddr != nil {
		attrs = append(attrs, "ops", opsAddr.String())
	}
	log.Info("serving", attrs...)
	go debug.FreeOSMemory() // what starting took, and running does not need
	watching, endWatch := context.WithCancel(ctx)
	defer endWatch()
	go run.Ops.Watch(watching, watchInterval)
	endSchedule := keepSchedule(ctx, run.Schedule, log)
	if s.Reserve != nil {
		go warm(watching, s, log)
	}
	endUses := keepUses(ctx, run.Uses, log)
	endTallies := keepTallies(ctx, run.Refusals, log)
	err = run.listen(ctx)
	endSchedule()
	endUses()
	endTallies()
	if err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// components are what a server cannot mint without.
func components(s stores, log ports.Checker) []app.Component {
	return []app.Component{
		{Name: httpapi.ComponentStore, Checker: s.Check, Reserve: s.Reserve},
		{Name: httpapi.ComponentAudit, Checker: log, Wraps: app.ErrAudit},
	}
}

// measure shows what the parts of a service know of themselves.
func (s service) measure(m *metrics.Registry) {
	m.WatchLimits(func() []metrics.LimitCounts {
		var all []metrics.LimitCounts
		for listener, limits := range map[string][]httpapi.LimitCounts{"public": s.Server.Limits(), "admin": s.Admin.Limits()} {
			for _, l := range limits {
				all = append(all, metrics.LimitCounts{Listener: listener, Kind: l.Kind, Allowed: l.Allowed, Refused: l.Refused,
					Buckets: l.Buckets, MaxBuckets: l.MaxBuckets})
			}
		}
		return all
	})
	m.WatchRevocations(func() []metrics.Revocations {
		var all []metrics.Revocations
		for _, held := range s.Revoked.Held() {
			all = append(all, metrics.Revocations{Group: string(held.Group), Entries: held.Entries, Asked: held.Asked})
		}
		return all
	})
	m.WatchReadiness(func() metrics.Readiness {
		last := s.Readiness.Last()
		found := metrics.Readiness{Ready: last.Ready(time.Now()), At: last.At, Up: map[string]bool{}}
		for _, c := range last.Components {
			found.Up[c.Name] = c.Err == nil
		}
		return found
	})
}

// noAuditPath is what is wrong with leaving it out.
const noAuditPath = "is not set: with the store vault a server has no data directory that the audit log could go to; name a file, or - for standard error"

// watchInterval is how often the components are looked after.
const watchInterval = 5 * time.Second

// warm reads the group that init made, so that minting in it outlives an outage
// from the first moment on. Where it is not there it tells the operator why every
// caller gets 401: the store has not been initialised, or the prefix is another.
func warm(ctx context.Context, s stores, log *slog.Logger) {
	for ctx.Err() == nil {
		_, ringErr := s.Keys.Ring(ctx, firstGroup)
		_, err := s.Groups.Group(ctx, firstGroup)
		if errors.Is(err, ports.ErrNotFound) {
			log.Warn("the group that init makes is not there; if no other was made, run embedseal init, or see vault.mount and vault.prefix",
				"group", string(firstGroup))
			return
		}
		if err == nil && ringErr == nil {
			return
		}
		select { // Vault is away: once more when it may be back
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
}

// listen serves all listeners until ctx is done, or one of them fails. The
// operations listener is there until the last request has ended.
func (s service) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opsCtx, endOps := context.WithCancel(context.WithoutCancel(ctx))
	defer endOps()
	ops := make(chan error, 1)
	go func() {
		defer cancel()
		ops <- s.Ops.Serve(opsCtx)
	}()
	admin := make(chan error, 1)
	go func() {
		defer cancel()
		admin <- s.Admin.Serve(ctx)
	}()
	err := s.Server.Serve(ctx)
	cancel()
	err = errors.Join(err, <-admin)
	endOps()
	return errors.Join(err, <-ops)
}

// inDataDir reports whether the store lies in the data directory.
func inDataDir(store string) bool { return store == storeBbolt || store == storeFile }

// shownDir is the data directory, where the store has one.
func shownDir(cfg configs.Config) string {
	if !inDataDir(cfg.Store) {
		return ""
	}
	return cfg.DataDir
}

// announce prints what scripts wait for, once the address is taken.
func (p *program) announce(ctx context.Context, cfg configs.Config, dev bool, b *app.Bootstrapper, addr, socket string) error {
	if !dev {
		if p.output != "json" {
			return nil
		}
		return p.printJSON(map[string]any{"address": addr, "store": cfg.Store, "data_dir": shownDir(cfg), "admin_socket": socket})
	}
	text := b.NewAPIToken(firstGroup)
	done, err := b.Run(ctx, app.Call{}, firstGroup, text)
	if err != nil {
		return err
	}
	made := initialised{
		Created: true, Store: storeMemory, Group: string(firstGroup), APIToken: text.Reveal(),
		KeyID: string(done.Key.ID), Custody: done.Key.Custody.String(), KeyValue: done.Key.Secret.Reveal(),
		AdminSocket: socket,
	}
	if err := p.printJSON(made); err != nil {
		return err
	}
	if p.output != "json" {
		p.say("")
		p.say("Mint a token:")
		p.say("")
		p.mintHint(addr, text.Reveal())
		p.inspectHint(made.KeyValue)
		p.adminHint(socket)
	}
	return nil
}

// adminHint is a command that asks the administration API.
func (p *program) adminHint(socket string) {
	if socket == "" {
		return
	}
	p.say("To administer it while it runs, give the verbs its socket:")
	p.say("")
	p.say("  %s status --admin-socket %s", shellQuote(p.self), shellQuote(socket))
	p.say("")
}

// socketOf is the path of the socket among the listeners; empty when there is none.
func socketOf(listeners []httpapi.Listening) string {
	for _, l := range listeners {
		if l.Name == httpapi.NameSocket {
			return l.Address
		}
	}
	return ""
}

// logger writes to standard error, as the configuration says.
func (p *program) logger(cfg configs.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.stderr, options))
}
