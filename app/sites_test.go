package app_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/bbolt"
	"embedseal/adapters/cache"
	"embedseal/adapters/clock"
	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/file"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	hashicorp "embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

// site is the use-cases over one kind of store, as the program puts them
// together.
type site struct {
	stores  ports.KeyStore
	groups  ports.GroupStore
	custody *counting
	cipher  ports.TokenCipher
	keys    *app.Keys
	minter  *app.Minter
}

// eachSite runs the test over every kind of store.
func eachSite(t *testing.T, run func(*testing.T, *site)) {
	masterKey := [32]byte{1}
	for name, open := range map[string]func(t *testing.T) *site{
		"memory": func(*testing.T) *site {
			s := memory.Open()
			return &site{stores: memory.NewKeyStore(s), groups: memory.NewGroupStore(s)}
		},
		"bbolt": func(t *testing.T) *site {
			cfg := bbolt.Config{Path: filepath.Join(t.TempDir(), "store"), MasterKey: bbolt.NewMasterKey(masterKey)}
			if _, err := bbolt.Create(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			s, closing, err := bbolt.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(closing)
			local := cache.NewLocal(bbolt.NewKeyStore(s), bbolt.NewGroupStore(s))
			return &site{stores: local, groups: local}
		},
		"file": func(t *testing.T) *site {
			cfg := file.Config{Dir: filepath.Join(t.TempDir(), "store"), MasterKey: file.NewMasterKey(masterKey)}
			if _, err := file.Create(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			s, closing, err := file.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(closing)
			local := cache.NewLocal(file.NewKeyStore(s), file.NewGroupStore(s))
			return &site{stores: local, groups: local}
		},
		"vault and Transit": func(t *testing.T) *site { return transitSite(t, vaultfake.Start(t).URL(), vaultfake.RootToken) },
	} {
		t.Run(name, func(t *testing.T) { run(t, open(t).ready()) })
	}
}

// transitSite keeps all in a Vault.
func transitSite(t *testing.T, address, root string) *site {
	t.Helper()
	b, closing, err := hashicorp.Open(t.Context(), hashicorp.Config{
		Addresses: []string{address}, TryTimeout: 10 * time.Second, CallTimeout: 30 * time.Second,
		Auth: hashicorp.AuthConfig{Method: hashicorp.MethodToken, Token: secret.New(root)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closing)
	return &site{
		stores: hashicorp.NewKeyStore(b), groups: hashicorp.NewGroupStore(b),
		custody: &counting{KeyCustody: hashicorp.NewCustody(b)}, cipher: hashicorp.NewCipher(b),
	}
}

// ready puts the use-cases on.
func (s *site) ready() *site {
	if s.custody == nil {
		s.custody, s.cipher = &counting{KeyCustody: custody.NewLocal(entropy.System{})}, jose.New()
	}
	s.stores = slow{s.stores}
	log, random := &journal{}, entropy.System{}
	changes := newChanges(log)
	s.keys = app.NewKeys(s.groups, s.stores, s.custody, changes, clock.System{}, random, 0)
	defaults := app.NewDefaultKeys(s.stores, s.custody, changes, clock.System{}, random)
	s.minter = app.NewMinter(s.stores, defaults, s.cipher, log, clock.System{}, token.ChartClaim{})
	return s
}

// found makes a group, and its first key.
func (s *site) found(t *testing.T, id group.ID) key.ID {
	t.Helper()
	if err := s.groups.CreateGroup(t.Context(), group.Group{ID: id, Policy: policy.Default()}); err != nil {
		t.Fatal(err)
	}
	made, err := s.keys.Create(t.Context(), call(), operator(), id, app.NewKey{Default: true})
	if err != nil {
		t.Fatal(err)
	}
	return made.Key.ID
}

// slow widens the window that a lost update needs.
type slow struct{ ports.KeyStore }

func (s slow) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	return s.KeyStore.UpdateRing(ctx, g, func(r key.Ring) (key.Ring, error) {
		time.Sleep(time.Millisecond)
		return change(r)
	})
}

// counting knows which keys were made and not destroyed since.
type counting struct {
	ports.KeyCustody
	mu    sync.Mutex
	there []key.ID
}

func (c *counting) Create(ctx context.Context, g group.ID, id key.ID) (key.Key, error) {
	k, err := c.KeyCustody.Create(ctx, g, id)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.there = append(c.there, id)
	}
	return k, err
}

func (c *counting) Destroy(ctx context.Context, g group.ID, k key.Key) error {
	err := c.KeyCustody.Destroy(ctx, g, k)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.there = slices.DeleteFunc(c.there, func(id key.ID) bool { return id == k.ID })
	}
	return err
}
