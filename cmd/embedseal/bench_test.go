package main

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"embedseal/adapters/auditlog"
	"embedseal/adapters/datadir"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpload"
	"embedseal/adapters/httpload/floor"
	"embedseal/adapters/metrics"
	"embedseal/app"
	"embedseal/configs"
	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

// connections is how many clients press on a server at once.
const connections = 32

// bench is the product as serve runs it: bbolt store, audit log in a file, rate
// limiter on (its bounds far away, so that it counts and refuses nothing).
type bench struct {
	stores  stores
	auditor ports.Auditor
	service service
	token   secret.Text
	clock   ports.Clock
}

func newBench(b testing.TB) bench { return newBenchWith(b, nil, nil) }

// newBenchWith has other settings: flags by their paths, and environment.
func newBenchWith(b testing.TB, flags map[string]string, environ []string) bench {
	b.Helper()
	all := map[string]string{
		"data_dir": b.TempDir(), "http.listen": "127.0.0.1:0",
		"rate.token_per_second": "1000000", "rate.token_burst": "1000000",
	}
	maps.Copy(all, flags)
	cfg, err := configs.Load(configs.Input{Flags: all, Environ: environ})
	must(b, err)
	dir := datadir.At(cfg.DataDir)
	_, err = dir.Make()
	must(b, err)
	if inDataDir(cfg.Store) {
		must(b, ensureStore(b.Context(), cfg, dir))
	}
	m := metrics.New("bench")
	s, release, err := openStores(b.Context(), cfg, m)
	must(b, err)
	b.Cleanup(release)
	auditor, closeLog, err := auditlog.Open(b.Context(), auditConfig(cfg, dir, s, nil))
	must(b, err)
	b.Cleanup(closeLog)
	counted := m.Auditor(auditor)
	made, err := bootstrap(b.Context(), dir, s, counted)
	must(b, err)
	run, err := newService(httpConfig(cfg), httpapi.AdminConfig{}, httpapi.OpsConfig{}, m.Handler(), m, s, counted, auditor, nil, cfg.ChartClaim, app.Leeway(cfg.Leeway), slog.New(slog.DiscardHandler))
	must(b, err)
	return bench{stores: s, auditor: counted, service: run, token: secret.New(made.APIToken), clock: wallClock{}}
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now().UTC() }

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMint is the use-case in process: authentication, policy, key, seal,
// audit record written.
func BenchmarkMint(b *testing.B) {
	mint := newBench(b).minting(b)
	b.ReportAllocs()
	for b.Loop() {
		mint()
	}
}

// minting is the use-case, from the text of an API token to a recorded token.
func (run bench) minting(b testing.TB) func() {
	b.Helper()
	return run.mintingFor(b, run.token.Reveal)
}

// mintingFor is minting with the API token that caller has the text of.
func (run bench) mintingFor(b testing.TB, caller func() string) func() {
	b.Helper()
	mint := run.mintingAs(b, caller)
	return func() { must(b, mint()) }
}

// mintingOnce is minting for a goroutine that may not end the benchmark.
func (run bench) mintingOnce(b testing.TB) func() error {
	b.Helper()
	return run.mintingAs(b, run.token.Reveal)
}

// mintingAs is mintingOnce with the API token that caller has the text of.
func (run bench) mintingAs(b testing.TB, caller func() string) func() error {
	b.Helper()
	auth := app.NewAuthenticator(run.stores.Groups, app.NewLastUse(run.stores.Groups, run.clock), run.clock)
	defaults := app.NewDefaultKeys(run.stores.Keys, run.stores.Custody, nil, run.clock, nil)
	minter := app.NewMinter(run.stores.Keys, defaults, run.stores.Cipher, run.auditor, run.clock, token.ChartClaim{})
	customer, embed, lifetime, origin, yes := "customer_1", "abcde", "PT1H", "https://your-domain.com/", true
	draft := token.Draft{
		ProvidedID: &customer, EmbedID: &embed, Expiration: &lifetime, EmbedOrigin: &origin,
		Features: []string{"flt", "srt"}, DisableEditing: &yes,
	}
	call := app.Call{RequestID: "bench", Remote: "127.0.0.1"}
	return func() error {
		who, err := auth.Authenticate(b.Context(), caller(), apitoken.Mint, netip.Addr{})
		if err == nil {
			_, err = minter.Mint(b.Context(), call, who, draft)
		}
		return err
	}
}

