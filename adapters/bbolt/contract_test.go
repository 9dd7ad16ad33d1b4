package bbolt_test

import (
	"testing"

	"embedseal/adapters/bbolt"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// last is the store that a suite works with: Open makes a new one, Reopen
// closes it and opens its file again.
type last struct {
	config bbolt.Config
	close  func()
}

func (l *last) open(t *testing.T) *bbolt.Store {
	t.Helper()
	l.config = newConfig(t)
	s, closeStore := create(t, l.config)
	l.close = closeStore
	return s
}

func (l *last) reopen(t *testing.T) *bbolt.Store {
	t.Helper()
	l.close()
	s, closeStore := open(t, l.config)
	l.close = closeStore
	return s
}

func TestKeyStore(t *testing.T) {
	var l last
	porttest.KeyStore(t, porttest.KeyStores{
		Open:   func(t *testing.T) ports.KeyStore { return bbolt.NewKeyStore(l.open(t)) },
		Reopen: func(t *testing.T) ports.KeyStore { return bbolt.NewKeyStore(l.reopen(t)) },
	})
}

func TestGroupStore(t *testing.T) {
	var l last
	both := func(s *bbolt.Store) (ports.GroupStore, ports.KeyStore) {
		return bbolt.NewGroupStore(s), bbolt.NewKeyStore(s)
	}
	porttest.GroupStore(t, porttest.GroupStores{
		Open:   func(t *testing.T) (ports.GroupStore, ports.KeyStore) { return both(l.open(t)) },
		Reopen: func(t *testing.T) (ports.GroupStore, ports.KeyStore) { return both(l.reopen(t)) },
	})
}

func TestAuditStore(t *testing.T) {
	var l last
	porttest.AuditStore(t, porttest.AuditStores{
		Open:   func(t *testing.T) ports.AuditStore { return bbolt.NewAuditStore(l.open(t)) },
		Reopen: func(t *testing.T) ports.AuditStore { return bbolt.NewAuditStore(l.reopen(t)) },
	})
}

func TestRevocationStore(t *testing.T) {
	var l last
	both := func(s *bbolt.Store) (ports.RevocationStore, ports.GroupStore) {
		return bbolt.NewRevocationStore(s), bbolt.NewGroupStore(s)
	}
	porttest.RevocationStore(t, porttest.RevocationStores{
		Open:   func(t *testing.T) (ports.RevocationStore, ports.GroupStore) { return both(l.open(t)) },
		Reopen: func(t *testing.T) (ports.RevocationStore, ports.GroupStore) { return both(l.reopen(t)) },
		Many:   200,
	})
}
