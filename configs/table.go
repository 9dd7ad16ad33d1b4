package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"embedseal/adapters/vault"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// StoreVault is the value of "store" that the settings of Vault are for.
const StoreVault = "vault"

// Keys is every setting there is, in the order of the documentation.
func Keys() []Key {
	return slices.Concat(storeKeys(), vaultKeys(), vaultAuthKeys(), cacheKeys(), httpKeys(), opsKeys(), adminKeys(), rateKeys(), recordKeys(), clientKeys())
}

func storeKeys() []Key {
	return []Key{
		row("store", "bbolt", oneOf("bbolt", "file", "memory", StoreVault), func(c *Config) *string { return &c.Store },
			"Where groups and keys are kept: one database file, one document per record, nowhere (lost at exit), or HashiCorp Vault."),
		row("custody", key.Material.String(), custody(), func(c *Config) *key.Custody { return &c.Custody },
			"Where the material of new keys is: in the store, or in Vault's Transit engine, which gives it to nobody. The latter needs the store vault."),
		row("data_dir", "data", directory(), func(c *Config) *string { return &c.DataDir },
			"The directory of the store, the master key and the audit log. To serve, the stores memory and vault need none."),
		row("master_key", "", masterKey(), func(c *Config) *secret.Text { return &c.MasterKey },
			"The key that seals every record of the store."),
		row("master_key_file", "", secretFile(), func(c *Config) *string { return &c.MasterKeyFile },
			"A file with the master key, which must exist; empty means master.key in the data directory, made by init."),
	}
}

func vaultKeys() []Key {
	return []Key{
		row("vault.addresses", "", listOf("http or https URLs", vault.ParseAddress), func(c *Config) *[]string { return &c.Vault.Addresses },
			"The servers of Vault, tried in turn; a redirect is followed to one of them only."),
		row("vault.namespace", "", optional(vaultPath("a namespace")), func(c *Config) *string { return &c.Vault.Namespace },
			"The namespace of Vault Enterprise."),
		row("vault.mount", "secret", vaultPath("a mount"), func(c *Config) *string { return &c.Vault.Mount },
			"Where the KV engine (version 2) is mounted."),
		row("vault.prefix", "embedseal", vaultPath("a folder"), func(c *Config) *string { return &c.Vault.Prefix },
			"The folder in that engine; Transit keys have names that begin with it."),
		row("vault.transit_mount", "transit", vaultPath("a mount"), func(c *Config) *string { return &c.Vault.TransitMount },
			"Where the Transit engine is mounted."),
		row("vault.ca_file", "", path(), func(c *Config) *string { return &c.Vault.TLS.CAFile },
			"The certificates (PEM) that sign those of Vault; empty means the system's."),
		row("vault.cert_file", "", path(), func(c *Config) *string { return &c.Vault.TLS.CertFile },
			"This service's own certificate (PEM), shown to Vault. It is read again on every handshake."),
		row("vault.key_file", "", path(), func(c *Config) *string { return &c.Vault.TLS.KeyFile },
			"The private key of that certificate (PEM)."),
		row("vault.server_name", "", optional(single(Text, "a host name", host)), func(c *Config) *string { return &c.Vault.TLS.ServerName },
			"The name in Vault's certificate, where it is not the host of the address."),
		row("vault.allow_http", "off", onOff(), func(c *Config) *bool { return &c.Vault.AllowHTTP },
			"Whether plain http is allowed to an address that is not loopback: tokens and keys travel in clear then."),
		row("vault.require_at_start", "off", onOff(), func(c *Config) *bool { return &c.Vault.RequireAtStart },
			"Whether a Vault that cannot be reached refuses the start; otherwise it is waited for while serving."),
	}
}

