package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/adapters/httpload"
	"embedseal/adapters/vault"
	"embedseal/configs"
	"embedseal/domain/secret"
)

// maxBenchTime and maxBenchConnections bound what bench may be told to do.
const (
	maxBenchTime        = time.Hour
	maxBenchConnections = 4096
)

// benchAnswer is what a run of bench came to. Times are milliseconds.
type benchAnswer struct {
	Server      string             `json:"server"`
	Concurrency int                `json:"concurrency"`
	Rate        float64            `json:"rate"`
	Seconds     float64            `json:"seconds"`
	Granted     int64              `json:"granted"`
	PerSecond   float64            `json:"per_second"`
	Latency     map[string]float64 `json:"latency_ms"`
	Refused     int64              `json:"refused"`
	Codes       map[string]int64   `json:"codes"`
	Failed      int64              `json:"failed"`
	NotSent     int64              `json:"not_sent"`
}

// benchFlags are those of the verb.
type benchFlags struct {
	requests    int64
	duration    time.Duration
	concurrency int
	rate        float64
	request     mintRequest
}

func (p *program) benchCommand() *cobra.Command {
	var b benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Mint against your own server, and say how many a second and how long each took",
		Long: "bench sends the request of mint to the public endpoint again and again. Every token it gets is a real\n" +
			"one, with its record in the audit log, and lives for --expiration; none is kept or shown. It takes the\n" +
			"settings of mint. It ends after 10 seconds, unless --duration or --requests says otherwise.\n\n" +
			"Without --rate each of --concurrency connections sends its next request once the last was answered:\n" +
			"that finds what the server can do. With --rate as many are sent in a second, whatever the answers do,\n" +
			"and each is timed from when it was due: that finds how long callers wait under that load.\n\n" +
			"The API token's rate limit (rate.token_per_second, 1000 by default) counts here as for everybody.",
		Example: "  embedseal bench\n  embedseal bench --rate 500 --duration 1m\n  embedseal bench --requests 10000 --concurrency 8 --output json",
	}
	flags := c.Flags()
	flags.Int64Var(&b.requests, "requests", 0, "end after so many requests; without --duration, however long they take up to an hour")
	flags.DurationVar(&b.duration, "duration", 10*time.Second, "end after this time; at most 1h")
	flags.IntVar(&b.concurrency, "concurrency", 32, "how many connections; as many requests are under way at once")
	flags.Float64Var(&b.rate, "rate", 0, "requests to send in a second; 0 is the next after each answer")
	flags.StringVar(&b.request.ProvidedID, "provided-id", "embedseal-bench", "id of the customer")
	flags.StringVar(&b.request.EmbedID, "embed-id", "embedseal-bench", "id of the dashboard or report builder")
	flags.StringVar(&b.request.KeyID, "key-id", "", "embed secret to seal with; the group's default without it")
	flags.StringVar(&b.request.Expiration, "expiration", "PT1M", "how long each token lives, an ISO 8601 duration")
	flags.StringVar(&b.request.EmbedOrigin, "embed-origin", "", "the origin that may embed it, where the policy requires one")
	load := p.settings(c, clientKeys()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			if err := b.check(flags.Changed("duration")); err != nil {
				return usage(err)
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			apiToken, err := clientToken(cfg)
			if err != nil {
				return err
			}
			return p.bench(c.Context(), cfg, apiToken, b)
		})
	}
	return c
}

// check refuses what has no end or no sense. timed says whether a duration was given.
func (b *benchFlags) check(timed bool) error {
	switch {
	case b.requests < 0 || b.rate < 0:
		return errors.New("--requests and --rate must not be negative")
	case b.concurrency < 1 || b.concurrency > maxBenchConnections:
		return fmt.Errorf("--concurrency must be from 1 to %d", maxBenchConnections)
	case b.duration <= 0 || b.duration > maxBenchTime:
		return fmt.Errorf("--duration must be above 0, and at most %s", maxBenchTime)
	}
	if b.requests > 0 && !timed {
		b.duration = maxBenchTime
	}
	return nil
}

func (p *program) bench(ctx context.Context, cfg configs.Config, apiToken secret.Text, b benchFlags) error {
	server := cfg.Client.Server
	address, err := url.Parse(server)
	if err != nil {
		return usage(fmt.Errorf("--server: %w", err))
	}
	body, err := json.Marshal(b.request)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	if !vault.Loopback(address.Hostname()) {
		p.warn("embedseal: warning: %s is not this machine: whoever else uses that server, or what is in between, bears the load too", server)
	}
	// Once as mint does: what is wrong is said in full, and only once.
	first, _, err := ask(ctx, server, mintPath, apiToken, body)
	if err != nil {
		return err
	}
	if first.Success != 1 {
		return p.showMinted(first, cfg)
	}
	progress := &benchProgress{p: p, terminal: isTerminal(p.stderr)}
	result, err := httpload.Run(ctx, httpload.Config{
		Dial: dialer(address),
		Request: httpload.Post(address.Host, strings.TrimSuffix(address.Path, "/")+mintPath, string(body),
			"Explo-Authorization", "Token "+apiToken.Reveal()),
		Connections: b.concurrency, Rate: b.rate, Duration: b.duration, Requests: b.requests,
		Watch: progress.show,
	})
	progress.end()
	if err != nil {
		return fmt.Errorf("ask %s: %w", server, err)
	}
	return p.showBench(server, b, &result)
}