// BenchmarkHTTPFloor is the least a server can do: net/http, the same body
// decoded with encoding/json, sealed with the standard library, answered.
func BenchmarkHTTPFloor(b *testing.B) { benchmarkHTTP(b, floorHandler(b), mintInquiry("x")) }

// BenchmarkHTTPMint is the product on the same road.
func BenchmarkHTTPMint(b *testing.B) {
	run := newBench(b)
	benchmarkHTTP(b, run.service.Server.Handler(), mintInquiry(run.token.Reveal()))
}

// BenchmarkHTTPRatio runs both in turns, and reports how much of the floor's
// requests per second the product makes; and the same of the processor time that a
// request and its client cost, which a busy machine changes less.
func BenchmarkHTTPRatio(b *testing.B) {
	run := newBench(b)
	least, mint := serveHTTP(b, floorHandler(b)), serveHTTP(b, run.service.Server.Handler())
	var floorRate, mintRate, floorCost, mintCost float64
	rounds := 0
	for b.Loop() {
		for range 5 {
			begin := processorTime(b)
			rate := press(b, least, mintInquiry("x"), 500*time.Millisecond)
			floorRate, floorCost = floorRate+rate, floorCost+(processorTime(b)-begin).Seconds()/rate
			begin = processorTime(b)
			rate = press(b, mint, mintInquiry(run.token.Reveal()), 500*time.Millisecond)
			mintRate, mintCost = mintRate+rate, mintCost+(processorTime(b)-begin).Seconds()/rate
			rounds++
		}
	}
	b.ReportMetric(floorCost/mintCost, "mint/floor-cpu")
	b.ReportMetric(mintCost/float64(rounds)/0.5*1e6, "mint-cpu-µs")
	b.ReportMetric(floorCost/float64(rounds)/0.5*1e6, "floor-cpu-µs")
	b.ReportMetric(floorRate/float64(rounds), "floor-req/s")
	b.ReportMetric(mintRate/float64(rounds), "mint-req/s")
	b.ReportMetric(mintRate/floorRate, "mint/floor")
	b.ReportMetric(0, "ns/op")
}

// inquiry is the request that is sent again and again to an address.
type inquiry func(address string) []byte

func mintInquiry(apiToken string) inquiry { return posting(mintPath, apiToken, floor.Body) }

func posting(path, apiToken, body string) inquiry {
	return func(address string) []byte {
		return httpload.Post(address, path, body, "Explo-Authorization", "Token "+apiToken)
	}
}

func benchmarkHTTP(b *testing.B, handler http.Handler, q inquiry) {
	address := serveHTTP(b, handler)
	b.ReportAllocs()
	b.ResetTimer()
	askAll(b, address, q, httpload.Config{Requests: int64(b.N)})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// press asks for as long as it is told, and returns the requests per second.
func press(b *testing.B, address string, q inquiry, long time.Duration) float64 {
	b.Helper()
	r := askAll(b, address, q, httpload.Config{Duration: long})
	return r.PerSecond()
}

// askAll sends the same request over each connection, one after the other. It fails
// the benchmark when one is not granted.
func askAll(b *testing.B, address string, q inquiry, run httpload.Config) httpload.Result {
	b.Helper()
	run.Request, run.Connections = q(address), connections
	run.Dial = dialing(address)
	r, err := httpload.Run(b.Context(), run)
	must(b, err)
	if r.Refused+r.Failed > 0 {
		b.Fatalf("%d refused %v, %d failed: %v", r.Refused, r.Codes, r.Failed, r.Failure)
	}
	return r
}

// dialing opens connections to a server.
func dialing(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", address) }
}

// processorTime is what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	return usedBy(b, unix.CLOCK_PROCESS_CPUTIME_ID)
}

// usedBy reads a clock of processor time. Those are exact; getrusage(2) may lag behind by
// a tick of the kernel, which is as long as 500 mints.
func usedBy(b *testing.B, clock int32) time.Duration {
	b.Helper()
	var used unix.Timespec
	must(b, unix.ClockGettime(clock, &used))
	return time.Duration(used.Nano())
}

func serveHTTP(b *testing.B, handler http.Handler) string {
	b.Helper()
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	must(b, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return listener.Addr().String()
}

// floorHandler is the least that a server can do.
func floorHandler(b *testing.B) http.Handler {
	b.Helper()
	handler, err := floor.Handler()
	must(b, err)
	return handler
}