func vaultAuthKeys() []Key {
	opaque := func(what string) grammar[secret.Text] { return secretText(what, func(string) error { return nil }) }
	return []Key{
		row("vault.auth", vault.MethodToken,
			oneOf(vault.MethodToken, vault.MethodAppRole, vault.MethodKubernetes, vault.MethodCert, vault.MethodAgent),
			func(c *Config) *string { return &c.Vault.Auth.Method },
			"How this service logs in to Vault; agent takes the token that a Vault Agent writes to a file."),
		row("vault.auth_mount", "", optional(vaultPath("a mount")), func(c *Config) *string { return &c.Vault.Auth.Mount },
			"Where that auth method is mounted; empty means under its own name."),
		row("vault.role", "", optional(single(Text, "the name of a role", name)), func(c *Config) *string { return &c.Vault.Auth.Role },
			"The role of kubernetes, or of cert, which can do without."),
		row("vault.role_id", "", optional(single(Text, "text without spaces", name)), func(c *Config) *string { return &c.Vault.Auth.RoleID },
			"The role id of approle."),
		row("vault.token", "", opaque("a token of Vault"), func(c *Config) *secret.Text { return &c.Vault.Auth.Token },
			"The token of the auth method token."),
		row("vault.token_file", "", secretFile(), func(c *Config) *string { return &c.Vault.Auth.TokenFile },
			"A file with the token of the auth method token, which must exist. It is read again on every log-in."),
		row("vault.secret_id", "", opaque("a secret id"), func(c *Config) *secret.Text { return &c.Vault.Auth.SecretID },
			"The secret id of approle."),
		row("vault.secret_id_file", "", secretFile(), func(c *Config) *string { return &c.Vault.Auth.SecretIDFile },
			"A file with the secret id of approle, which must exist. It is read again on every log-in."),
		row("vault.jwt_file", "", path(), func(c *Config) *string { return &c.Vault.Auth.JWTFile },
			"The service account's token for kubernetes; empty means where Kubernetes puts it. It is read again on every log-in."),
		row("vault.sink_file", "", path(), func(c *Config) *string { return &c.Vault.Auth.SinkFile },
			"The file where a Vault Agent leaves its token, for agent. It is read again on every log-in."),
	}
}

// cacheKeys are for stores that others write to as well.
func cacheKeys() []Key {
	return []Key{
		row("cache.fresh_for", "5s", within(100*time.Millisecond, time.Hour), func(c *Config) *time.Duration { return &c.Cache.FreshFor },
			"How long what Vault answered is used without asking again; as long a change by another replica goes unnoticed."),
		row("cache.grace", "1h", within(0, 30*24*time.Hour), func(c *Config) *time.Duration { return &c.Cache.Grace },
			"How much longer it is used while Vault is away; 0 means not at all."),
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
			"How long a connection may wait for its next request; up to a quarter more is granted."),
		row("http.shutdown_timeout", "15s", timeout, func(c *Config) *time.Duration { return &c.HTTP.ShutdownTimeout },
			"How long requests in flight may take to end after SIGTERM."),
		row("http.max_wait", "10ms", within(0, time.Minute), func(c *Config) *time.Duration { return &c.HTTP.MaxWait },
			"How long requests may wait unread: where it is longer for many, more is asked than this server can answer, and until that is over those that waited more than a twentieth of it get 503 overloaded. 0 refuses none. Linux only."),
	}
}

// opsKeys are of the listener that is not for the public.
func opsKeys() []Key {
	return []Key{
		row("ops.listen", "", optional(hostPort()), func(c *Config) *string { return &c.Ops.Listen },
			"The address of the operations listener, which answers /readyz and /metrics; empty means none."),
	}
}

