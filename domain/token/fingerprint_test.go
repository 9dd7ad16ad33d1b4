package token_test

import (
	"testing"

	"embedseal/domain/jwe"
	"embedseal/domain/token"
)

// sealed is a token that python-jose made; sum is `sha256sum` of its text.
const (
	sealed = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"
	sum    = "ef4610815e1b1bf6ed6c464d57d7f5b768c9a8ab924553febfa70f40069cad8c"
)

func TestTheFingerprintIsTheSHA256OfTheText(t *testing.T) {
	compact, err := jwe.ParseCompact(sealed)
	if err != nil {
		t.Fatal(err)
	}
	f := token.FingerprintOf(compact)
	if f.String() != sum || f.IsZero() || f != token.FingerprintOfSealed([]byte(sealed)) {
		t.Errorf("got %s, want %s", f, sum)
	}
	if !(token.Fingerprint{}).IsZero() {
		t.Error("the zero value is a fingerprint")
	}
}
