package memory_test

import (
	"testing"

	"embedseal/adapters/memory"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func TestKeyStore(t *testing.T) {
	porttest.KeyStore(t, porttest.KeyStores{
		Open: func(*testing.T) ports.KeyStore { return memory.NewKeyStore(memory.Open()) },
	})
}

func TestGroupStore(t *testing.T) {
	porttest.GroupStore(t, porttest.GroupStores{
		Open: func(*testing.T) (ports.GroupStore, ports.KeyStore) {
			s := memory.Open()
			return memory.NewGroupStore(s), memory.NewKeyStore(s)
		},
	})
}

func TestAuditStore(t *testing.T) {
	porttest.AuditStore(t, porttest.AuditStores{
		Open: func(*testing.T) ports.AuditStore { return memory.NewAuditStore(memory.Open()) },
	})
}

func TestRevocationStore(t *testing.T) {
	porttest.RevocationStore(t, porttest.RevocationStores{
		Open: func(*testing.T) (ports.RevocationStore, ports.GroupStore) {
			s := memory.Open()
			return memory.NewRevocationStore(s), memory.NewGroupStore(s)
		},
	})
}
