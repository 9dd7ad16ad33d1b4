package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// tokenText is the text of an API token; every n gives another.
func tokenText(g string, n byte) string { return apitoken.New(g, [apitoken.Entropy]byte{n}).Reveal() }

// withGroups is a bench with the groups acme and globex. acme has a token that
// mints (1), one that reads (2), one that ends now (3) and one that ends in a
// nanosecond (4).
func withGroups(t *testing.T) *bench {
	t.Helper()
	b := newBench()
	record := func(g string, n byte, scopes apitoken.Scopes, end time.Time) apitoken.Token {
		return apitoken.Token{ID: fmt.Sprint("t", n), Digest: apitoken.DigestOf(secret.New(tokenText(g, n))), Scopes: scopes, ExpiresAt: end}
	}
	for _, g := range []group.Group{
		{ID: "acme", Policy: policy.Default(), Tokens: []apitoken.Token{
			record("acme", 1, apitoken.Mint, time.Time{}), record("acme", 2, apitoken.ReadOnly, time.Time{}),
			record("acme", 3, apitoken.ReadWrite, now()), record("acme", 4, apitoken.ReadWrite, now().Add(1)),
		}},
		{ID: "globex", Policy: policy.Default(), Tokens: []apitoken.Token{record("globex", 9, apitoken.ReadWrite, time.Time{})}},
	} {
		if err := b.stores.GroupStore.CreateGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestWhoPresentsAValidTokenIsKnown(t *testing.T) {
	b := withGroups(t)
	a := b.authenticator()
	for _, tt := range []struct {
		text      string
		need      apitoken.Scopes
		group, id string
	}{
		{tokenText("acme", 1), apitoken.Mint, "acme", "t1"},
		{tokenText("acme", 1), 0, "acme", "t1"},
		{tokenText("acme", 2), apitoken.Verify | apitoken.Read, "acme", "t2"},
		{tokenText("acme", 4), apitoken.ReadWrite, "acme", "t4"},
		{tokenText("globex", 9), apitoken.Mint, "globex", "t9"},
	} {
		caller, err := a.Authenticate(t.Context(), tt.text, tt.need, home())
		if err != nil || string(caller.GroupID()) != tt.group || caller.TokenID() != tt.id {
			t.Errorf("%s of %s: got %s of %s and %v", tt.id, tt.group, caller.TokenID(), caller.GroupID(), err)
		}
	}
}

// expecting is a store that notes which groups it is to expect, and which it is asked for.
type expecting struct {
	ports.GroupStore
	heard []string
}

func (e *expecting) Expect(id group.ID) { e.heard = append(e.heard, "expect "+string(id)) }

func (e *expecting) Group(ctx context.Context, id group.ID) (group.Group, error) {
	e.heard = append(e.heard, "asked for "+string(id))
	return e.GroupStore.Group(ctx, id)
}

func TestAStoreIsToldWhichGroupToExpectBeforeItIsAsked(t *testing.T) {
	b := withGroups(t)
	store := &expecting{GroupStore: b.stores.GroupStore}
	a := app.NewAuthenticator(store, app.NewLastUse(store, stopped{now()}), stopped{now()})
	if _, err := a.Authenticate(t.Context(), tokenText("acme", 1), apitoken.Mint, home()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"expect acme", "asked for acme"}; !slices.Equal(store.heard, want) {
		t.Errorf("the store heard %q, want %q", store.heard, want)
	}
	store.heard = nil
	if _, err := a.Authenticate(t.Context(), "no token", apitoken.Mint, home()); !errors.Is(err, app.ErrUnauthenticated) || store.heard != nil {
		t.Errorf("of no token the store heard %q; %v", store.heard, err)
	}
}

func TestEveryTokenThatIsNoneIsAnsweredAlike(t *testing.T) {
	b := withGroups(t)
	a := b.authenticator()
	good := tokenText("acme", 1)
	for what, tt := range map[string]struct {
		text  string
		calls int
	}{
		"nothing":                        {"", 0},
		"another kind of secret":         {canary, 0},
		"a wrong last character":         {good[:len(good)-1] + string(good[len(good)-1]^1), 0},
		"the group of another token":     {strings.Replace(good, "acme", "globex", 1), 0},
		"a newline behind":               {good + "\n", 0},
		"a megabyte":                     {strings.Repeat("x", 1<<20), 0},
		"a path as group":                {strings.Replace(good, "acme", "../x", 1), 0},
		"a group that is not there":      {tokenText("initech", 1), 1},
		"a token that is not there":      {tokenText("acme", 77), 1},
		"a token that another group has": {tokenText("acme", 9), 1},
		"a token that ends now":          {tokenText("acme", 3), 1},
	} {
		before := b.log.count("group")
		caller, err := a.Authenticate(t.Context(), tt.text, apitoken.Mint, home())
		if !errors.Is(err, app.ErrUnauthenticated) || err.Error() != app.ErrUnauthenticated.Error() {
			t.Errorf("%s: got %v, want exactly %v", what, err, app.ErrUnauthenticated)
		}
		if caller.GroupID() != "" || caller.TokenID() != "" {
			t.Errorf("%s: the caller is said to be %s of %s", what, caller.TokenID(), caller.GroupID())
		}
		if got := b.log.count("group") - before; got != tt.calls {
			t.Errorf("%s: the store was asked %d times, want %d", what, got, tt.calls)
		}
	}
}

func TestAValidTokenWithoutTheScopeIsKnownAndRefused(t *testing.T) {
	b := withGroups(t)
	a := b.authenticator()
	for _, need := range []apitoken.Scopes{apitoken.Mint, apitoken.Write, apitoken.ReadWrite, apitoken.Read | apitoken.Mint} {
		caller, err := a.Authenticate(t.Context(), tokenText("acme", 2), need, home())
		if !errors.Is(err, app.ErrScope) || errors.Is(err, app.ErrUnauthenticated) {
			t.Errorf("%s: got %v, want %v", need, err, app.ErrScope)
		}
		if caller.GroupID() != "acme" || caller.TokenID() != "t2" {
			t.Errorf("%s: the refusal is recorded for %q of %q", need, caller.TokenID(), caller.GroupID())
		}
	}
}

func TestAStoreThatIsAwayDoesNotMakeATokenInvalid(t *testing.T) {
	for _, away := range []error{ports.ErrUnavailable, ports.ErrSealed, ports.ErrCorrupt} {
		b := withGroups(t)
		b.stores.groupErr = away
		_, err := b.authenticator().Authenticate(t.Context(), tokenText("acme", 1), apitoken.Mint, home())
		if !errors.Is(err, away) || errors.Is(err, app.ErrUnauthenticated) {
			t.Errorf("got %v, want %v", err, away)
		}
		if err != nil && strings.Contains(err.Error(), tokenText("acme", 1)) {
			t.Errorf("the error holds the token: %v", err)
		}
	}
}

func TestATokenIsUsedFromItsNetworksOnly(t *testing.T) {
	b := withGroups(t)
	if err := b.stores.GroupStore.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		g.Tokens[0].Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "2001:db8::1": true, "11.1.2.3": false, "2001:db9::1": false, "": false} {
		var addr netip.Addr
		if from != "" {
			addr = netip.MustParseAddr(from)
		}
		caller, err := b.authenticator().Authenticate(t.Context(), tokenText("acme", 1), apitoken.Mint, addr)
		if want && (err != nil || caller.TokenID() != "t1") {
			t.Errorf("from %q: %q and %v", from, caller.TokenID(), err)
		}
		if !want && (!errors.Is(err, app.ErrUnauthenticated) || err.Error() != app.ErrUnauthenticated.Error() || caller.TokenID() != "" || caller.GroupID() != "") {
			t.Errorf("from %q: %q and %v, want exactly %v", from, caller.TokenID(), err, app.ErrUnauthenticated)
		}
		if _, err := b.authenticator().Authenticate(t.Context(), tokenText("acme", 2), apitoken.Read, addr); err != nil {
			t.Errorf("from %q, with a token that is bound to no network: %v", from, err)
		}
	}
}

func TestTheCallersGroupComesWithoutTheTokensOfOthers(t *testing.T) {
	b := withGroups(t)
	caller, err := b.authenticator().Authenticate(t.Context(), tokenText("acme", 1), apitoken.Mint, home())
	if err != nil || caller.Group().Tokens != nil || caller.Group().Policy.MaxLifetime.IsZero() {
		t.Errorf("got %+v and %v", caller.Group(), err)
	}
}
