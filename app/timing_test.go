package app_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"embedseal/adapters/cache"
	"embedseal/adapters/jose"
	"embedseal/adapters/jose/hostile"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// BenchmarkTimingGap asks two things that must not be told apart, by turns, and
// prints how far apart their times are: Welch's t, of which an absolute value
// below 4.5 is the aim for 1e5 samples of each. `-benchtime 100000x` gives those.
func BenchmarkTimingGap(b *testing.B) {
	ended, elsewhere := now().Add(-time.Hour), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	stores := newBench().stores
	for _, id := range []group.ID{"acme", "globex"} {
		g := group.Group{ID: id, Policy: policy.Default()}
		for i := range 100 {
			t := apitoken.Token{ID: fmt.Sprint("t", i), Digest: apitoken.DigestOf(secret.New(tokenText(string(id), byte(i)))), Scopes: apitoken.All}
			switch i {
			case 50:
				t.ExpiresAt = ended
			case 51:
				t.Networks = elsewhere
			}
			g.Tokens = append(g.Tokens, t)
		}
		if err := stores.GroupStore.CreateGroup(b.Context(), g); err != nil {
			b.Fatal(err)
		}
	}
	local := cache.NewLocal(stores, stores)
	auth := app.NewAuthenticator(local, app.NewLastUse(local, stopped{now()}), stopped{now()})
	groups := app.NewGroups(local, local, nil, nil, noneRevoked(), nil, stopped{now()})
	use := func(text string) func() error {
		return func() error {
			_, err := auth.Authenticate(b.Context(), text, apitoken.Mint, home())
			return err
		}
	}
	show := func(id group.ID) func() error {
		return func() error {
			_, err := groups.Show(b.Context(), holding("acme", apitoken.All), id)
			return err
		}
	}
	const theirs, nobodys = key.ID("aa111111-1a11-111a-aa11-1aaaa11a1a11"), key.ID("bb222222-2b22-222b-bb22-2bbbb22b2b22")
	for id, k := range map[group.ID]key.ID{"acme": "own", "globex": theirs} {
		if err := stores.UpdateRing(b.Context(), id, func(r key.Ring) (key.Ring, error) {
			return r.WithDefault(key.Key{ID: k, State: key.Active, Custody: key.Material, Secret: key.NewSecret([key.SecretEntropy]byte{1})})
		}); err != nil {
			b.Fatal(err)
		}
	}
	keys := app.NewKeys(local, local, nil, nil, stopped{now()}, nil, 0)
	showKey := func(g group.ID, id key.ID) func() error {
		return func() error {
			_, err := keys.Show(b.Context(), holding("acme", apitoken.All), g, id)
			return err
		}
	}
	minter := app.NewMinter(local, nil, jose.New(), nil, stopped{now()}, token.ChartClaim{})
	caller, customer, embed := callerOf(group.Group{ID: "acme", Policy: policy.Default()}, apitoken.Token{}), "c", "e"
	mint := func(id key.ID) func() error {
		return func() error {
			asked := string(id)
			_, err := minter.Mint(b.Context(), app.Call{}, caller, token.Draft{ProvidedID: &customer, EmbedID: &embed, KeyID: &asked})
			return err
		}
	}
	const mine = key.ID("cc333333-3c33-333c-cc33-3cccc33c3c33")
	if err := stores.UpdateRing(b.Context(), "acme", func(r key.Ring) (key.Ring, error) { return r.With(newKey(mine)) }); err != nil {
		b.Fatal(err)
	}
	verifier := app.NewVerifier(local, jose.New(), app.NothingRevoked{}, nil, stopped{now()}, &dice{}, token.ChartClaim{}, 0)
	verify := func(kid key.ID) func() error { // a token of theirs, under that name
		header := fmt.Sprintf(`{"alg":"dir","enc":"A256GCM","kid":"%s"}`, kid)
		text := string(sealedBy(b, hostile.Value(string(theirs)), []byte(header), []byte(`{"cst":"customer_1","dsh":"abcde","exp":4102444800}`)))
		return func() error {
			found, err := verifier.Verify(b.Context(), app.Call{}, caller, text, verdict.Presented{})
			if err == nil && !found.Active {
				err = errors.New("not good")
			}
			return err
		}
	}
	for _, pair := range []struct {
		name     string
		one, two func() error
	}{
		{"a key of others in their group, against one in a group that is not there", showKey("globex", theirs), showKey("nobody", theirs)},
		{"a key of others in the own group, against one of nobody", showKey("acme", theirs), showKey("acme", nobodys)},
		{"minting with a key of others, against one of nobody", mint(theirs), mint(nobodys)},
		{"verifying a token of others, against one of nobody", verify(theirs), verify(nobodys)},
		{"verifying a token of nobody, against one with a bad tag", verify(nobodys), verify(mine)},
		{"no such token, against one that has expired", use(tokenText("acme", 200)), use(tokenText("acme", 50))},
		{"no such token, against one that is bound to another network", use(tokenText("acme", 200)), use(tokenText("acme", 51))},
		{"a group of others, against one that is not there", show("globex"), show("nobody")},
	} {
		b.Run(pair.name, func(b *testing.B) {
			var one, two moments
			for i := range 200 { // warm
				_, _ = pair.one(), pair.two()
				_ = i
			}
			for i := 0; b.Loop(); i++ {
				first, second, a, c := pair.one, pair.two, &one, &two
				if i%2 == 1 {
					first, second, a, c = pair.two, pair.one, &two, &one
				}
				a.add(timed(b, first))
				c.add(timed(b, second))
			}
			b.ReportMetric(one.welch(two), "welch-t")
		})
	}
}

func timed(b *testing.B, ask func() error) float64 {
	begin := time.Now()
	err := ask()
	took := time.Since(begin)
	if err == nil {
		b.Fatal("it was granted")
	}
	return float64(took)
}

// moments are the count, mean and sum of squares of samples (Welford). A sample
// beyond 50 µs is the machine's, and left out.
type moments struct{ n, mean, squares float64 }

func (m *moments) add(x float64) {
	if x > 50e3 {
		return
	}
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.squares += d * (x - m.mean)
}

func (m *moments) welch(other moments) float64 {
	spread := m.squares/(m.n-1)/m.n + other.squares/(other.n-1)/other.n
	if spread == 0 || math.IsNaN(spread) {
		return 0
	}
	return (m.mean - other.mean) / math.Sqrt(spread)
}
