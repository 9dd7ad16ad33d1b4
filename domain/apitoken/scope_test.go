package apitoken_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
)

func TestScopesAreReadByNameAndAlias(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  apitoken.Scopes
		text  string
	}{
		{nil, 0, ""},
		{[]string{"mint"}, apitoken.Mint, "mint"},
		{[]string{"verify"}, apitoken.Verify, "verify"},
		{[]string{"read"}, apitoken.Read, "read"},
		{[]string{"write"}, apitoken.Write, "write"},
		{[]string{"reveal"}, apitoken.Reveal, "reveal"},
		{[]string{"reveal", "read-write"}, apitoken.All, "mint,verify,read,write,reveal"},
		{[]string{"read-only"}, apitoken.Verify | apitoken.Read, "verify,read"},
		{[]string{"read-write"}, apitoken.Mint | apitoken.Verify | apitoken.Read | apitoken.Write, "mint,verify,read,write"},
		{[]string{"write", "mint"}, apitoken.Mint | apitoken.Write, "mint,write"},
		{[]string{"mint", "mint"}, apitoken.Mint, "mint"},
		{[]string{"read-only", "mint"}, apitoken.Mint | apitoken.Verify | apitoken.Read, "mint,verify,read"},
		{[]string{"mint", "read-write", "read-only"}, apitoken.ReadWrite, "mint,verify,read,write"},
	} {
		got, err := apitoken.ParseScopes(tt.names...)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %s and %v, want %s", tt.names, got, err, tt.want)
		}
		if got.String() != tt.text {
			t.Errorf("%q: String is %q, want %q", tt.names, got, tt.text)
		}
	}
}

func TestNoOtherScopeIsRead(t *testing.T) {
	for _, names := range [][]string{
		{""}, {"Mint"}, {"MINT"}, {" mint"}, {"mint,verify"}, {"readonly"}, {"read_only"}, {"admin"}, {"*"}, {"all"},
		{"mint", "admin"}, {"admin", "mint"}, {strings.Repeat("mint", 1<<10)}, {"mint\x00"},
	} {
		got, err := apitoken.ParseScopes(names...)
		if !errors.Is(err, apitoken.ErrScope) || got != 0 {
			t.Errorf("%.40q: got %s and %v, want none and %v", names, got, err, apitoken.ErrScope)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestEverySetOfScopesIsReadBack(t *testing.T) {
	for s := apitoken.Scopes(0); s <= apitoken.All; s++ {
		got, err := apitoken.ParseScopes(s.Names()...)
		if err != nil || got != s {
			t.Errorf("%s: got %s and %v", s, got, err)
		}
	}
	if diff := cmp.Diff([]string{}, apitoken.Scopes(0).Names()); diff != "" {
		t.Errorf("the names of no scope (-want +got):\n%s", diff)
	}
}

func TestASetHasWhatItHasWhole(t *testing.T) {
	var none apitoken.Scopes
	for want := apitoken.Scopes(1); want <= apitoken.All; want++ {
		if none.Has(want) {
			t.Errorf("the zero value may do %s", want)
		}
		if inReadWrite := want&apitoken.Reveal == 0; apitoken.ReadWrite.Has(want) != inReadWrite {
			t.Errorf("read-write may do %s: %t", want, !inReadWrite)
		}
		inReadOnly := want&(apitoken.Mint|apitoken.Write|apitoken.Reveal) == 0
		if apitoken.ReadOnly.Has(want) != inReadOnly {
			t.Errorf("read-only may do %s: %t", want, !inReadOnly)
		}
	}
	if apitoken.Mint.Has(apitoken.Mint | apitoken.Write) {
		t.Error("one scope counts for two")
	}
}

func TestATokenIsGoodUntilItsExpiryAndNotAtIt(t *testing.T) {
	expiry := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	token := apitoken.Token{ID: "t1", ExpiresAt: expiry}
	for _, tt := range []struct {
		now  time.Time
		want bool
	}{
		{expiry.AddDate(-1, 0, 0), true},
		{expiry.Add(-time.Nanosecond), true},
		{expiry, false},
		{expiry.In(time.FixedZone("", 3600)), false},
		{expiry.Add(time.Nanosecond), false},
		{expiry.AddDate(100, 0, 0), false},
	} {
		if got := token.ValidAt(tt.now); got != tt.want {
			t.Errorf("valid at %s: %t, want %t", tt.now, got, tt.want)
		}
	}
	if !(&apitoken.Token{ID: "t2"}).ValidAt(expiry.AddDate(500, 0, 0)) {
		t.Error("a token without an expiry expires")
	}
}
