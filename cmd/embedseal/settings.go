package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"embedseal/adapters/auditlog"
	"embedseal/adapters/datadir"
	"embedseal/adapters/httpapi"
	"embedseal/configs"
	"embedseal/domain/audit"
)

// The keys that groups of verbs take as flags.
func storeKeys() []string {
	paths := []string{"store", "data_dir", "master_key_file", "audit.path", "audit.name", "audit.max_bytes", "audit.keep", "custody"}
	for _, k := range configs.Keys() {
		if strings.HasPrefix(k.Path, "vault.") {
			paths = append(paths, k.Path)
		}
	}
	return paths
}

// serverKeys are all but those of a client.
func serverKeys() []string {
	var paths []string
	for _, k := range configs.Keys() {
		if k.Path == "data_dir" || !slices.Contains(append(clientKeys(), adminServerKeys()...), k.Path) {
			paths = append(paths, k.Path)
		}
	}
	return paths
}

func clientKeys() []string { return []string{"server", "api_token_file", "data_dir"} }

// adminServerKeys are of a client of the administration API over TCP.
func adminServerKeys() []string { return []string{"admin_server", "operator_token_file"} }

// settings gives a verb one flag for each key named in paths (all of them when
// there are none), and returns what loads the configuration once the flags are
// parsed. Secrets that the verb does not use stay unread.
func (p *program) settings(c *cobra.Command, paths ...string) func() (configs.Config, error) {
	byFlag := map[string]string{}
	for _, k := range configs.Keys() {
		if k.Flag() == "" || len(paths) > 0 && !slices.Contains(paths, k.Path) {
			continue
		}
		for _, name := range []string{k.Flag(), k.Alias} {
			if name != "" {
				c.Flags().String(name, "", k.Doc+" ("+k.Accepts+"; default \""+k.Default+"\")")
				byFlag[name] = k.Path
			}
		}
	}
	return func() (configs.Config, error) {
		in := configs.Input{File: p.configFile, Environ: p.environ, Flags: map[string]string{}, Named: map[string]string{}, Unread: unread(paths),
			NoStore: len(paths) > 0 && !slices.Contains(paths, "store")}
		for _, name := range slices.Sorted(maps.Keys(byFlag)) {
			f, path := c.Flags().Lookup(name), byFlag[name]
			if !f.Changed {
				continue
			}
			if other, twice := in.Named[path]; twice {
				return configs.Config{}, usage(fmt.Errorf("--%s and --%s are one setting; give one of them", other, name))
			}
			in.Flags[path], in.Named[path] = f.Value.String(), name
		}
		cfg, err := configs.Load(in)
		if err != nil {
			return cfg, err
		}
		for _, w := range cfg.Warnings {
			p.warn("embedseal: warning: %s", w)
		}
		return cfg, nil
	}
}

// unread are the secrets of the verbs that are not these: a server does not
// read the token of a client, nor a client the master key.
func unread(paths []string) []string {
	var secrets []string
	if len(paths) == 0 { // all is looked at
		return nil
	}
	if !slices.Contains(paths, "api_token_file") {
		secrets = append(secrets, "api_token")
	}
	if !slices.Contains(paths, "operator_token_file") {
		secrets = append(secrets, "operator_token")
	}
	if !slices.Contains(paths, "admin.listen") {
		secrets = append(secrets, "admin.operator_token")
	}
	if !slices.Contains(paths, "store") {
		secrets = append(secrets, "master_key", "vault.token", "vault.secret_id")
	}
	return secrets
}

// httpConfig is what the public listener owns of the configuration.
func httpConfig(cfg configs.Config) httpapi.Config {
	h := cfg.HTTP
	out := httpapi.Config{
		Listen: h.Listen, BrowserOrigins: h.BrowserOrigins,
		ReadHeaderTimeout: h.ReadHeaderTimeout, ReadTimeout: h.ReadTimeout, WriteTimeout: h.WriteTimeout,
		IdleTimeout: h.IdleTimeout, ShutdownTimeout: h.ShutdownTimeout, MaxWait: h.MaxWait,
		Rate: httpapi.RateConfig(cfg.Rate),
	}
	for _, proxy := range h.TrustedProxies {
		out.TrustedProxies = append(out.TrustedProxies, proxy.String())
	}
	return out
}

// adminConfig is what the administration listeners own of the configuration.
func adminConfig(cfg configs.Config, version string) httpapi.AdminConfig {
	a := cfg.Admin
	out := httpapi.AdminConfig{
		Socket: a.Socket, Listen: a.Listen,
		OperatorToken: httpapi.NewOperatorToken(a.OperatorToken), OperatorReveal: a.OperatorReveal,
		ShutdownTimeout: cfg.HTTP.ShutdownTimeout, Rate: httpapi.RateConfig(cfg.Rate),
		Version: version, Store: cfg.Store, Custody: cfg.Custody.String(),
	}
	switch {
	case a.Socket == "-":
		out.Socket = ""
	case a.Socket == "" && inDataDir(cfg.Store):
		out.Socket = datadir.At(cfg.DataDir).Path(datadir.AdminSocket)
	}
	return out
}

// auditPath is where audit records go: the configured path, the file in the
// data directory, or standard error when there is no directory.
func auditPath(cfg configs.Config, dir datadir.Dir) string {
	switch {
	case cfg.Audit.Path != "":
		return cfg.Audit.Path
	case cfg.Store == storeMemory:
		return "-"
	}
	return dir.Path(datadir.AuditLog)
}

// auditConfig is what the audit log owns of the configuration, with the store that
// keeps its key.
func auditConfig(cfg configs.Config, dir datadir.Dir, s stores, log *slog.Logger) auditlog.Config {
	return auditlog.Config{
		Path: auditPath(cfg, dir), Name: auditName(cfg), Store: s.Audit,
		MaxBytes: cfg.Audit.MaxBytes, Keep: cfg.Audit.Keep, Log: log,
	}
}

// auditName is what the audit log is called: where several servers have one store,
// the name of each is its host's.
func auditName(cfg configs.Config) string {
	if cfg.Audit.Name != "" {
		return cfg.Audit.Name
	}
	if cfg.Store != storeVault {
		return "local"
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return audit.LogOf(host)
}

// initAudit is auditConfig for init, which with Vault writes a log of its own that
// stays on this machine: it is called after its path, too.
func initAudit(cfg configs.Config, dir datadir.Dir, s stores, log *slog.Logger) auditlog.Config {
	c := auditConfig(cfg, dir, s, log)
	if cfg.Store != storeVault || cfg.Audit.Name != "" {
		return c
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		path = c.Path
	}
	sum := sha256.Sum256([]byte(path))
	mark := "-init-" + hex.EncodeToString(sum[:4])
	c.Name = c.Name[:min(len(c.Name), audit.MaxLog-len(mark))] + mark
	return c
}
