package configs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"embedseal/configs"
	"embedseal/domain/secret"
)

// FuzzLoad reads a file of anything: it is refused with faults that each name
// their line, or accepted, and then every setting can be given by environment
// instead and means the same.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "store: file", "http: {listen: ':0', trusted_proxies: ['::1', 10.0.0.0/8]}", "rate: {token_per_second: 1e3}",
		"a: &a [*a]", "a: &a {<<: *a}", "<<: *x", "? {a: b}\n: c", "--- !!binary x", "%YAML 9.9\n---\nstore: file",
		"store: !!str file", "store: !!int file", "rate: {token_burst: !!int 0o17}", "log: {level: \"\\u0000\"}",
		"\xff\xfes\x00", "\ufeffstore: file", "store: \"\xc3\x28\"", strings.Repeat("[", 2000), strings.Repeat("{a: ", 2000),
		strings.Repeat("- ", 2000), "store: file\n---\nstore: file\n...\n", "data_dir: |\n  a\n  b\n", "master_key: hunter2",
		"rate_limit: True", "rate_limit: On", "data_dir: ' '", "http: {browser_origins: ['https://a.example,https://b.example']}",
		"http: {browser_origins: [' https://a.example']}", "http: {trusted_proxies: ['']}", "server: 'http://[::1%25x]:1//'",
		"http: {read_timeout: 10.000000001s}", "a: 1\na: 2\na: 3", "store: file\r\nlog:\r\tlevel: x", "*", "&", "!", "@", "`", "store: *file",
		"store: vault", "store: vault\nvault: {addresses: ['https://a'], token: t}", "store: vault\ncustody: vault-transit\nvault: {addresses: ['http://127.0.0.1', 'https://a/x'], token_file: k}",
		"store: vault\nvault: {addresses: ['https://a'], auth: approle, role_id: r, secret_id: s}\ncache: {fresh_for: 1s, grace: 0}",
		"store: vault\nvault: {addresses: ['https://a'], auth: approle, role_id: r, secret_id_file: k}\nops: {listen: ':1'}",
		"store: vault\nvault: {addresses: ['https://a,b'], auth: kubernetes, role: r, jwt_file: j}", "store: vault\nvault: {addresses: ['http://a'], allow_http: yes}",
		"store: vault\nvault: {addresses: ['http://a'], allow_http: on, auth: cert, cert_file: c, key_file: k, ca_file: a, server_name: s}",
		"store: vault\nvault: {addresses: ['https://a '], auth: agent, sink_file: s, namespace: n/m, mount: a/b, prefix: c-d, transit_mount: t, auth_mount: x}",
		"custody: vault-transit", "custody: vault-transit\nstore: vault\nvault: {prefix: a/b}", "vault: {cert_file: c}", "cache: {grace: 5}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return // refused by its length, before there are lines
		}
		open := files(map[string]string{"e.yaml": string(data), "k": "k"})
		c, err := configs.Load(configs.Input{File: "e.yaml", Open: open})
		if err != nil {
			var invalid *configs.Invalid
			if !errors.As(err, &invalid) || len(invalid.Faults) == 0 {
				t.Fatalf("refused without a fault: %v", err)
			}
			for _, fault := range invalid.Faults {
				if !strings.HasPrefix(fault.Source, "file e.yaml:") || fault.Detail == "" || strings.ContainsAny(fault.String(), "\n\x1b\x00") {
					t.Errorf("fault %q", fault)
				}
			}
			return
		}
		// Secrets are not shown by Settings, so that they are looked up here.
		inline := map[string]secret.Text{}
		for path, given := range map[string]struct {
			value secret.Text
			file  string
		}{
			"master_key": {c.MasterKey, c.MasterKeyFile}, "api_token": {c.Client.APIToken, c.Client.APITokenFile},
			"admin.operator_token": {c.Admin.OperatorToken, c.Admin.OperatorTokenFile},
			"operator_token":       {c.Client.OperatorToken, c.Client.OperatorTokenFile},
			"vault.token":          {c.Vault.Auth.Token, c.Vault.Auth.TokenFile},
			"vault.secret_id":      {c.Vault.Auth.SecretID, c.Vault.Auth.SecretIDFile},
		} {
			if given.file == "" {
				inline[path] = given.value
			}
		}
		environ := []string{}
		for i, k := range configs.Keys() {
			s := c.Settings()[i]
			switch {
			case s.Source == "default" || s.Value == "" && k.Kind == configs.SecretFile:
			case k.Kind == configs.Secret && !inline[k.Path].IsZero():
				environ = append(environ, k.Env()+"="+inline[k.Path].Reveal())
			case k.Kind != configs.Secret:
				environ = append(environ, k.Env()+"="+s.Value)
			}
		}
		again, err := configs.Load(configs.Input{Environ: environ, Open: open})
		if err != nil {
			t.Fatalf("the settings of an accepted file are refused: %v", err)
		}
		again.File, again.Warnings = c.File, c.Warnings
		if diff := cmp.Diff(c, again, comparers, cmpopts.IgnoreUnexported(configs.Config{})); diff != "" {
			t.Error(diff)
		}
	})
}
