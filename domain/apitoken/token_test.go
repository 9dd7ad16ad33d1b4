package apitoken_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"embedseal/domain/apitoken"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func digest(s string) apitoken.Digest { return apitoken.DigestOf(secret.New(s)) }

func digestOf(s string) *apitoken.Digest {
	d := digest(s)
	return &d
}

func good() apitoken.Token {
	return apitoken.Token{ID: "t1", Name: "ours", Digest: digest("one"), Scopes: apitoken.Mint, CreatedAt: noon()}
}

func TestATokenThatNobodyCouldUseIsRefused(t *testing.T) {
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*apitoken.Token){
		"no id":                     func(t *apitoken.Token) { t.ID = "" },
		"no value":                  func(t *apitoken.Token) { t.Digest = apitoken.Digest{} },
		"no scope":                  func(t *apitoken.Token) { t.Scopes = 0 },
		"an unknown scope":          func(t *apitoken.Token) { t.Scopes |= 1 << 7 },
		"a name with a line":        func(t *apitoken.Token) { t.Name = "hunter2\n" },
		"a name that is too long":   func(t *apitoken.Token) { t.Name = strings.Repeat("hunter2", 15) },
		"an earlier value for ever": func(t *apitoken.Token) { t.Previous = digest("zero") },
		"an end of no value":        func(t *apitoken.Token) { t.PreviousUntil = noon() },
		"a network that is none":    func(t *apitoken.Token) { t.Networks = []netip.Prefix{{}} },
		"a network with host bits":  func(t *apitoken.Token) { t.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} },
		"too many networks":         func(t *apitoken.Token) { t.Networks = make([]netip.Prefix, apitoken.MaxNetworks+1) },
		"a restriction that is none": func(t *apitoken.Token) {
			t.Restriction = policy.Restriction{Embeds: []policy.Glob{""}}
		},
	} {
		token := good()
		change(&token)
		err := token.Check()
		if !errors.Is(err, apitoken.ErrInvalid) {
			t.Errorf("%s: got %v, want %v", what, err, apitoken.ErrInvalid)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error repeats the name: %v", what, err)
		}
	}
}

func TestTheValueBeforeARefreshIsGoodUntilItsEndAndNotAtIt(t *testing.T) {
	end := noon().Add(time.Hour)
	refreshed := good().Refreshed(digest("two"), noon(), end)
	if err := refreshed.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at       time.Time
		one, two bool
	}{
		{noon(), true, true}, {end.Add(-1), true, true}, {end, false, true}, {end.In(time.FixedZone("", 3600)), false, true}, {end.AddDate(100, 0, 0), false, true},
	} {
		if got := refreshed.Matches(digestOf("one"), tt.at); got != tt.one {
			t.Errorf("the old value at %s: %t, want %t", tt.at, got, tt.one)
		}
		if got := refreshed.Matches(digestOf("two"), tt.at); got != tt.two {
			t.Errorf("the new value at %s: %t, want %t", tt.at, got, tt.two)
		}
	}
	for _, d := range []apitoken.Digest{{}, digest("three")} {
		if refreshed.Matches(&d, noon()) {
			t.Errorf("the token has the value of %x", d)
		}
	}
	again := refreshed.Refreshed(digest("three"), noon(), end)
	if again.Matches(digestOf("one"), noon()) || !again.Matches(digestOf("two"), noon()) || !again.Matches(digestOf("three"), noon()) {
		t.Error("a second refresh does not end the first value, or ends the second")
	}
	for _, until := range []time.Time{{}, noon(), noon().Add(-time.Hour)} {
		if at := refreshed.Refreshed(digest("three"), noon(), until); at.Matches(digestOf("two"), noon()) || at.Matches(digestOf("one"), noon()) || at.Check() != nil {
			t.Errorf("with no overlap (%s) an earlier value stays good, or the token is none: %v", until, at.Check())
		}
	}
	if (&apitoken.Token{}).Matches(&apitoken.Digest{1}, noon()) {
		t.Error("a token without a value has one")
	}
}

// TestAtEachInstantTheNewestValueAndAtMostOneOtherAreGood holds a token that is
// refreshed now and then to a list of what was promised.
func TestAtEachInstantTheNewestValueAndAtMostOneOtherAreGood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token, now := good(), noon()
		values := []string{"one"}
		var previous string
		var until time.Time
		for i := range rapid.IntRange(1, 8).Draw(t, "refreshes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "pause")) * time.Minute)
			end := now.Add(time.Duration(rapid.IntRange(-10, 200).Draw(t, "overlap")) * time.Minute)
			next := strings.Repeat("x", i+1)
			token = token.Refreshed(digest(next), now, end)
			previous, until = values[len(values)-1], end
			values = append(values, next)
			for range 5 {
				at := now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "later")) * time.Minute)
				for _, v := range values {
					want := v == next || v == previous && at.Before(until)
					if got := token.Matches(digestOf(v), at); got != want {
						t.Fatalf("value %q at %s: %t, want %t", v, at, got, want)
					}
				}
			}
		}
	})
}

func TestALastUseIsKeptToTheHourAndNeverGoesBack(t *testing.T) {
	token, changed := good().UsedAt(noon().Add(59*time.Minute + 59*time.Second))
	if !changed || !token.LastUsedAt.Equal(noon()) || token.LastUsedAt.Location() != time.UTC {
		t.Fatalf("got %s, changed %t", token.LastUsedAt, changed)
	}
	for _, at := range []time.Time{noon(), noon().Add(time.Hour - 1), noon().Add(-time.Hour), {}} {
		if same, changed := token.UsedAt(at); changed || !same.LastUsedAt.Equal(noon()) {
			t.Errorf("a use at %s changes it to %s", at, same.LastUsedAt)
		}
	}
	zone := time.FixedZone("", 5*3600+1800) // half an hour beside UTC
	if later, changed := token.UsedAt(noon().Add(time.Hour).In(zone)); !changed || later.LastUsedAt != noon().Add(time.Hour) {
		t.Errorf("the next hour is %s, changed %t", later.LastUsedAt, changed)
	}
	if never, changed := good().UsedAt(time.Time{}); changed || !never.LastUsedAt.IsZero() {
		t.Error("a use that was none is one")
	}
}

func TestAValueWithOneBitOffIsAnother(t *testing.T) {
	refreshed := good().Refreshed(digest("two"), noon(), noon().Add(time.Hour))
	for _, value := range []string{"one", "two"} {
		for bit := range 8 * len(apitoken.Digest{}) {
			near := digest(value)
			near[bit/8] ^= 1 << (bit % 8)
			if refreshed.Matches(&near, noon()) {
				t.Errorf("%s with bit %d off is taken for a value", value, bit)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := apitoken.Digest(rapid.SliceOfN(rapid.Byte(), len(apitoken.Digest{}), len(apitoken.Digest{})).Draw(t, "a"))
		b := a
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.Byte().Draw(t, "by")
		}
		if a.Equal(b) != (a == b) || b.Equal(a) != (a == b) {
			t.Fatalf("%x and %x: %t", a, b, a.Equal(b))
		}
	})
}
