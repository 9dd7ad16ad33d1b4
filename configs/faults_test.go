package configs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/configs"
)

// faults is what in is refused for.
func faults(t *testing.T, in configs.Input) []configs.Fault {
	t.Helper()
	c, err := configs.Load(in)
	var invalid *configs.Invalid
	if !errors.As(err, &invalid) || !errors.Is(err, configs.ErrInvalid) {
		t.Fatalf("got the error %v", err)
	}
	if c.Store != "" || c.Settings() != nil {
		t.Errorf("a refused configuration is returned: %+v", c)
	}
	return invalid.Faults
}

func TestAFaultInTheFileIsNamedWithItsKeyAndLine(t *testing.T) {
	tests := []struct{ name, text, key, source, detail string }{
		{"an unknown key", "\nstor: file", "stor", "file e.yaml:2", "unknown key; did you mean store?"},
		{"an unknown key in a section", "http:\n  lisen: x", "http.lisen", "file e.yaml:2", "unknown key; did you mean http.listen?"},
		{"another case", "Store: file", "Store", "file e.yaml:1", "unknown key; did you mean store?"},
		{"an unknown section", "htpt:\n  listen: x", "htpt", "file e.yaml:1", "unknown key; did you mean http?"},
		{"a key outside its section", "listen: :80", "listen", "file e.yaml:1", "unknown key; did you mean http.listen?"},
		{"a key near nothing", "entirely_else: 1", "entirely_else", "file e.yaml:1", "unknown key"},
		{"a dotted key", "http.listen: :80", "http.listen", "file e.yaml:1", "write listen beneath http:"},
		{"a key that stands twice", "store: file\nlog:\n  level: info\nstore: file", "store", "file e.yaml:4", "stands twice, first on line 1"},
		{"a key that stands twice in a section", "log:\n  level: info\n  level: info", "log.level", "file e.yaml:3", "first on line 2"},
		{"an unknown key that stands twice", "store: file\nlog: {}\nlog: {}", "log", "file e.yaml:3", "first on line 2"},
		{"text for a number", "rate:\n  token_burst: many", "rate.token_burst", "file e.yaml:2", "is text, want a whole number"},
		{"a quoted number", "rate:\n  token_burst: '5'", "rate.token_burst", "file e.yaml:2", "is text, want a whole number"},
		{"a fraction for a whole number", "rate: {token_burst: 1.5}", "rate.token_burst", "file e.yaml:1", "is a number, want a whole number"},
		{"a number for text", "data_dir: 5", "data_dir", "file e.yaml:1", "is a number, want text"},
		{"a date for text", "data_dir: 2026-01-01", "data_dir", "file e.yaml:1", "is a date, want text"},
		{"no unit", "http:\n\n  read_timeout: 10", "http.read_timeout", "file e.yaml:3", "is a number, want a duration with its unit"},
		{"a text for a list", "http: {trusted_proxies: 10.0.0.1}", "http.trusted_proxies", "file e.yaml:1", "is text, want a list"},
		{"a number in a list", "http:\n  trusted_proxies: [1]", "http.trusted_proxies", "file e.yaml:2", "is a list, want a list of texts"},
		{"a mapping for text", "store:\n  bbolt: 1", "store", "file e.yaml:2", "is a mapping, want text"},
		{"no value", "store:\nlog: {level: info}", "store", "file e.yaml:1", "is left empty"},
		{"a text for a section", "http: yes", "http", "file e.yaml:1", "is text, want the keys of the section"},
		{"a list for a section", "http: [listen]", "http", "file e.yaml:1", "is a list, want the keys of the section"},
		{"another word for the store", "store: sqlite", "store", "file e.yaml:1", `"sqlite" is none of bbolt, file, memory, vault`},
		{"another word for the level", "log: {level: trace}", "log.level", "file e.yaml:1", `"trace" is none of debug, info, warn, error`},
		{"another word for off", "rate_limit: no", "rate_limit", "file e.yaml:1", `"no" is neither on nor off`},
		{"no time at all", "http: {idle_timeout: 0s}", "http.idle_timeout", "file e.yaml:1", `"0s" is out of range: want 1ms to 1h`},
		{"too long", "http: {idle_timeout: 61m}", "http.idle_timeout", "file e.yaml:1", "out of range"},
		{"a malformed duration", "http: {idle_timeout: P1D}", "http.idle_timeout", "file e.yaml:1", `"P1D" is not a duration`},
		{"no requests at all", "rate: {token_per_second: 0}", "rate.token_per_second", "file e.yaml:1", "out of range"},
		{"fewer than no requests", "rate: {token_per_second: -1}", "rate.token_per_second", "file e.yaml:1", "out of range"},
		{"no number", "rate: {token_per_second: .nan}", "rate.token_per_second", "file e.yaml:1", "not a decimal number"},
		{"an infinite number", "rate: {token_per_second: .inf}", "rate.token_per_second", "file e.yaml:1", "not a decimal number"},
		{"a hexadecimal number", "rate: {token_burst: 0x10}", "rate.token_burst", "file e.yaml:1", "not a whole number"},
		{"a number beyond every integer", "rate: {token_burst: 9223372036854775808}", "rate.token_burst", "file e.yaml:1", "out of range"},
		{"a burst of nothing", "rate: {failure_burst: 0}", "rate.failure_burst", "file e.yaml:1", "out of range: want 1 to 1000000"},
		{"no port", "http: {listen: 127.0.0.1}", "http.listen", "file e.yaml:1", "is not host:port"},
		{"an empty port", "http: {listen: '127.0.0.1:'}", "http.listen", "file e.yaml:1", "has no port"},
		{"a port by name", "http: {listen: 'localhost:http'}", "http.listen", "file e.yaml:1", "has no port from 0 to 65535"},
		{"a port too high", "http: {listen: ':65536'}", "http.listen", "file e.yaml:1", "has no port from 0 to 65535"},
		{"an address that is none", "http: {listen: '300.0.0.1:80'}", "http.listen", "file e.yaml:1", "names no host"},
		{"a host that is none", "http: {listen: 'a/b:80'}", "http.listen", "file e.yaml:1", "names no host"},
		{"a proxy that is none", "http: {trusted_proxies: ['::1', proxy]}", "http.trusted_proxies", "file e.yaml:1", `entry 2: "proxy" is neither an address nor a network`},
		{"everybody for a proxy", "http: {trusted_proxies: [0.0.0.0/0]}", "http.trusted_proxies", "file e.yaml:1", "every address"},
		{"address bits beyond the network", "http: {trusted_proxies: [10.1.0.0/8]}", "http.trusted_proxies", "file e.yaml:1", "write 10.0.0.0/8"},
		{"a network of mapped addresses", "http: {trusted_proxies: ['::ffff:10.0.0.0/104']}", "http.trusted_proxies", "file e.yaml:1", "mixes IPv4 and IPv6"},
		{"a proxy with a zone", "http: {trusted_proxies: ['fe80::1%eth0']}", "http.trusted_proxies", "file e.yaml:1", "is neither an address nor a network"},
		{"too many proxies", "http: {trusted_proxies: [" + strings.Repeat("'::1',", 257) + "]}", "http.trusted_proxies", "file e.yaml:1", "has 257 entries, want at most 256"},
		{"a line break in a list", `http: {trusted_proxies: ["::1", "\n"]}`, "http.trusted_proxies", "file e.yaml:1", "entry 2 has a control character"},
		{"a path longer than any", "data_dir: " + strings.Repeat("a", 4097), "data_dir", "file e.yaml:1", "has 4097 bytes, want at most 4096"},
		{"a long word", "store: " + strings.Repeat("é", 100), "store", "file e.yaml:1", `"` + strings.Repeat("é", 32) + `…" is none of`},
		{"a long unknown key", strings.Repeat("a", 100) + ": 1", strings.Repeat("a", 64) + "…", "file e.yaml:1", "unknown key"},
		{"an origin with a path", "http: {browser_origins: ['https://a.example/x']}", "http.browser_origins", "file e.yaml:1", "entry 1: "},
		{"the name of another claim", "token: {chart_claim: exp}", "token.chart_claim", "file e.yaml:1", "another claim"},
		{"a home directory", "data_dir: ~/embedseal", "data_dir", "file e.yaml:1", "begins with ~"},
		{"a line break in a path", `data_dir: "a\nb"`, "data_dir", "file e.yaml:1", "control character"},
		{"another scheme", "server: ftp://a.example", "server", "file e.yaml:1", "not an http or https URL"},
		{"a port beyond all in a URL", "server: http://a.example:70000", "server", "file e.yaml:1", "not an http or https URL"},
		{"a query in a URL", "server: http://a.example/?x", "server", "file e.yaml:1", "has a query"},
		{"a malformed API token", "api_token: ems_default_x", "api_token", "file e.yaml:1", "malformed API token"},
		{"a header that takes longer than its request", "http:\n  read_timeout: 4s", "http.read_timeout", "file e.yaml:2", "shorter than http.read_header_timeout, which is 5s (default)"},
		{"an answer cut off by a slow request", "http:\n  read_timeout: 20s\n  write_timeout: 10s", "http.read_timeout", "file e.yaml:2", "longer than http.write_timeout, which is 10s (file e.yaml:3)"},
		{"another word for the custody", "custody: hsm", "custody", "file e.yaml:1", `"hsm" is none of material, vault-transit`},
		{"keys in Transit beside another store", "custody: vault-transit", "custody", "file e.yaml:1", "needs the store vault, and the store is bbolt (default)"},
		{"a Vault without an address", "store: vault\nvault: {token: t}", "vault.addresses", "file e.yaml:1", "needs the address of a server"},
		{"an address without a scheme", "vault: {addresses: ['vault:8200']}", "vault.addresses", "file e.yaml:1", "entry 1: is not an http or https URL"},
		{"an address with a password", "vault: {addresses: ['https://a:b@vault:8200']}", "vault.addresses", "file e.yaml:1", "entry 1: is not an http or https URL"},
		{"a key without its certificate", "store: vault\nvault: {addresses: ['https://a'], token: t, key_file: k}", "vault.cert_file", "file e.yaml:2", "go together"},
		{"two addresses in one text", "vault: {addresses: ['https://a,https://b']}", "vault.addresses", "file e.yaml:1", "entry 1: has a comma or a space in it"},
		{"an address with a space", "vault: {addresses: ['https://a/x ']}", "vault.addresses", "file e.yaml:1", "entry 1: has a comma or a space in it"},
		{"plain http to another machine", "store: vault\nvault:\n  token: t\n  addresses: ['http://127.0.0.1', 'http://10.0.0.1']", "vault.addresses", "file e.yaml:4", "entry 2 is plain http"},
		{"a mount that is a path", "vault: {mount: ../secret}", "vault.mount", "file e.yaml:1", "is not made of"},
		{"an empty mount", "vault: {mount: ''}", "vault.mount", "file e.yaml:1", "is not made of"},
		{"no token", "store: vault\nvault: {addresses: ['https://a']}", "vault.auth", "file e.yaml:1", "token needs vault.token or vault.token_file"},
		{"no role id", "store: vault\nvault: {addresses: ['https://a'], auth: approle}", "vault.auth", "file e.yaml:2", "approle needs vault.role_id"},
		{"no role", "store: vault\nvault: {addresses: ['https://a'], auth: kubernetes}", "vault.auth", "file e.yaml:2", "kubernetes needs vault.role"},
		{"no certificate", "store: vault\nvault: {addresses: ['https://a'], auth: cert}", "vault.auth", "file e.yaml:2", "cert needs vault.cert_file and vault.key_file"},
		{"no sink", "store: vault\nvault: {addresses: ['https://a'], auth: agent}", "vault.auth", "file e.yaml:2", "agent needs vault.sink_file"},
		{"a certificate without its key", "store: vault\nvault: {addresses: ['https://a'], token: t, cert_file: c}", "vault.cert_file", "file e.yaml:2", "go together"},
		{"a prefix that no Transit key can have", "store: vault\ncustody: vault-transit\nvault: {addresses: ['https://a'], token: t, prefix: a/b}", "vault.prefix", "file e.yaml:3", "cannot begin the name of a Transit key"},
		{"a number that is no time", "cache: {grace: 5}", "cache.grace", "file e.yaml:1", "is a number, want a duration with its unit"},
		{"nothing for a time that must be", "cache: {fresh_for: 0}", "cache.fresh_for", "file e.yaml:1", "out of range: want 100ms to 1h"},
		{"a second document", "store: file\n---\nstore: bbolt", "", "file e.yaml:2", "a second document"},
		{"a second document that is broken", "store: file\n---\n]", "", "file e.yaml:3", "not YAML: did not find expected node content"},
		{"a list for a file", "- store", "", "file e.yaml:1", "the file is a list"},
		{"a text for a file", "\nstore=file", "", "file e.yaml:2", "the file is text"},
		{"an anchor", "store: &s file\nlog: {format: text}", "store", "file e.yaml:1", "anchors and aliases"},
		{"an anchor on a section", "log: {level: info}\nrate: &r {}", "rate", "file e.yaml:2", "anchors and aliases"},
		{"an alias of nothing", "log: {level: info}\n\nstore: *s", "", "file e.yaml:3", "quote a value that begins with *"},
		{"a tag that cannot be", "log: {level: info}\nrate: {token_burst: !!int x}", "rate.token_burst", "file e.yaml:2", `"x" is not a whole number`},
		{"a merged mapping", "log:\n  <<: {level: info}", "log", "file e.yaml:2", "a key that is not plain text"},
		{"a number for a key", "1: x", "", "file e.yaml:1", "a key that is not plain text"},
		{"a list for a key", "? [a]\n: x", "", "file e.yaml:1", "a key that is not plain text"},
		{"a tag", "store: !x file", "store", "file e.yaml:1", "is of another type"},
		{"a tab", "http:\n\tlisten: x", "", "file e.yaml:2", "not YAML: found character that cannot start any token"},
		{"a bracket that stays open", "store: file\nhttp:\n  trusted_proxies: [a\nlog: {}", "", "file e.yaml:3", "not YAML: did not find expected ',' or ']'"},
		{"a line that is indented too little", "store: file\nlog:\n  level: info\n format: text", "", "file e.yaml:4", "not YAML: did not find expected key"},
		{"a bracket too many on the first line", "http: {trusted_proxies: [a]]}", "", "file e.yaml:1", "not YAML: did not find expected"},
		{"a quote that stays open", "\n\nstore: 'file", "", "file e.yaml:3", "not YAML: found unexpected end of stream"},
		{"two values on a line", "store: file\nserver: http: x", "", "file e.yaml:2", "not YAML: mapping values are not allowed"},
		{"a control character", "store: file\nserver: \x1bx", "", "file e.yaml:2", "control character"},
		{"Latin-1", "\n\n# caf\xe9", "", "file e.yaml:3", "not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := faults(t, configs.Input{File: "e.yaml", Open: files(map[string]string{"e.yaml": test.text})})
			if len(got) == 0 || got[0].Key != test.key || got[0].Source != test.source || !strings.Contains(got[0].Detail, test.detail) {
				t.Errorf("got %q, want first %s (%s): …%s…", got, test.key, test.source, test.detail)
			}
			if len(got) > 1 {
				t.Errorf("got %d faults: %q", len(got), got)
			}
		})
	}
}

