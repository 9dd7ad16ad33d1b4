package jose_test

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/jose"
	"embedseal/domain/jwe"
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

// What is kept beside a key may be of another who keeps there: what is no cipher for the
// IVs of tokens is passed over.
func TestItDoesNotSealWithWhatAnotherKept(t *testing.T) {
	k := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", porttest.VectorSecret)
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	long, err := cipher.NewGCMWithNonceSize(block, 16)
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []any{"another's", long, nil} {
		s := key.NewSealer(k)
		s.Keep(kept)
		text, err := jose.New().Seal(t.Context(), "acme", s, []byte(`{"a":1}`))
		if err != nil {
			t.Fatalf("beside %T: %v", kept, err)
		}
		token, err := jwe.ParseCompact(string(text))
		if err != nil {
			t.Fatalf("beside %T: %v", kept, err)
		}
		if claims, err := jose.New().Open(t.Context(), "acme", k, token); err != nil || string(claims) != `{"a":1}` {
			t.Errorf("beside %T: %q, %v", kept, claims, err)
		}
	}
}
