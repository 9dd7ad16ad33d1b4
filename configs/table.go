package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// Keys is every setting there is, in the order of the documentation.
func Keys() []Key {
	return slices.Concat(storeKeys(), httpKeys(), rateKeys(), recordKeys(), clientKeys())
}

func storeKeys() []Key {
	return []Key{
		row("store", "bbolt", oneOf("bbolt", "file", "memory"), func(c *Config) *string { return &c.Store },
			"Where groups and keys are kept: one database file, one document per record, or nowhere (lost at exit)."),
		row("data_dir", "data", directory(), func(c *Config) *string { return &c.DataDir },
			"The directory of the store, the master key and the audit log. The store memory needs none."),
		row("master_key", "", masterKey(), func(c *Config) *secret.Text { return &c.MasterKey },
			"The key that seals every record of the store."),
		row("master_key_file", "", secretFile(), func(c *Config) *string { return &c.MasterKeyFile },
			"A file with the master key, which must exist; empty means master.key in the data directory, made by init."),
	}
}

func httpKeys() []Key {
	timeout := within(time.Millisecond, time.Hour)
	listen := row("http.listen", "127.0.0.1:8080", hostPort(), func(c *Config) *string { return &c.HTTP.Listen },
		"The address of the public listener; an empty host is every interface, port 0 is any free one.")
	listen.Alias = "listen"
	return []Key{
		listen,
		row("http.trusted_proxies", "", listOf("addresses or networks (CIDR)", network),
			func(c *Config) *[]netip.Prefix { return &c.HTTP.TrustedProxies },
			"The proxies whose X-Forwarded-For is believed; from anybody else it is ignored."),
		row("http.browser_origins", "", listOf("origins such as https://app.example", token.ParseOrigin),
			func(c *Config) *[]token.Origin { return &c.HTTP.BrowserOrigins },
			"The origins whose pages may call the minting route; a request from any other browser page is refused."),
		row("http.read_header_timeout", "5s", timeout, func(c *Config) *time.Duration { return &c.HTTP.ReadHeaderTimeout },
			"How long a request's header may take to arrive; at most http.read_timeout."),
		row("http.read_timeout", "10s", timeout, func(c *Config) *time.Duration { return &c.HTTP.ReadTimeout },
			"How long a whole request may take to arrive."),
		row("http.write_timeout", "15s", timeout, func(c *Config) *time.Duration { return &c.HTTP.WriteTimeout },
			"How long body, work and answer may take together; at least http.read_timeout."),
		row("http.idle_timeout", "60s", timeout, func(c *Config) *time.Duration { return &c.HTTP.IdleTimeout },
			"How long a connection may wait for its next request."),
		row("http.shutdown_timeout", "15s", timeout, func(c *Config) *time.Duration { return &c.HTTP.ShutdownTimeout },
			"How long requests in flight may take to end after SIGTERM."),
	}
}

func rateKeys() []Key {
	return []Key{
		row("rate_limit", "on", onOff(), func(c *Config) *bool { return &c.Rate.Enabled },
			"Whether requests are limited at all."),
		row("rate.token_per_second", "1000", perSecond(), func(c *Config) *float64 { return &c.Rate.TokenPerSecond },
			"Requests per second for each API token."),
		row("rate.token_burst", "2000", burst(), func(c *Config) *int { return &c.Rate.TokenBurst },
			"Requests at once for each API token."),
		row("rate.failure_per_second", "10", perSecond(), func(c *Config) *float64 { return &c.Rate.FailurePerSecond },
			"Requests per second that fail to authenticate, for each peer address."),
		row("rate.failure_burst", "20", burst(), func(c *Config) *int { return &c.Rate.FailureBurst },
			"Requests at once that fail to authenticate, for each peer address."),
	}
}

// recordKeys is what is written: the audit log, the tokens, the log.
func recordKeys() []Key {
	return []Key{
		row("audit.path", "", pathOrStream(), func(c *Config) *string { return &c.Audit.Path },
			"The audit log; empty means audit.log in the data directory, - means standard error."),
		row("token.chart_claim", token.DefaultChartClaim, single(Text, "1 to 32 of A-Z, a-z, 0-9, _ and -; not another claim's name", token.ParseChartClaim),
			func(c *Config) *token.ChartClaim { return &c.ChartClaim },
			"The claim that carries the id of a chart that is embedded alone."),
		row("log.level", "info", logLevel(), func(c *Config) *slog.Level { return &c.Log.Level },
			"The least level that is logged."),
		row("log.format", "text", oneOf("text", "json"), func(c *Config) *string { return &c.Log.Format },
			"How a log line is written."),
	}
}

func clientKeys() []Key {
	return []Key{
		row("server", "http://127.0.0.1:8080", baseURL(), func(c *Config) *string { return &c.Client.Server },
			"The server that mint asks."),
		row("api_token", "", secretText("an API token", func(text string) error {
			if _, err := apitoken.Parse(text); err != nil {
				return fmt.Errorf("is a %w", err)
			}
			return nil
		}), func(c *Config) *secret.Text { return &c.Client.APIToken },
			"The API token that mint presents."),
		row("api_token_file", "", secretFile(), func(c *Config) *string { return &c.Client.APITokenFile },
			"A file with the API token, which must exist; empty means the one that init left in the data directory."),
	}
}
