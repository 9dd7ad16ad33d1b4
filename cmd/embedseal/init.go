package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/adapters/auditlog"
	"embedseal/adapters/datadir"
	"embedseal/adapters/entropy"
	"embedseal/configs"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// patience is how long an init waits for another one.
const patience = 3 * time.Second

// firstGroup is the group that init makes.
const firstGroup = group.ID("default")

// initialised is what init and `serve --dev` print. Scripts rely on its members.
type initialised struct {
	Created  bool   `json:"created"`
	DataDir  string `json:"data_dir"`
	Store    string `json:"store"`
	Group    string `json:"group"`
	APIToken string `json:"api_token,omitempty"`
	// APITokenFile is where the token lies too; empty for a store in memory.
	APITokenFile string `json:"api_token_file,omitempty"`
	KeyID        string `json:"key_id"`
	// Custody is where the material of the key is.
	Custody string `json:"custody"`
	// KeyValue is left out where nobody can read it: in Vault's Transit engine.
	KeyValue string `json:"key_value,omitempty"`
	// AdminSocket is where serve --dev is administered.
	AdminSocket string `json:"admin_socket,omitempty"`
}

func (p *program) initCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a data directory with a store, a group, an embed secret and an API token",
		Long: "init makes the data directory (0700), a master key, the store, and in it the group 'default' with\n" +
			"one embed secret and one API token. Both are shown once; the token is also left in DATA-DIR/api-token (0600).\n" +
			"Run again, it finds what is there and makes nothing.\n\n" +
			"With --store vault, group and secret are made in Vault, and the data directory gets the API token and the\n" +
			"audit log of this init only: a server with that store needs no data directory.",
		Example: "  embedseal init --data-dir /var/lib/embedseal --store bbolt --output json",
	}
	load := p.settings(c, append(storeKeys(), "http.listen")...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return p.initialise(c.Context(), cfg)
		})
	}
	return c
}

func (p *program) initialise(ctx context.Context, cfg configs.Config) error {
	if cfg.Store == storeMemory {
		return usage(errors.New("init --store memory would make nothing that lasts; use: embedseal serve --dev"))
	}
	dir := datadir.At(cfg.DataDir)
	if err := ownDirectory(dir); err != nil {
		return err
	}
	tightened, err := dir.Make()
	if err != nil {
		return err
	}
	if tightened {
		p.warn("embedseal: closed %s to other users (mode 0700)", dir)
	}
	unlock, err := dir.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := ensureStore(ctx, cfg, dir); err != nil {
		return err
	}
	s, release, err := openWhenFree(ctx, cfg)
	if err != nil {
		return err
	}
	defer release()
	if err := dir.Sweep(); err != nil {
		return err
	}
	log, closeLog, err := auditlog.Open(ctx, initAudit(cfg, dir, s, p.logger(cfg.Log)))
	if err != nil {
		return err
	}
	defer closeLog()
	made, err := bootstrap(ctx, dir, s, log)
	if err != nil {
		return err
	}
	made.Store = cfg.Store
	if err := p.showInit(cfg, made); err != nil {
		return err
	}
	return dir.Remove(datadir.Pending)
}

// ownDirectory refuses a directory that cannot be meant for one program: making
// it a data directory would close it to everybody else.
func ownDirectory(dir datadir.Dir) error {
	info, err := os.Stat(dir.String())
	if err != nil { // making it will tell
		return nil //nolint:nilerr // see above
	}
	absolute, err := filepath.Abs(dir.String())
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if info.Mode()&fs.ModeSticky != 0 || filepath.Dir(absolute) == absolute {
		return fmt.Errorf("%s is shared with others; choose a directory of its own with --data-dir", dir)
	}
	return nil
}

// ensureStore makes the master key and the store, in this order, so that a kill
// between the two leaves nothing that cannot be opened. A store that is there
// without its key gets no new one: nothing could be read with it. Vault is there
// already.
func ensureStore(ctx context.Context, cfg configs.Config, dir datadir.Dir) error {
	if inDataDir(cfg.Store) && dir.Has(storeName(cfg.Store)) {
		master, err := masterKey(cfg, dir)
		if err != nil {
			return err
		}
		return createStore(ctx, cfg.Store, dir, master)
	}
	if other := otherStore(cfg.Store, dir); other != "" {
		return fmt.Errorf("%w: %s holds a %s store already; use --store %s, or another --data-dir", ports.ErrExists, dir, other, other)
	}
	if !inDataDir(cfg.Store) {
		return nil
	}
	master := cfg.MasterKey
	if master.IsZero() {
		var err error
		if master, err = dir.WriteOnce(datadir.MasterKey, newMasterKey()); err != nil {
			return err
		}
	}
	return createStore(ctx, cfg.Store, dir, master)
}

