package jose_test

import (
	"testing"

	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/jose"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func TestCipherKeepsTheContract(t *testing.T) {
	porttest.TokenCipher(t, func(*testing.T) ports.TokenCipher { return jose.New() })
}

func TestSealingTakesFewAllocations(t *testing.T) {
	const limit = 2 // one, and pools forget at random under the race detector
	k, claims := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", porttest.VectorSecret), []byte(benchClaims)
	ctx, c, s := t.Context(), jose.New(), key.NewSealer(k)
	got := testing.AllocsPerRun(200, func() {
		if _, err := c.Seal(ctx, "acme", s, claims); err != nil {
			t.Fatal(err)
		}
	})
	if got > limit {
		t.Errorf("%v allocations, at most %d are meant", got, limit)
	}
}

func TestItOpensWhatKeysOfTheRingSealed(t *testing.T) {
	porttest.CustodyCipher(t, func(*testing.T) (ports.TokenCipher, ports.KeyCustody) {
		return jose.New(), custody.NewLocal(entropy.System{})
	})
}