// dialer opens connections to the server of a URL.
func dialer(server *url.URL) func(context.Context) (net.Conn, error) {
	port := cmp.Or(server.Port(), map[string]string{"http": "80", "https": "443"}[server.Scheme])
	address := net.JoinHostPort(server.Hostname(), port)
	plain := &net.Dialer{Timeout: 10 * time.Second}
	if server.Scheme != "https" {
		return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", address) }
	}
	secured := &tls.Dialer{NetDialer: plain, Config: &tls.Config{ServerName: server.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
	return func(ctx context.Context) (net.Conn, error) { return secured.DialContext(ctx, "tcp", address) }
}

// benchProgress is a line a second on standard error; on a terminal it is one line
// that changes.
type benchProgress struct {
	p        *program
	terminal bool
	shown    bool
	last     httpload.Progress
}

func (b *benchProgress) show(now httpload.Progress) {
	long := (now.Elapsed - b.last.Elapsed).Seconds()
	line := fmt.Sprintf("%3.0f s  %8.0f granted a second", now.Elapsed.Seconds(), float64(now.Accepted-b.last.Accepted)/long)
	if bad := now.Refused + now.Failed; bad > 0 {
		line += fmt.Sprintf("  %d refused, %d failed so far", now.Refused, now.Failed)
	}
	b.last, b.shown = now, true
	switch {
	case b.terminal:
		_, _ = fmt.Fprintf(b.p.stderr, "\r\x1b[K%s", line)
	case b.p.output != "json": // whoever reads that waits for the end
		b.p.warn("%s", line)
	}
}

// end takes the changing line away.
func (b *benchProgress) end() {
	if b.terminal && b.shown {
		_, _ = fmt.Fprint(b.p.stderr, "\r\x1b[K")
	}
}

func (p *program) showBench(server string, b benchFlags, r *httpload.Result) error {
	answer := benchAnswer{
		Server: server, Concurrency: b.concurrency, Rate: b.rate, Seconds: r.Elapsed.Seconds(),
		Granted: r.Accepted, PerSecond: r.PerSecond(), Refused: r.Refused, Codes: r.Codes, Failed: r.Failed, NotSent: r.Unsent,
		Latency: map[string]float64{"max": milliseconds(r.AcceptedIn.Longest())},
	}
	percentiles := []struct {
		name  string
		share float64
	}{{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99_9", .999}}
	var took []string
	for _, q := range percentiles {
		answer.Latency[q.name] = milliseconds(r.AcceptedIn.At(q.share))
		took = append(took, fmt.Sprintf("%s %.2f ms", strings.ReplaceAll(q.name, "_", "."), answer.Latency[q.name]))
	}
	if p.output == "json" {
		if err := p.printJSON(answer); err != nil {
			return err
		}
		if err := answer.verdict(r); err != nil {
			return &failed{code: exitCode(err), err: fmt.Errorf("%w: %w", errSaid, err)}
		}
		return nil
	}
	how := "each the next after its answer"
	if b.rate > 0 {
		how = fmt.Sprintf("%g requests a second offered", b.rate)
	}
	p.say("Server       %s", server)
	p.say("Load         %d connections, %s, for %.1f s", b.concurrency, how, answer.Seconds)
	p.say("Granted      %d, %.0f a second", answer.Granted, answer.PerSecond)
	p.say("Took         %s, longest %.2f ms", strings.Join(took, ", "), answer.Latency["max"])
	for _, code := range slices.Sorted(maps.Keys(r.Codes)) {
		p.say("Refused      %d %s%s", r.Codes[code], code, benchHint(code))
	}
	if r.Failed > 0 {
		p.say("Failed       %d without an answer; the first: %v", r.Failed, r.Failure)
	}
	if r.Unsent > 0 {
		p.say("Not sent     %d: all connections were waiting", r.Unsent)
	}
	return answer.verdict(r)
}

// verdict is an error where nothing at all was granted.
func (a benchAnswer) verdict(r *httpload.Result) error {
	if a.Granted > 0 || a.Refused+a.Failed == 0 {
		return nil
	}
	if a.Refused > 0 {
		return &failed{code: exitRefused, err: errors.New("no token was granted")}
	}
	return fmt.Errorf("no answer came: %w", r.Failure)
}

// benchHint says what to do about a code that many a run meets.
func benchHint(code string) string {
	switch code {
	case "rate_limited":
		return ": the API token's own bound, rate.token_per_second of the server"
	case "overloaded":
		return ": more than the server can answer"
	}
	return ""
}

func milliseconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }
