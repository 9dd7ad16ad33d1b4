package custody_test

import (
	"testing"
	"time"

	"embedseal/adapters/custody"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.KeyCustody = (*custody.Local)(nil)

// counting fills with 1, 2, 3… and goes on counting from fill to fill.
type counting struct{ last byte }

func (c *counting) Fill(p []byte) {
	for i := range p {
		c.last++
		p[i] = c.last
	}
}

func TestAKeyIsActiveAndHoldsTwentyFourRandomBytesInThirtyTwoCharacters(t *testing.T) {
	k, err := custody.NewLocal(&counting{}).Create(t.Context(), "acme", "k1")
	if err != nil {
		t.Fatal(err)
	}
	if k.ID != "k1" || k.State != key.Active || k.Custody != key.Material {
		t.Errorf("got id %s, state %s, custody %s", k.ID, k.State, k.Custody)
	}
	if !k.CreatedAt.IsZero() {
		t.Errorf("got a creation time %s, want it left to the caller", k.CreatedAt)
	}
	// base64url of the bytes 1 to 24.
	if got, want := k.Secret.Reveal(), "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY"; got != want {
		t.Errorf("got the value %s, want %s", got, want)
	}
}

func TestTheRingTakesACreatedKeyAsItsDefault(t *testing.T) {
	k, err := custody.NewLocal(&counting{}).Create(t.Context(), "acme", "k1")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := key.Ring{}.WithDefault(k)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := ring.Sealing("", time.Now()); err != nil || !found.Key().Secret.Equal(k.Secret) {
		t.Errorf("got key %s and %v, want the created one", found.ID(), err)
	}
}

func TestTwoKeysHaveDifferentValues(t *testing.T) {
	local := custody.NewLocal(&counting{})
	first, _ := local.Create(t.Context(), "acme", "k1")
	second, _ := local.Create(t.Context(), "acme", "k2")
	if first.Secret.Equal(second.Secret) {
		t.Error("both have the same value")
	}
}

func TestDestroyingAKeyTwiceIsNoError(t *testing.T) {
	local := custody.NewLocal(&counting{})
	k, _ := local.Create(t.Context(), "acme", "k1")
	for range 2 {
		if err := local.Destroy(t.Context(), "acme", k); err != nil {
			t.Fatal(err)
		}
	}
}
