package configs_test

import (
	"io/fs"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/vault"
	"embedseal/configs"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// files opens what the tests of this package write down, by its exact name.
func files(contents map[string]string) func(string) (fs.File, error) {
	tree := fstest.MapFS{}
	for name, text := range contents {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
	}
	return func(name string) (fs.File, error) { return tree.Open(name) }
}

// load reads text as the file e.yaml.
func load(t *testing.T, text string, environ []string, flags map[string]string) configs.Config {
	t.Helper()
	c, err := configs.Load(configs.Input{
		File: "e.yaml", Environ: environ, Flags: flags, Open: files(map[string]string{"e.yaml": text}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func source(t *testing.T, c configs.Config, key string) configs.Setting {
	t.Helper()
	for _, s := range c.Settings() {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("no setting %s", key)
	return configs.Setting{}
}

func TestNothingGivenMeansTheDefaults(t *testing.T) {
	c, err := configs.Load(configs.Input{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.MasterKey.IsZero() || !c.Client.APIToken.IsZero() {
		t.Error("a secret has a default")
	}
	want := configs.HTTP{
		Listen:            "127.0.0.1:8080",
		TrustedProxies:    []netip.Prefix{},
		BrowserOrigins:    []token.Origin{},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, ShutdownTimeout: 15 * time.Second, MaxWait: 10 * time.Millisecond,
	}
	if diff := cmp.Diff(want, c.HTTP, comparers); diff != "" {
		t.Error(diff)
	}
	rate := configs.Rate{Enabled: true, TokenPerSecond: 1000, TokenBurst: 2000, FailurePerSecond: 10, FailureBurst: 20}
	if diff := cmp.Diff(rate, c.Rate); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(configs.Client{Server: "http://127.0.0.1:8080"}, c.Client, comparers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(configs.Log{Level: slog.LevelInfo, Format: "text"}, c.Log); diff != "" {
		t.Error(diff)
	}
	if c.Custody != key.Material || c.Cache != (configs.Cache{FreshFor: 5 * time.Second, Grace: time.Hour}) || c.Ops.Listen != "" ||
		c.Vault.Mount != "secret" || c.Vault.Prefix != "embedseal" || c.Vault.TransitMount != "transit" || c.Vault.Auth.Method != "token" {
		t.Errorf("other defaults: %+v", c)
	}
	if c.Store != "bbolt" || c.DataDir != "data" || c.Audit.Path != "" || c.ChartClaim.String() != "cht" || c.File != "" {
		t.Errorf("other defaults: %+v", c)
	}
	for _, s := range c.Settings() {
		if s.Source != "default" {
			t.Errorf("%s comes from %s", s.Key, s.Source)
		}
	}
	if len(c.Settings()) != len(configs.Keys()) {
		t.Errorf("%d settings for %d keys", len(c.Settings()), len(configs.Keys()))
	}
}

func TestEveryKeyTakesEachLayerAndTheLaterGoesBefore(t *testing.T) {
	// Three values for each key; the flag of a secret is refused elsewhere.
	values := map[string][3]string{
		"store":                     {"file", "memory", "bbolt"},
		"custody":                   {"material", "material", "material"},
		"data_dir":                  {"/a", "/b", "/c"},
		"vault.addresses":           {"https://a.example:8200", "https://b.example,http://127.0.0.1:8200/x", ""},
		"vault.namespace":           {"a", "b/c", ""},
		"vault.mount":               {"kv", "a/b", "secret"},
		"vault.prefix":              {"a", "b-c", "d/e"},
		"vault.transit_mount":       {"tr", "a/b", "transit"},
		"vault.ca_file":             {"/a.pem", "b.pem", ""},
		"vault.cert_file":           {"/a.pem", "b.pem", ""},
		"vault.key_file":            {"/a.key", "b.key", ""},
		"vault.server_name":         {"vault.example", "10.0.0.1", ""},
		"vault.allow_http":          {"on", "false", "true"},
		"vault.require_at_start":    {"on", "false", "true"},
		"vault.auth":                {"approle", "kubernetes", "agent"},
		"vault.auth_mount":          {"a", "b/c", ""},
		"vault.role":                {"a", "b", ""},
		"vault.role_id":             {"a", "b", ""},
		"vault.token_file":          {"one", "two", "three"},
		"vault.secret_id_file":      {"one", "two", "three"},
		"vault.jwt_file":            {"/a", "b", ""},
		"vault.sink_file":           {"/a", "b", ""},
		"cache.fresh_for":           {"100ms", "1s", "1h"},
		"cache.grace":               {"0s", "1m", "720h"},
		"ops.listen":                {":1", "127.0.0.1:2", ""},
		"admin.socket":              {"/run/a.sock", "-", ""},
		"admin.listen":              {"localhost:1", "127.0.0.1:2", ""},
		"admin.operator_reveal":     {"on", "true", "off"},
		"admin.operator_token_file": {"operator", "operator2", "operator3"},
		"http.listen":               {":1", "localhost:2", "[::1]:3"},
		"http.trusted_proxies":      {"10.0.0.0/8", "::1,127.0.0.1", ""},
		"http.browser_origins":      {"https://a.example", "https://b.example,https://c.example", ""},
		"http.read_header_timeout":  {"1s", "2s", "3s"},
		"http.read_timeout":         {"6s", "7s", "8s"},
		"http.write_timeout":        {"1m", "2m", "3m"},
		"http.idle_timeout":         {"1s", "2s", "1h"},
		"http.shutdown_timeout":     {"1ms", "2s", "3s"},
		"http.max_wait":             {"0s", "1ms", "1m0s"},
		"rate_limit":                {"off", "true", "false"},
		"rate.token_per_second":     {"1", "0.5", "1000000"},
		"rate.token_burst":          {"1", "2", "1000000"},
		"rate.failure_per_second":   {"1", "2.5", "3"},
		"rate.failure_burst":        {"1", "2", "3"},
		"audit.path":                {"/a", "b", "-"},
		"audit.name":                {"a", "node-1", ""},
		"audit.max_bytes":           {"64KiB", "1MiB", "1024GiB"},
		"audit.keep":                {"1", "0", "1000000"},
		"token.chart_claim":         {"a", "b_c", "D-1"},
		"token.leeway":              {"0s", "1m0s", "10m0s"},
		"log.level":                 {"debug", "warn", "error"},
		"log.format":                {"json", "text", "json"},
		"server":                    {"https://a.example", "http://127.0.0.1", "https://[::1]:8/x"},
		"master_key_file":           {"one", "two", "three"},
		"api_token_file":            {"token", "token2", "token3"},
		"admin_server":              {"https://a.example", "http://127.0.0.1:8081", ""},
		"operator_token_file":       {"operator", "operator2", "operator3"},
	}
	for _, k := range configs.Keys() {
		if k.Kind == configs.Secret {
			continue
		}
		t.Run(k.Path, func(t *testing.T) {
			v, ok := values[k.Path]
			if !ok {
				t.Fatal("no values to try; add them")
			}
			contents := map[string]string{
				"e.yaml": yamlFor(k, v[0]),
				"one":    "k1", "two": "k2", "three": "k3",
				"token": apiToken, "token2": apiToken, "token3": apiToken,
				"operator": operatorToken, "operator2": operatorToken, "operator3": operatorToken,
			}
			in := configs.Input{File: "e.yaml", Open: files(contents)}
			want := []configs.Setting{{Key: k.Path, Value: v[0], Source: "file e.yaml:"}}
			in.Environ = []string{"HOME=/", "EMBEDSEALX=1"}
			check(t, in, want[0])
			in.Environ = append(in.Environ, k.Env()+"="+v[1])
			check(t, in, configs.Setting{Key: k.Path, Value: v[1], Source: "environment " + k.Env()})
			in.Flags = map[string]string{k.Path: v[2]}
			check(t, in, configs.Setting{Key: k.Path, Value: v[2], Source: "flag --" + k.Flag()})
		})
	}
}

func TestTheAdministrationListensOnLoopbackOnly(t *testing.T) {
	for text, refused := range map[string]bool{
		"127.0.0.1:1": false, "127.9.8.7:1": false, "[::1]:1": false, "localhost:1": false, "": false,
		":1": true, "0.0.0.0:1": true, "[::]:1": true, "10.0.0.1:1": true, "admin.example:1": true,
	} {
		_, err := configs.Load(configs.Input{Flags: map[string]string{"admin.listen": text}})
		if refused != (err != nil) {
			t.Errorf("%q: %v", text, err)
		}
		if refused && !strings.Contains(err.Error(), "admin.listen") {
			t.Errorf("%q: the fault names another key: %v", text, err)
		}
	}
}

func TestAnOperatorTokenThatNothingAsksForIsWarnedAbout(t *testing.T) {
	for listen, warned := range map[string]bool{"": true, "127.0.0.1:1": false} {
		c, err := configs.Load(configs.Input{
			Environ: []string{"EMBEDSEAL_ADMIN_OPERATOR_TOKEN=" + operatorToken}, Flags: map[string]string{"admin.listen": listen},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings, "\n"), "admin.operator_token: "); got != warned {
			t.Errorf("listening on %q: %q", listen, c.Warnings)
		}
	}
}

func TestAnAdministrationListenerInClearOnAnotherMachineIsWarnedAbout(t *testing.T) {
	for text, warned := range map[string]bool{"http://10.0.0.1:8081": true, "https://10.0.0.1:8081": false, "http://127.0.0.1:8081": false, "": false} {
		c, err := configs.Load(configs.Input{Flags: map[string]string{"admin_server": text}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings, "\n"), "admin_server: "); got != warned {
			t.Errorf("%s: %q", text, c.Warnings)
		}
	}
}

// check loads and compares; the source need only begin as wanted.
func check(t *testing.T, in configs.Input, want configs.Setting) {
	t.Helper()
	c, err := configs.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	got := source(t, c, want.Key)
	if got.Value != want.Value || !strings.HasPrefix(got.Source, want.Source) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// yamlFor writes one setting as a file.
func yamlFor(k configs.Key, value string) string {
	switch k.Kind {
	case configs.List:
		value = "['" + strings.ReplaceAll(value, ",", "','") + "']"
	case configs.Text, configs.Secret, configs.SecretFile:
		value = "'" + value + "'"
	}
	if section, leaf, ok := strings.Cut(k.Path, "."); ok {
		return section + ":\n  " + leaf + ": " + value + "\n"
	}
	return k.Path + ": " + value + "\n"
}

func TestValuesReachTheirFields(t *testing.T) {
	c := load(t, `
store: file
http:
  listen: "[::1]:9"
  trusted_proxies: [10.0.0.0/8, "::1"]
  browser_origins: ["HTTPS://App.Example:443"]
rate: {token_per_second: 2.5}
log: {level: error, format: json}
`, []string{"EMBEDSEAL_RATE_LIMIT=off", "EMBEDSEAL_TOKEN_CHART_CLAIM=chart"}, map[string]string{"http.idle_timeout": "90s"})
	origin, err := token.ParseOrigin("https://app.example")
	if err != nil {
		t.Fatal(err)
	}
	want := configs.HTTP{
		Listen: "[::1]:9",
		TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		},
		BrowserOrigins:    []token.Origin{origin},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 90 * time.Second, ShutdownTimeout: 15 * time.Second, MaxWait: 10 * time.Millisecond,
	}
	if diff := cmp.Diff(want, c.HTTP, comparers); diff != "" {
		t.Error(diff)
	}
	if c.Store != "file" || c.Rate.Enabled || c.Rate.TokenPerSecond != 2.5 || c.ChartClaim.String() != "chart" ||
		c.Log.Level != slog.LevelError || c.Log.Format != "json" || c.File != "e.yaml" {
		t.Errorf("got %+v", c)
	}
	if s := source(t, c, "log.format"); s.Source != "file e.yaml:8" {
		t.Errorf("source %q", s.Source)
	}
}

func TestTheEnvironmentNamesTheFileAndTheFlagGoesBeforeIt(t *testing.T) {
	open := files(map[string]string{"a.yaml": "data_dir: a", "b.yaml": "data_dir: b"})
	environ := []string{"EMBEDSEAL_CONFIG=a.yaml"}
	for _, test := range []struct{ flag, want string }{{"", "a"}, {"b.yaml", "b"}} {
		c, err := configs.Load(configs.Input{File: test.flag, Environ: environ, Open: open})
		if err != nil {
			t.Fatal(err)
		}
		if c.DataDir != test.want || c.File != test.want+".yaml" {
			t.Errorf("with the flag %q the data directory is %q, from %q", test.flag, c.DataDir, c.File)
		}
	}
}

func TestAFileWithNothingInItSetsNothing(t *testing.T) {
	for _, text := range []string{"", "# only a remark\n", "---\n", "~", "{}", "http:\n  # listen: x\nlog: {}\n", "\ufeffstore: bbolt"} {
		if c := load(t, text, nil, nil); c.Store != "bbolt" {
			t.Errorf("%q gives the store %q", text, c.Store)
		}
	}
}

func TestAServerFarAwayWithoutTLSIsWarnedAbout(t *testing.T) {
	tests := map[string]int{
		"http://127.0.0.1:1": 0, "http://[::1]:1": 0, "http://localhost": 0, "http://LocalHost": 0, "http://[::ffff:127.0.0.1]": 0, "https://mint.example": 0,
		"http://mint.example": 1, "http://10.0.0.1": 1, "http://localhost.example": 1,
	}
	for server, want := range tests {
		if c := load(t, "server: "+server, nil, nil); len(c.Warnings) != want {
			t.Errorf("%s: warnings %q", server, c.Warnings)
		}
	}
}

const vaultFile = `
store: vault
vault:
  addresses: ["https://vault-0.example:8200", "https://vault-1.example:8200"]
  namespace: team
  mount: kv/shared
  prefix: seal
  auth: approle
  role_id: r-1
  secret_id_file: secret-id
  ca_file: ca.pem
cache: {fresh_for: 2s, grace: 0}
`

func TestTheSettingsOfVaultReachItsAdapter(t *testing.T) {
	c, err := configs.Load(configs.Input{
		File: "e.yaml", Open: files(map[string]string{"e.yaml": vaultFile, "secret-id": canary}),
		Environ: []string{"EMBEDSEAL_VAULT_SERVER_NAME=vault.example", "EMBEDSEAL_CUSTODY=vault-transit"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := vault.Config{
		Addresses: []string{"https://vault-0.example:8200", "https://vault-1.example:8200"},
		Namespace: "team", Mount: "kv/shared", Prefix: "seal", TransitMount: "transit",
		Auth: vault.AuthConfig{Method: vault.MethodAppRole, RoleID: "r-1", SecretID: secret.New(canary), SecretIDFile: "secret-id"},
		TLS:  vault.TLSConfig{CAFile: "ca.pem", ServerName: "vault.example"},
	}
	if diff := cmp.Diff(want, c.Vault, comparers); diff != "" {
		t.Error(diff)
	}
	if c.Store != configs.StoreVault || c.Custody != key.VaultTransit || c.Cache != (configs.Cache{FreshFor: 2 * time.Second}) {
		t.Errorf("got %+v", c)
	}
}

func TestPlainHTTPToAVaultElsewhereIsWarnedAboutWhereItIsAllowed(t *testing.T) {
	for text, want := range map[string]int{
		"addresses: [http://vault.example], allow_http: on":     1,
		"addresses: [https://vault.example], allow_http: on":    0,
		"addresses: [http://127.0.0.1:8200], allow_http: on":    0,
		"addresses: [http://localhost:8200]":                    0,
		"addresses: ['https://vault.example', 'http://[::1]/']": 0,
	} {
		c := load(t, "store: vault\nvault: {token: t, "+text+"}", nil, nil)
		if len(c.Warnings) != want {
			t.Errorf("%s: warnings %q", text, c.Warnings)
		}
	}
}
