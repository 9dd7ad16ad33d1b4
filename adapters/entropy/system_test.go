package entropy_test

import (
	"bytes"
	"testing"

	"embedseal/adapters/entropy"
	"embedseal/ports"
)

var _ ports.Random = entropy.System{}

func TestEveryByteIsFilledAndNoTwoFillsAreEqual(t *testing.T) {
	const size, fills = 32, 64
	everSet := make([]byte, size)
	seen := map[string]bool{}
	for range fills {
		p := make([]byte, size)
		entropy.System{}.Fill(p)
		if seen[string(p)] {
			t.Fatal("two fills gave the same bytes")
		}
		seen[string(p)] = true
		for i, b := range p {
			everSet[i] |= b
		}
	}
	if i := bytes.IndexByte(everSet, 0); i >= 0 {
		t.Errorf("byte %d stayed zero in all %d fills", i, fills)
	}
}

func TestNothingToFillIsNoFault(t *testing.T) {
	entropy.System{}.Fill(nil)
}