func TestAnAliasIsRefusedWhereItStandsAndWhereItPoints(t *testing.T) {
	got := faults(t, configs.Input{File: "e.yaml", Open: files(map[string]string{
		"e.yaml": "store: &s file\ndata_dir: *s\nhttp:\n  trusted_proxies: [*s]\n",
	})})
	const refusal = "anchors and aliases are not supported; quote a value that begins with & or *"
	want := []configs.Fault{
		{Key: "store", Source: "file e.yaml:1", Detail: refusal},
		{Key: "data_dir", Source: "file e.yaml:2", Detail: refusal},
		{Key: "http.trusted_proxies", Source: "file e.yaml:4", Detail: "is a list, want a list of texts, such as [\"a\", \"b\"]"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAllFaultsOfAllLayersAreReportedTogether(t *testing.T) {
	err := loadError(t, configs.Input{
		File: "e.yaml",
		Open: files(map[string]string{"e.yaml": "stor: x\nrate:\n  token_burst: 0\nhttp: {read_timeout: x}\nmaster_key: k\n"}),
		Environ: []string{
			"EMBEDSEAL_STORE=x", "EMBEDSEAL_HTTP_LISEN=:1", "EMBEDSEAL_HTTP_LISTEN=:x",
			"EMBEDSEAL_MASTER_KEY_FILE=k", "EMBEDSEAL_API_TOKEN_FILE=nowhere",
		},
		Flags: map[string]string{"log.level": "loud", "log.lvl": "info", "master_key": "k"},
	})
	want := `configuration refused: 11 faults
  stor (file e.yaml:1): unknown key; did you mean store?
  rate.token_burst (file e.yaml:3): "0" is out of range: want 1 to 1000000
  http.read_timeout (file e.yaml:4): "x" is not a duration; write a number and a unit, such as 10s or 1m30s
  environment EMBEDSEAL_HTTP_LISEN: unknown variable; did you mean EMBEDSEAL_HTTP_LISTEN?
  http.listen (environment EMBEDSEAL_HTTP_LISTEN): ":x" has no port from 0 to 65535
  store (environment EMBEDSEAL_STORE): "x" is none of bbolt, file, memory, vault
  log.level (flag --log-level): "loud" is none of debug, info, warn, error
  log.lvl (flag --log-lvl): unknown key; did you mean log.level?
  master_key (flag --master-key): a secret does not travel on the command line; use --master-key-file or EMBEDSEAL_MASTER_KEY
  master_key (file e.yaml:5): is given, and master_key_file too (environment EMBEDSEAL_MASTER_KEY_FILE); keep one of them
  api_token_file (environment EMBEDSEAL_API_TOKEN_FILE): the file cannot be read: file does not exist`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func loadError(t *testing.T, in configs.Input) error {
	t.Helper()
	_, err := configs.Load(in)
	if err == nil {
		t.Fatal("accepted")
	}
	return err
}

func TestAnUnknownVariableOfOursIsRefused(t *testing.T) {
	tests := []struct{ entry, suggests string }{
		{"EMBEDSEAL_STOER=x", "EMBEDSEAL_STORE"},
		{"EMBEDSEAL_LISTEN=:1", "EMBEDSEAL_HTTP_LISTEN"},
		{"EMBEDSEAL_CONFG=:1", "EMBEDSEAL_CONFIG"},
		{"EMBEDSEAL_=", ""},
		{"EMBEDSEAL_COMPLETELY_UNLIKE_ANYTHING=1", ""},
		{"EMBEDSEAL_HTTP_PORT=80", ""},
		{"EMBEDSEAL_PORT_80_TCP=tcp://10.0.0.1:80", ""},
	}
	for _, test := range tests {
		got := faults(t, configs.Input{Environ: []string{test.entry}})
		name, _, _ := strings.Cut(test.entry, "=")
		if len(got) != 1 || got[0].Source != "environment "+name || !strings.Contains(got[0].Detail, test.suggests) {
			t.Errorf("%s: got %q", test.entry, got)
		}
	}
}

func TestTheVariablesOfAKubernetesServiceAreNotOurs(t *testing.T) {
	c, err := configs.Load(configs.Input{Environ: []string{
		"EMBEDSEAL_SERVICE_HOST=10.0.0.1", "EMBEDSEAL_SERVICE_PORT=80", "EMBEDSEAL_SERVICE_PORT_HTTP=80",
		"EMBEDSEAL_PORT=tcp://10.0.0.1:80", "EMBEDSEAL_PORT_80_TCP=tcp://10.0.0.1:80", "EMBEDSEAL_PORT_80_TCP_PROTO=tcp",
		"EMBEDSEAL_PORT_80_TCP_PORT=80", "EMBEDSEAL_PORT_80_TCP_ADDR=10.0.0.1",
		"EMBEDSEAL_OPS_SERVICE_HOST=10.0.0.2", "EMBEDSEAL_OPS_PORT_9090_UDP_ADDR=10.0.0.2",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if s.Source != "default" {
			t.Errorf("%+v", s)
		}
	}
}

func TestAFileThatCannotBeReadNamesWhoAskedForIt(t *testing.T) {
	tests := []struct {
		in     configs.Input
		source string
	}{
		{configs.Input{File: "nowhere.yaml"}, "flag --config"},
		{configs.Input{Environ: []string{"EMBEDSEAL_CONFIG=nowhere.yaml"}}, "environment EMBEDSEAL_CONFIG"},
	}
	for _, test := range tests {
		want := []configs.Fault{{Key: "config", Source: test.source, Detail: `the file "nowhere.yaml" cannot be read: no such file or directory`}}
		if diff := cmp.Diff(want, faults(t, test.in)); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("a directory", func(t *testing.T) {
		got := faults(t, configs.Input{File: t.TempDir()})
		if len(got) != 1 || !strings.Contains(got[0].Detail, "is a directory") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("one that is too large", func(t *testing.T) {
		big := strings.Repeat("#", 1<<20+1)
		got := faults(t, configs.Input{File: "e.yaml", Open: files(map[string]string{"e.yaml": big})})
		if len(got) != 1 || !strings.Contains(got[0].Detail, "more than 1048576 bytes") {
			t.Errorf("got %q", got)
		}
	})
}

func TestASingleFaultIsCountedAsOne(t *testing.T) {
	err := loadError(t, configs.Input{Environ: []string{"EMBEDSEAL_STORE=x"}})
	want := `configuration refused: 1 fault
  store (environment EMBEDSEAL_STORE): "x" is none of bbolt, file, memory, vault`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestAFaultyKeyIsNotComparedWithOthers(t *testing.T) {
	got := faults(t, configs.Input{File: "e.yaml", Open: files(map[string]string{
		"e.yaml": "http:\n  read_timeout: never\n  read_header_timeout: 12s\n",
	})})
	if len(got) != 1 || got[0].Key != "http.read_timeout" {
		t.Errorf("got %q", got)
	}
}
