package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/cache"
	"embedseal/adapters/clock"
	"embedseal/adapters/custody"
	"embedseal/adapters/datadir"
	"embedseal/adapters/entropy"
	"embedseal/adapters/file"
	"embedseal/adapters/host"
	"embedseal/adapters/jose"
	"embedseal/adapters/metrics"
	"embedseal/adapters/vault"
	"embedseal/app"
	"embedseal/configs"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// The stores that can be chosen.
const (
	storeBbolt  = "bbolt"
	storeFile   = "file"
	storeMemory = "memory"
	storeVault  = configs.StoreVault
)

// stores is everything a backend has to provide.
type stores struct {
	Keys    ports.KeyStore
	Groups  ports.GroupStore
	Cipher  ports.TokenCipher
	Custody ports.KeyCustody
	Check   ports.Checker
	// Audit keeps the key and the end of the audit log.
	Audit ports.AuditStore
	// Revocations keeps what was taken back, and Fresh says how old a copy of that may
	// be.
	Revocations ports.RevocationStore
	Fresh       app.Freshness
	// Stale is how long another process may act on what it read before a change.
	Stale app.Staleness
	// Reserve is nil where the store cannot be away without this process.
	Reserve ports.Reserve
}

// openStores opens the configured backend, which must be there, and puts the
// decorators on. The returned func releases it.
//
// m counts what they do; nil counts nothing.
func openStores(ctx context.Context, cfg configs.Config, m *metrics.Registry) (stores, func(), error) {
	switch cfg.Store {
	case storeMemory:
		return cached(measured(memoryStores(), m), m), func() {}, nil
	case storeVault:
		return openVault(ctx, cfg, m)
	}
	dir := datadir.At(cfg.DataDir)
	if err := dir.Look(storeName(cfg.Store)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return stores{}, nil, unusable(err)
		}
		if other := otherStore(cfg.Store, dir); other != "" {
			return stores{}, nil, fmt.Errorf("%w: %s holds a %s store, and none of %s; use --store %s, or another --data-dir",
				ports.ErrNotFound, dir, other, cfg.Store, other)
		}
		return stores{}, nil, fmt.Errorf("%w: no %s store in %s; make one with: embedseal init --data-dir %s --store %s",
			ports.ErrNotFound, cfg.Store, dir, dir, cfg.Store)
	}
	master, err := masterKey(cfg, dir)
	if err != nil {
		return stores{}, nil, err
	}
	s, release, err := openSealed(ctx, cfg.Store, dir, master)
	if err != nil {
		return stores{}, nil, unusable(heldBy(err, cfg.Store, dir))
	}
	return cached(measured(s, m), m), release, nil
}

// cached keeps what was read of stores that no other process writes to.
func cached(s stores, m *metrics.Registry) stores {
	local := cache.NewLocal(s.Keys, s.Groups)
	s.Keys, s.Groups = local, local
	watch(m, local)
	return s
}

// measured counts the calls of the store itself.
func measured(s stores, m *metrics.Registry) stores {
	if m != nil {
		counted := m.Stores(s.Keys, s.Groups)
		s.Keys, s.Groups = counted, counted
	}
	return s
}

// watch shows what a cache does.
func watch(m *metrics.Registry, c interface {
	Counts() cache.Counts
	Keys(now time.Time) []cache.Keys
}) {
	if m != nil {
		m.Watch(func() metrics.CacheCounts { return metrics.CacheCounts(c.Counts()) }, func(now time.Time) []metrics.GroupKeys {
			var all []metrics.GroupKeys
			for _, k := range c.Keys(now) {
				all = append(all, metrics.GroupKeys(k))
			}
			return all
		})
	}
}