// adminKeys are of the listeners that groups, keys and API tokens are administered
// on.
func adminKeys() []Key {
	return []Key{
		row("admin.socket", "", pathOrStream(), func(c *Config) *string { return &c.Admin.Socket },
			"The unix socket of the administration API, for this user and root; empty means admin.sock in the data directory (with the store vault: none), - means none."),
		row("admin.listen", "", optional(hostPort()), func(c *Config) *string { return &c.Admin.Listen },
			"The address of the administration API over TCP, on loopback; empty means none."),
		row("admin.operator_token", "", operatorToken(), func(c *Config) *secret.Text { return &c.Admin.OperatorToken },
			"What an operator presents over TCP; without one only API tokens are taken there, each in its own group."),
		row("admin.operator_token_file", "", secretFile(), func(c *Config) *string { return &c.Admin.OperatorTokenFile },
			"A file with the operator token, which must exist."),
		row("admin.operator_reveal", "off", onOff(), func(c *Config) *bool { return &c.Admin.OperatorReveal },
			"Whether the operator token may see the values of embed secrets."),
	}
}

func rateKeys() []Key {
	return []Key{
		row("rate_limit", "on", onOff(), func(c *Config) *bool { return &c.Rate.Enabled },
			"Whether requests are limited at all."),
		row("rate.token_per_second", "1000", perSecond(), func(c *Config) *float64 { return &c.Rate.TokenPerSecond },
			"Requests per second for each API token."),
		row("rate.token_burst", "2000", burst(), func(c *Config) *int { return &c.Rate.TokenBurst },
			"Requests at once for each API token; a batch counts as many as it has, and can have no more."),
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
		row("audit.name", "", optional(single(Text, "1 to 40 of a-z, 0-9 and -", audit.ParseLog)), func(c *Config) *string { return &c.Audit.Name },
			"What the audit log is called in its records and in the store; empty means local, and with the store vault the name of the host."),
		row("audit.max_bytes", "64MiB", bytesWithin(64<<10, 1<<40), func(c *Config) *int64 { return &c.Audit.MaxBytes },
			"The size from which on the audit log goes on in a new file."),
		row("audit.keep", "0", wholeFrom(0, maxRate), func(c *Config) *int { return &c.Audit.Keep },
			"How many full files of the audit log are kept; 0 keeps all."),
		row("token.chart_claim", token.DefaultChartClaim, single(Text, "1 to 32 of A-Z, a-z, 0-9, _ and -; not another claim's name", token.ParseChartClaim),
			func(c *Config) *token.ChartClaim { return &c.ChartClaim },
			"The claim that carries the id of a chart that is embedded alone."),
		row("token.leeway", "30s", within(0, 10*time.Minute), func(c *Config) *time.Duration { return &c.Leeway },
			"How far ahead the clock may be of whoever minted a token: iat and nbf may lie so far in the future. The end of a token's life has no leeway."),
		row("log.level", "info", logLevel(), func(c *Config) *slog.Level { return &c.Log.Level },
			"The least level that is logged."),
		row("log.format", "text", oneOf("text", "json"), func(c *Config) *string { return &c.Log.Format },
			"How a log line is written."),
	}
}

func clientKeys() []Key {
	return []Key{
		row("server", "http://127.0.0.1:8080", baseURL(), func(c *Config) *string { return &c.Client.Server },
			"The public listener that mint and verify ask."),
		row("api_token", "", secretText("an API token", func(text string) error {
			if _, err := apitoken.Parse(text); err != nil {
				return fmt.Errorf("is a %w", err)
			}
			return nil
		}), func(c *Config) *secret.Text { return &c.Client.APIToken },
			"The API token that mint and verify present; it decides the group."),
		row("api_token_file", "", secretFile(), func(c *Config) *string { return &c.Client.APITokenFile },
			"A file with the API token of mint and verify, which must exist; empty means the one that init left in the data directory."),
		row("admin_server", "", optional(baseURL()), func(c *Config) *string { return &c.Client.AdminServer },
			"The administration listener (TCP) of the server to administer; empty means its socket."),
		row("operator_token", "", operatorToken(), func(c *Config) *secret.Text { return &c.Client.OperatorToken },
			"What is presented to admin_server: the operator token, or an API token for its own group."),
		row("operator_token_file", "", secretFile(), func(c *Config) *string { return &c.Client.OperatorTokenFile },
			"A file with what is presented to admin_server, the operator token or an API token, which must exist."),
	}
}