// openWhenFree opens the store, and waits a little while another process has
// it: that may be another init.
func openWhenFree(ctx context.Context, cfg configs.Config) (stores, func(), error) {
	for deadline := time.Now().Add(patience); ; {
		s, release, err := openStores(ctx, cfg, nil)
		if !errors.Is(err, ports.ErrHeld) || time.Now().After(deadline) {
			return s, release, err
		}
		select {
		case <-ctx.Done():
			return s, release, ctx.Err()
		case <-time.After(patience / 100):
		}
	}
}

func newMasterKey() secret.Text {
	var random [32]byte
	entropy.System{}.Fill(random[:])
	return secret.New(base64.StdEncoding.EncodeToString(random[:]))
}

func (p *program) showInit(cfg configs.Config, made initialised) error {
	if p.output == "json" {
		return p.printJSON(made)
	}
	where := made.DataDir
	if cfg.Store == storeVault {
		where = "in Vault, below " + cfg.Vault.Mount + "/" + cfg.Vault.Prefix
	}
	inTransit := made.Custody == key.VaultTransit.String()
	if made.Created {
		if made.APIToken != "" {
			p.say("Made %s (%s store): group %s, one embed secret, one API token.", where, made.Store, made.Group)
			p.say("")
			p.say("API token   %s", made.APIToken)
			p.say("            also in %s; whoever has it can mint for this group", made.APITokenFile)
		} else {
			p.say("Found %s (%s store): group %s, and made the embed secret that it had not.", where, made.Store, made.Group)
			p.say("")
		}
		p.say("Key id      %s", made.KeyID)
		if inTransit {
			p.say("Key value   stays in Vault's Transit engine: it cannot be shown, and only embedseal opens its tokens")
		} else {
			p.say("Key value   %s", made.KeyValue)
			p.say("            shown only now")
		}
	} else {
		p.say("Found %s (%s store): group %s. Nothing was made.", where, made.Store, made.Group)
		p.say("Key id      %s", made.KeyID)
	}
	file := made.APITokenFile
	if file == "" {
		file = "FILE-WITH-THE-API-TOKEN"
	}
	p.say("")
	p.say("Start the server, unless it runs:")
	p.say("")
	p.say("  %s", p.serveLine(cfg))
	p.say("")
	p.say("and while it runs, in another terminal, mint a token:")
	p.say("")
	p.mintHint(cfg.HTTP.Listen, `"$(cat `+shellQuote(file)+`)"`)
	if !inTransit {
		p.inspectHint(made.KeyValue)
	}
	return p.printed.failure()
}

// serveLine is the command that serves what init has made: where that was chosen by
// flags, serve needs them too.
func (p *program) serveLine(cfg configs.Config) string {
	line := shellQuote(p.self) + " serve"
	if p.configFile != "" {
		line += " --config " + shellQuote(p.configFile)
	}
	for _, s := range cfg.Settings() {
		if flag, chosen := strings.CutPrefix(s.Source, "flag "); chosen {
			line += " " + flag + " " + shellQuote(s.Value)
		}
	}
	return line
}

// mintHint is a command to paste. The token is read from its file, so that it
// gets into no shell's history.
func (p *program) mintHint(listen, token string) {
	p.say("  curl -sS -X POST 'http://%s/api/generate_jwt/' \\", reachable(listen))
	p.say("    -H 'Content-Type: application/json' -H 'Explo-Authorization: Token '%s \\", token)
	p.say(`    -d '{"provided_id": "customer_1", "embed_id": "abcde", "expiration": "PT1H"}' | tee answer.json`)
	p.say("")
}

// inspectHint is the command that opens what the one before it got.
func (p *program) inspectHint(value string) {
	if value == "" {
		value = "KEY-VALUE-SHOWN-BY-THE-FIRST-INIT"
	}
	p.say("and look into it:")
	p.say("")
	p.say("  printf %%s '%s' | %s inspect --secret-file - --token-file answer.json", value, shellQuote(p.self))
	p.say("")
}

// reachable is the address at which this machine reaches a listener.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return listen
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// shellQuote makes one word of s for a shell.
func shellQuote(s string) string {
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-") == ""
	if plain && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