// openVault logs in to Vault. Others write there too, and it may be away: what
// was read is kept for a time. Keys can be in either custody.
func openVault(ctx context.Context, cfg configs.Config, m *metrics.Registry) (stores, func(), error) {
	s, release, err := vaultStores(ctx, vaultConfig(cfg))
	if errors.Is(err, ports.ErrDenied) {
		err = fmt.Errorf("%w; embedseal doctor tells what is missing", err)
	}
	if err != nil {
		return stores{}, nil, unusable(err)
	}
	s = measured(s, m)
	remote := cache.NewRemote(s.Keys, s.Groups, cache.RemoteConfig(cfg.Cache), clock.System{})
	s.Keys, s.Groups, s.Reserve = remote, remote, remote
	s.Stale = app.Staleness(cfg.Cache.FreshFor + cfg.Cache.Grace)
	s.Fresh = app.Freshness{Shared: true, FreshFor: cfg.Cache.FreshFor, Grace: cfg.Cache.Grace}
	watch(m, remote)
	s.Cipher = ciphers{material: jose.New(), transit: s.Cipher}
	s.Custody = custodies{ofNew: cfg.Custody, material: custody.NewLocal(entropy.System{}), transit: s.Custody}
	return s, release, nil
}

// vaultConfig leaves the secrets that have a file to the adapter, which reads it
// again on every log-in.
func vaultConfig(cfg configs.Config) vault.Config {
	v := cfg.Vault
	v.UsesTransit = cfg.Custody == key.VaultTransit
	if v.Auth.TokenFile != "" {
		v.Auth.Token = secret.Text{}
	}
	if v.Auth.SecretIDFile != "" {
		v.Auth.SecretID = secret.Text{}
	}
	return v
}

func openSealed(ctx context.Context, store string, dir datadir.Dir, master secret.Text) (stores, func(), error) {
	if store == storeFile {
		cfg, err := fileConfig(dir, master)
		if err != nil {
			return stores{}, nil, err
		}
		return fileStores(ctx, cfg)
	}
	cfg, err := bboltConfig(dir, master)
	if err != nil {
		return stores{}, nil, err
	}
	return bboltStores(ctx, cfg)
}

// createStore makes the configured backend unless it is there.
func createStore(ctx context.Context, store string, dir datadir.Dir, master secret.Text) error {
	var err error
	if store == storeFile {
		var cfg file.Config
		if cfg, err = fileConfig(dir, master); err == nil {
			_, err = file.Create(ctx, cfg)
		}
	} else {
		var cfg bbolt.Config
		if cfg, err = bboltConfig(dir, master); err == nil {
			_, err = bbolt.Create(ctx, cfg)
		}
	}
	return err
}

// otherStore is the type of the store that a data directory holds instead of this
// one; empty when it holds none.
func otherStore(store string, dir datadir.Dir) string {
	for _, other := range []string{storeBbolt, storeFile} {
		if other != store && dir.Has(storeName(other)) {
			return other
		}
	}
	return ""
}

// heldBy adds which process holds the store, where the kernel tells. The store file
// knows it, and says so itself.
func heldBy(err error, store string, dir datadir.Dir) error {
	if store != storeBbolt || !errors.Is(err, ports.ErrHeld) {
		return err
	}
	h, known := host.HolderOf(dir.Path(datadir.BoltStore))
	switch {
	case !known:
		return err
	case h.Name == "":
		return fmt.Errorf("%w (process %d)", err, h.PID)
	}
	return fmt.Errorf("%w (process %d, %s)", err, h.PID, h.Name)
}

func storeName(store string) string {
	if store == storeFile {
		return datadir.FileStore
	}
	return datadir.BoltStore
}

func bboltConfig(dir datadir.Dir, master secret.Text) (bbolt.Config, error) {
	k, err := bbolt.ParseMasterKey(master.Reveal())
	return bbolt.Config{Path: dir.Path(datadir.BoltStore), MasterKey: k}, unusable(err)
}

func fileConfig(dir datadir.Dir, master secret.Text) (file.Config, error) {
	k, err := file.ParseMasterKey(master.Reveal())
	return file.Config{Dir: dir.Path(datadir.FileStore), MasterKey: k}, unusable(err)
}

// unusable gives whatever keeps a store from being opened its exit code.
func unusable(err error) error {
	if err == nil {
		return nil
	}
	return &failed{err: err, code: exitStore}
}

// masterKey is the configured one, or the one in the data directory.
func masterKey(cfg configs.Config, dir datadir.Dir) (secret.Text, error) {
	if !cfg.MasterKey.IsZero() {
		return cfg.MasterKey, nil
	}
	text, err := dir.Read(datadir.MasterKey)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Text{}, fmt.Errorf("%w: there is no master key: neither master_key nor master_key_file is set, and %s is not there",
			ports.ErrNotFound, dir.Path(datadir.MasterKey))
	}
	return text, err
}
