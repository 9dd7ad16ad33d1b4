package group_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
)

func duration(t interface{ Fatal(...any) }, text string) iso8601.Duration {
	if text == "" {
		return iso8601.Duration{}
	}
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func acme() group.Group { return group.Group{ID: "acme", Name: "Acme", Policy: policy.Default()} }

func newToken(id string) apitoken.Token {
	return apitoken.Token{ID: id, Digest: apitoken.DigestOf(secret.New(id)), Scopes: apitoken.Mint}
}

func TestADisplayNameIsCheckedAndTheIDStays(t *testing.T) {
	renamed, err := acme().Named("Röhren & Söhne")
	if err != nil || renamed.Name != "Röhren & Söhne" || renamed.ID != "acme" {
		t.Errorf("got %q, %q and %v", renamed.Name, renamed.ID, err)
	}
	for _, name := range []string{"hunter2\x00", "a\u202eb", "\xff", strings.Repeat("hunter2", 15)} {
		_, err := acme().Named(name)
		whole := acme()
		whole.Name = name
		for what, err := range map[string]error{"Named": err, "Check": whole.Check()} {
			if !errors.Is(err, group.ErrInvalid) || strings.Contains(fmt.Sprint(err), "hunter") {
				t.Errorf("%s of %q: got %v, want %v and nothing of the name", what, name, err, group.ErrInvalid)
			}
		}
	}
}

func TestAGroupThatNoOperatorMayMakeIsRefused(t *testing.T) {
	if err := acme().Check(); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		change func(*group.Group)
		want   error
	}{
		"an id that is none": {func(g *group.Group) { g.ID = "../x" }, group.ErrInvalid},
		"no policy":          {func(g *group.Group) { g.Policy = policy.Policy{} }, policy.ErrInvalid},
		"a frantic rotation": {func(g *group.Group) { g.RotateEvery = duration(t, "PT1H") }, group.ErrInvalid},
		"an endless overlap": {func(g *group.Group) { g.Overlap = duration(t, "P11Y") }, group.ErrInvalid},
	} {
		g := acme()
		tt.change(&g)
		if err := g.Check(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", what, err, tt.want)
		}
	}
}

func TestARotationHasADayAtLeastAndTenYearsAtMost(t *testing.T) {
	for _, tt := range []struct {
		every, overlap string
		good           bool
	}{
		{"", "", true}, {"P1D", "", true}, {"PT24H", "PT1S", true}, {"P90D", "P7D", true}, {"P10Y", "P10Y", true}, {"", "P10Y", true},
		{"PT23H59M59S", "", false}, {"PT1S", "", false}, {"P11Y", "", false}, {"P3661D", "", false}, {"P1D", "P3661D", false},
		{"P999999999999Y", "", false}, {"", "P999999999999Y", false},
	} {
		g, err := acme().Rotating(duration(t, tt.every), duration(t, tt.overlap))
		if (err == nil) != tt.good || err != nil && !errors.Is(err, group.ErrInvalid) {
			t.Errorf("every %q, overlap %q: %v", tt.every, tt.overlap, err)
		}
		if err == nil && (g.RotateEvery != duration(t, tt.every) || g.Overlap != duration(t, tt.overlap)) {
			t.Errorf("every %q, overlap %q: got %q and %q", tt.every, tt.overlap, g.RotateEvery, g.Overlap)
		}
	}
	if got := acme().OverlapOrDefault(); got != duration(t, "P7D") || got.IsZero() {
		t.Errorf("the overlap of a group that does not say is %s", got)
	}
	if g, err := acme().Rotating(iso8601.Duration{}, duration(t, "PT1H")); err != nil || g.OverlapOrDefault() != duration(t, "PT1H") {
		t.Errorf("the overlap is %s (%v)", g.OverlapOrDefault(), err)
	}
}

func TestTheHorizonIsTheLongestLifetimeThatAnyPolicyAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := acme()
		longest := g.Policy.MaxLifetime.UpperBound()
		for range rapid.IntRange(1, 6).Draw(t, "policies") {
			p := policy.Default()
			p.MaxLifetime = duration(t, rapid.StringMatching(`P[1-9][0-9]{0,2}[DMY]`).Draw(t, "maximum"))
			longest = max(longest, p.MaxLifetime.UpperBound())
			next, err := g.Under(p)
			if err != nil {
				t.Fatal(err)
			}
			g = next
			if g.LongestLifetime() != longest || g.Horizon != longest || g.Policy.MaxLifetime != p.MaxLifetime || g.Horizon%time.Second != 0 {
				t.Fatalf("the horizon is %s and %s, want %s", g.Horizon, g.LongestLifetime(), longest)
			}
		}
	})
	if _, err := acme().Under(policy.Policy{}); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("a policy that is none: got %v", err)
	}
	old := acme() // a record of before the horizon
	if old.LongestLifetime() != 30*24*time.Hour {
		t.Errorf("an old group's tokens live %s", old.LongestLifetime())
	}
}

