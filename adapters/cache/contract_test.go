package cache_test

import (
	"testing"

	"embedseal/adapters/cache"
	"embedseal/adapters/memory"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func open() *cache.Local {
	s := memory.Open()
	return cache.NewLocal(memory.NewKeyStore(s), memory.NewGroupStore(s))
}

func TestKeyStore(t *testing.T) {
	porttest.KeyStore(t, porttest.KeyStores{Open: func(*testing.T) ports.KeyStore { return open() }})
}

func TestGroupStore(t *testing.T) {
	porttest.GroupStore(t, porttest.GroupStores{Open: func(*testing.T) (ports.GroupStore, ports.KeyStore) {
		local := open()
		return local, local
	}})
}
