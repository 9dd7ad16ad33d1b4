package file_test

import (
	"path/filepath"
	"testing"

	"embedseal/adapters/file"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// opener opens stores for a contract suite, one at a time.
type opener struct {
	config file.Config
	close  func()
}

func (o *opener) create(t *testing.T) (ports.GroupStore, ports.KeyStore) {
	t.Helper()
	s := o.createStore(t)
	return file.NewGroupStore(s), file.NewKeyStore(s)
}

func (o *opener) createStore(t *testing.T) *file.Store {
	t.Helper()
	o.config = file.Config{Dir: filepath.Join(t.TempDir(), "data", "store"), MasterKey: masterKey(1)}
	if created, err := file.Create(t.Context(), o.config); !created || err != nil {
		t.Fatalf("created is %t, and the error %v", created, err)
	}
	o.close = func() {}
	return o.openStore(t)
}

func (o *opener) open(t *testing.T) (ports.GroupStore, ports.KeyStore) {
	t.Helper()
	s := o.openStore(t)
	return file.NewGroupStore(s), file.NewKeyStore(s)
}

func (o *opener) openStore(t *testing.T) *file.Store {
	t.Helper()
	o.close()
	s, closing, err := file.Open(t.Context(), o.config)
	if err != nil {
		t.Fatal(err)
	}
	o.close = closing
	t.Cleanup(closing)
	return s
}

func TestKeyStore(t *testing.T) {
	var o opener
	porttest.KeyStore(t, porttest.KeyStores{
		Open:   func(t *testing.T) ports.KeyStore { _, keys := o.create(t); return keys },
		Reopen: func(t *testing.T) ports.KeyStore { _, keys := o.open(t); return keys },
	})
}

func TestGroupStore(t *testing.T) {
	var o opener
	porttest.GroupStore(t, porttest.GroupStores{Open: o.create, Reopen: o.open})
}

// masterKey is a key whose bytes count up from first.
func masterKey(first byte) file.MasterKey {
	var raw [32]byte
	for i := range raw {
		raw[i] = first + byte(i)
	}
	return file.NewMasterKey(raw)
}

func TestAuditStore(t *testing.T) {
	var o opener
	porttest.AuditStore(t, porttest.AuditStores{
		Open:   func(t *testing.T) ports.AuditStore { return file.NewAuditStore(o.createStore(t)) },
		Reopen: func(t *testing.T) ports.AuditStore { return file.NewAuditStore(o.openStore(t)) },
	})
}

func TestRevocationStore(t *testing.T) {
	var o opener
	both := func(s *file.Store) (ports.RevocationStore, ports.GroupStore) {
		return file.NewRevocationStore(s), file.NewGroupStore(s)
	}
	porttest.RevocationStore(t, porttest.RevocationStores{
		Open:   func(t *testing.T) (ports.RevocationStore, ports.GroupStore) { return both(o.createStore(t)) },
		Reopen: func(t *testing.T) (ports.RevocationStore, ports.GroupStore) { return both(o.openStore(t)) },
		Many:   200,
	})
}