func TestTokensAreAddedReplacedAndTakenAwayByTheirID(t *testing.T) {
	g := acme()
	for _, id := range []string{"t1", "t2", "t3"} {
		next, err := g.WithToken(newToken(id))
		if err != nil {
			t.Fatal(err)
		}
		g = next
	}
	before := fmt.Sprint(g.Tokens)
	renamed := newToken("t2")
	renamed.Name = "two"
	replaced, err := g.ReplacingToken(renamed)
	if got, found := replaced.TokenOf("t2"); err != nil || !found || got.Name != "two" || len(replaced.Tokens) != 3 {
		t.Errorf("replaced: %+v, %t and %v", got, found, err)
	}
	less, err := g.WithoutToken("t2")
	if _, found := less.TokenOf("t2"); err != nil || found || len(less.Tokens) != 2 || less.Tokens[0].ID != "t1" || less.Tokens[1].ID != "t3" {
		t.Errorf("taken away: %+v and %v", less.Tokens, err)
	}
	if _, err := g.WithToken(newToken("t2")); !errors.Is(err, group.ErrInvalid) {
		t.Errorf("the same id again: got %v", err)
	}
	for _, bad := range []apitoken.Token{{}, {ID: "t2"}, {ID: "t9", Digest: newToken("t9").Digest}} {
		if _, err := g.WithToken(bad); !errors.Is(err, apitoken.ErrInvalid) {
			t.Errorf("adding %+v: got %v", bad, err)
		}
		if _, err := g.ReplacingToken(bad); !errors.Is(err, apitoken.ErrInvalid) {
			t.Errorf("replacing %+v: got %v", bad, err)
		}
	}
	if _, err := g.ReplacingToken(newToken("t9")); !errors.Is(err, group.ErrUnknownToken) {
		t.Errorf("replacing one that is not there: got %v", err)
	}
	for _, id := range []string{"t9", "", "T2"} {
		if _, err := g.WithoutToken(id); !errors.Is(err, group.ErrUnknownToken) {
			t.Errorf("taking away %q: got %v", id, err)
		}
		if _, found := g.TokenOf(id); found {
			t.Errorf("%q is found", id)
		}
	}
	if after := fmt.Sprint(g.Tokens); after != before {
		t.Errorf("the group that was handed out changed:\n%s\n%s", before, after)
	}
}

func TestAGroupHoldsAThousandTokens(t *testing.T) {
	g := acme()
	for i := range group.MaxTokens {
		g.Tokens = append(g.Tokens, newToken(fmt.Sprint("t", i)))
	}
	if _, err := g.WithToken(newToken("more")); !errors.Is(err, group.ErrFull) {
		t.Errorf("one more: got %v, want %v", err, group.ErrFull)
	}
	less, err := g.WithoutToken("t5")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := less.WithToken(newToken("more")); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
}

func TestTheValueBeforeARefreshFindsItsToken(t *testing.T) {
	digest := func(s string) apitoken.Digest { return apitoken.DigestOf(secret.New(s)) }
	end := now().Add(time.Hour)
	g := group.Group{ID: "acme", Tokens: []apitoken.Token{
		newToken("t1"), newToken("t2").Refreshed(digest("new"), now(), end), newToken("t3"),
	}}
	for _, tt := range []struct {
		value string
		at    time.Time
		found bool
	}{{"t2", now(), true}, {"t2", end.Add(-1), true}, {"t2", end, false}, {"new", now(), true}, {"new", end, true}} {
		if got, found := g.Token(digest(tt.value), tt.at); found != tt.found || found && got.ID != "t2" {
			t.Errorf("%s at %s: got %q and %t", tt.value, tt.at, got.ID, found)
		}
	}
}

// BenchmarkToken is what an API token costs in a group of a thousand.
func BenchmarkToken(b *testing.B) {
	g := acme()
	for i := range group.MaxTokens {
		g.Tokens = append(g.Tokens, newToken(fmt.Sprint("t", i)).Refreshed(newToken(fmt.Sprint("r", i)).Digest, now(), now().Add(time.Hour)))
	}
	wanted := newToken("r500").Digest
	b.ReportAllocs()
	for b.Loop() {
		if _, found := g.Token(wanted, now()); !found {
			b.Fatal("not found")
		}
	}
}
