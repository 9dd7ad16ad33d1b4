package vault_test

import (
	"testing"

	"embedseal/adapters/vault"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// opener opens stores for a contract suite, one at a time.
type opener struct {
	site    *site
	config  vault.Config
	closing func()
}

func (o *opener) create(t *testing.T) (ports.GroupStore, ports.KeyStore) {
	t.Helper()
	o.config, o.closing = patient(o.site.tokenConfig()), func() {}
	return o.open(t)
}

func (o *opener) open(t *testing.T) (ports.GroupStore, ports.KeyStore) {
	t.Helper()
	b := o.openBackend(t)
	return vault.NewGroupStore(b), vault.NewKeyStore(b)
}

func (o *opener) openBackend(t *testing.T) *vault.Backend {
	t.Helper()
	o.closing()
	b, closing, err := vault.Open(t.Context(), o.config)
	if err != nil {
		t.Fatal(err)
	}
	o.closing = closing
	t.Cleanup(closing)
	return b
}

func TestKeyStore(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := opener{site: s}
		porttest.KeyStore(t, porttest.KeyStores{
			Open:   func(t *testing.T) ports.KeyStore { _, keys := o.create(t); return keys },
			Reopen: func(t *testing.T) ports.KeyStore { _, keys := o.open(t); return keys },
		})
	})
}

func TestGroupStore(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := opener{site: s}
		porttest.GroupStore(t, porttest.GroupStores{Open: o.create, Reopen: o.open})
	})
}

func TestAuditStore(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := opener{site: s}
		porttest.AuditStore(t, porttest.AuditStores{
			Open: func(t *testing.T) ports.AuditStore {
				o.config, o.closing = patient(o.site.tokenConfig()), func() {}
				return vault.NewAuditStore(o.openBackend(t))
			},
			Reopen: func(t *testing.T) ports.AuditStore { return vault.NewAuditStore(o.openBackend(t)) },
		})
	})
}

func TestRevocationStore(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := opener{site: s}
		both := func(b *vault.Backend) (ports.RevocationStore, ports.GroupStore) {
			return vault.NewRevocationStore(b), vault.NewGroupStore(b)
		}
		porttest.RevocationStore(t, porttest.RevocationStores{
			Open: func(t *testing.T) (ports.RevocationStore, ports.GroupStore) {
				o.config, o.closing = patient(o.site.tokenConfig()), func() {}
				return both(o.openBackend(t))
			},
			Reopen: func(t *testing.T) (ports.RevocationStore, ports.GroupStore) { return both(o.openBackend(t)) },
			Many:   200,
		})
	})
}
