package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

func many(n int) []policy.Glob {
	var list []policy.Glob
	for i := range n {
		list = append(list, policy.Glob(fmt.Sprint("customer-", i)))
	}
	return list
}

// faults are those of a refused policy or restriction, as `field:code`.
func faults(t *testing.T, err error) []string {
	t.Helper()
	var invalid *policy.Invalid
	if err == nil {
		return nil
	}
	if !errors.As(err, &invalid) || !errors.Is(err, policy.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, f := range invalid.Faults {
		if f.Detail == "" || !strings.Contains(err.Error(), f.Field+": "+f.Detail) {
			t.Errorf("%q does not say %+v", err, f)
		}
	}
	return names(invalid.Faults)
}

func TestWhatCannotBeAPolicyIsRefusedWithAllThatIsWrong(t *testing.T) {
	a := site(t, "https://a.example")
	for name, tt := range map[string]struct {
		change func(*policy.Policy)
		want   []string
	}{
		"the default": {func(*policy.Policy) {}, nil},
		"all there can be": {func(p *policy.Policy) {
			p.Embeds, p.Customers, p.Origins, p.PinnedKey, p.Mode = many(100), []policy.Glob{"*"}, []token.Origin{a}, "k1", policy.Clamp
		}, nil},
		"nothing":        {func(p *policy.Policy) { *p = policy.Policy{} }, []string{"default_lifetime:required", "max_lifetime:required"}},
		"too many globs": {func(p *policy.Policy) { p.Customers = many(101) }, []string{"customers:too_long"}},
		"globs that are none": {func(p *policy.Policy) { p.Embeds = []policy.Glob{"ok", "", `\`, "a\x00"} }, []string{
			"embeds[1]:malformed", "embeds[2]:malformed", "embeds[3]:malformed",
		}},
		"a glob twice":     {func(p *policy.Policy) { p.Embeds = []policy.Glob{"a", "b", "a"} }, []string{"embeds[2]:malformed"}},
		"an origin twice":  {func(p *policy.Policy) { p.Origins = []token.Origin{a, a} }, []string{"origins[1]:malformed"}},
		"no origin":        {func(p *policy.Policy) { p.Origins = []token.Origin{{}} }, []string{"origins[0]:malformed"}},
		"too many origins": {func(p *policy.Policy) { p.Origins = make([]token.Origin, 101) }, []string{"origins:too_long"}},
		"an unsafe key":    {func(p *policy.Policy) { p.PinnedKey = "../k1" }, []string{"pinned_key:malformed"}},
		"an unknown mode":  {func(p *policy.Policy) { p.Mode = 2 }, []string{"mode:unknown_value"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.Default()
			tt.change(&p)
			if diff := cmp.Diff(tt.want, faults(t, p.Check())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeARestrictionIsRefused(t *testing.T) {
	unset := token.UnsetFeatures()
	for name, tt := range map[string]struct {
		r    policy.Restriction
		want []string
	}{
		"none":                       {policy.Restriction{}, nil},
		"no features at all":         {policy.Restriction{LimitFeatures: true}, nil},
		"a ceiling that is none":     {policy.Restriction{LimitFeatures: true, Features: unset}, []string{"features:malformed"}},
		"features without a ceiling": {policy.Restriction{Features: parsed(t, "flt")}, []string{"features:malformed"}},
		"unset without a ceiling":    {policy.Restriction{Features: unset}, []string{"features:malformed"}},
		"much at once": {policy.Restriction{Embeds: []policy.Glob{`a\`}, Customers: many(101), Origins: []token.Origin{{}}, PinnedKey: key.ID("a b")}, []string{
			"embeds[0]:malformed", "customers:too_long", "origins[0]:malformed", "pinned_key:malformed",
		}},
	} {
		if diff := cmp.Diff(tt.want, faults(t, tt.r.Check())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestARestrictionRestrictsAsSoonAsOneThingIsSet(t *testing.T) {
	if !(policy.Restriction{}).IsZero() || !(policy.Restriction{Embeds: []policy.Glob{}, Origins: []token.Origin{}}).IsZero() {
		t.Error("the zero value restricts something")
	}
	for i, r := range []policy.Restriction{
		{MaxLifetime: duration(t, "PT1S")}, {DefaultLifetime: duration(t, "PT1S")}, {NoCharts: true}, {Embeds: []policy.Glob{"*"}},
		{Customers: []policy.Glob{"*"}}, {OriginRequired: true}, {Origins: []token.Origin{site(t, "https://a.example")}}, {LimitFeatures: true},
		{Features: parsed(t, "flt")}, {PinnedKey: "k1"},
	} {
		if r.IsZero() {
			t.Errorf("number %d restricts nothing: %+v", i, r)
		}
	}
}

func TestWhatIsWiderThanTheGroup(t *testing.T) {
	a, b := site(t, "https://a.example"), site(t, "https://b.example")
	for name, tt := range map[string]struct {
		group func(*policy.Policy)
		r     policy.Restriction
		want  []string
	}{
		"nothing":               {func(*policy.Policy) {}, policy.Restriction{}, nil},
		"the same lifetime":     {func(*policy.Policy) {}, policy.Restriction{MaxLifetime: duration(t, "P30D"), DefaultLifetime: duration(t, "PT720H")}, nil},
		"a longer lifetime":     {func(*policy.Policy) {}, policy.Restriction{MaxLifetime: duration(t, "P30DT1S")}, []string{"max_lifetime:wider_than_group"}},
		"a month, at times":     {func(*policy.Policy) {}, policy.Restriction{MaxLifetime: duration(t, "P1M")}, []string{"max_lifetime:wider_than_group"}},
		"a longer default":      {func(*policy.Policy) {}, policy.Restriction{DefaultLifetime: duration(t, "P31D")}, []string{"default_lifetime:wider_than_group"}},
		"an origin, of any":     {func(*policy.Policy) {}, policy.Restriction{Origins: []token.Origin{a}}, nil},
		"an origin of others":   {func(p *policy.Policy) { p.Origins = []token.Origin{a} }, policy.Restriction{Origins: []token.Origin{a, b}}, []string{"origins:wider_than_group"}},
		"an origin of two":      {func(p *policy.Policy) { p.Origins = []token.Origin{a, b} }, policy.Restriction{Origins: []token.Origin{b}}, nil},
		"features, of all":      {func(*policy.Policy) {}, policy.Restriction{LimitFeatures: true, Features: parsed(t, "*")}, nil},
		"features, of none":     {func(p *policy.Policy) { p.Features = parsed(t) }, policy.Restriction{LimitFeatures: true}, nil},
		"features beyond":       {func(p *policy.Policy) { p.Features = parsed(t, "fork") }, policy.Restriction{LimitFeatures: true, Features: parsed(t, "core")}, []string{"features:wider_than_group"}},
		"a key":                 {func(*policy.Policy) {}, policy.Restriction{PinnedKey: "k1"}, nil},
		"the same key":          {func(p *policy.Policy) { p.PinnedKey = "k1" }, policy.Restriction{PinnedKey: "k1"}, nil},
		"another key":           {func(p *policy.Policy) { p.PinnedKey = "k1" }, policy.Restriction{PinnedKey: "k2"}, []string{"pinned_key:wider_than_group"}},
		"a glob, not looked at": {func(p *policy.Policy) { p.Embeds = []policy.Glob{"a"} }, policy.Restriction{Embeds: []policy.Glob{"*"}}, nil},
	} {
		p := policy.Default()
		tt.group(&p)
		got := p.Widened(tt.r)
		if !slices.Equal(names(got), tt.want) {
			t.Errorf("%s: got %+v, want %q", name, got, tt.want)
		}
	}
}

func TestAModeIsReadByItsName(t *testing.T) {
	for _, m := range []policy.Mode{policy.Reject, policy.Clamp} {
		if got, err := policy.ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%s is read as %s, %v", m, got, err)
		}
	}
	for _, name := range []string{"", "Reject", "CLAMP", "unknown", "clamp ", "allow"} {
		if got, err := policy.ParseMode(name); got != policy.Reject || !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%q is read as %s, %v", name, got, err)
		}
	}
	if policy.Mode(7).String() != "unknown" {
		t.Errorf("an unknown mode is called %s", policy.Mode(7))
	}
}

// What no constructor makes must not widen anything when it is decided by.
func TestAPolicyOfAnUnknownModeOrWithBrokenGlobsGrantsNothing(t *testing.T) {
	p := policy.Default()
	p.Mode = 2
	if _, err := policy.Decide(&p, &policy.Restriction{}, asks(t, nil), instant(t, "2026-03-01T12:00:00Z")); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	p = policy.Default()
	p.Embeds = []policy.Glob{"", `abcde\`}
	if got := decide(t, p, policy.Restriction{}, asks(t, nil)); len(got.Broken) != 1 {
		t.Errorf("got %+v", got)
	}
	p = policy.Default()
	p.Origins, p.Mode = []token.Origin{{}}, policy.Clamp
	if got := decide(t, p, policy.Restriction{}, asks(t, nil)); len(got.Broken) != 1 {
		t.Errorf("got %+v", got)
	}
}
