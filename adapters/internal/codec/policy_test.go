package codec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// The members of a policy and of a restriction in a document, every one set.
const (
	policyText = `"policy":{"default_lifetime":"PT24H","max_lifetime":"P30D","chart_embedding":true,"embeds":["a*","\\\\?"],"customers":["c"],` +
		`"origin_required":true,"origins":["https://a.example/"],"features":["srt","flt"],"pinned_key":"k1","mode":"clamp"}`
	restrictionText = `"restriction":{"default_lifetime":"PT5M","max_lifetime":"PT1H","no_charts":true,"embeds":["a"],"customers":["c","d"],` +
		`"origin_required":true,"origins":["https://a.example/"],"features":[],"pinned_key":"k1"}`
)

// ruled is acme with every rule set, of the group and of its API token.
func ruled(t *testing.T) group.Group {
	t.Helper()
	g := acme(t)
	origin, err := token.ParseOrigin("https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s string) iso8601.Duration {
		d, err := iso8601.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	g.Policy.Embeds, g.Policy.Customers = []policy.Glob{"a*", `\\?`}, []policy.Glob{"c"}
	g.Policy.OriginRequired, g.Policy.Origins, g.Policy.PinnedKey, g.Policy.Mode = true, []token.Origin{origin}, "k1", policy.Clamp
	if g.Policy.Features, err = token.ParseFeatures([]string{"srt", "flt"}); err != nil {
		t.Fatal(err)
	}
	g.Tokens[0].Restriction = policy.Restriction{
		DefaultLifetime: parse("PT5M"), MaxLifetime: parse("PT1H"), NoCharts: true, Embeds: []policy.Glob{"a"}, Customers: []policy.Glob{"c", "d"},
		OriginRequired: true, Origins: []token.Origin{origin}, LimitFeatures: true, PinnedKey: "k1",
	}
	return g
}

func TestTheDocumentOfAGroupWithEveryRuleStaysAsItIs(t *testing.T) {
	want := ruled(t)
	doc, err := codec.EncodeGroup(want)
	if err != nil || !strings.Contains(string(doc), policyText) || !strings.Contains(string(doc), restrictionText) {
		t.Fatalf("error %v, document:\n%s", err, doc)
	}
	got, err := codec.DecodeGroup("acme", doc)
	same := cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{})
	if diff := cmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("error %v, group:\n%s", err, diff)
	}
}

func TestADocumentOfBeforeHasNoCeilingAndNoFurtherRule(t *testing.T) {
	got, err := codec.DecodeGroup("acme", []byte(groupText))
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Default()
	want.ChartEmbedding = true
	same := cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{})
	if diff := cmp.Diff(want, got.Policy, same); diff != "" {
		t.Errorf("the policy:\n%s", diff)
	}
	if !got.Tokens[0].Restriction.IsZero() {
		t.Errorf("its API token is restricted: %+v", got.Tokens[0].Restriction)
	}
}

func TestNoFeaturesAndNoCeilingAreKeptApart(t *testing.T) {
	g := acme(t)
	g.Policy.Features = token.Features{}
	doc, err := codec.EncodeGroup(g)
	if err != nil || !strings.Contains(string(doc), `"features":[]`) {
		t.Fatalf("error %v, document:\n%s", err, doc)
	}
	if got, err := codec.DecodeGroup("acme", doc); err != nil || got.Policy.Features != (token.Features{}) {
		t.Errorf("read back as %q, %v", got.Policy.Features.Words(), err)
	}
}

func TestADamagedPolicyOrRestrictionIsRefused(t *testing.T) {
	doc, err := codec.EncodeGroup(ruled(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []damage{
		{"null features", `"features":["srt","flt"]`, `"features":null`},
		{"an unknown feature", `"srt","flt"`, `"srt","all"`},
		{"a feature twice", `"srt","flt"`, `"srt","srt"`},
		{"a glob that is none", `"embeds":["a*"`, `"embeds":["\\a"`},
		{"an empty glob", `"embeds":["a*"`, `"embeds":[""`},
		{"a glob twice", `"customers":["c","d"]`, `"customers":["c","c"]`},
		{"an empty list of globs", `"customers":["c"]`, `"customers":[]`},
		{"null globs", `"customers":["c"]`, `"customers":null`},
		{"an origin in another spelling", `"origins":["https://a.example/"]`, `"origins":["https://a.example"]`},
		{"an origin that is none", `"origins":["https://a.example/"]`, `"origins":["https://*.example/"]`},
		{"a pinned key that is none", `"pinned_key":"k1"`, `"pinned_key":"k 1"`},
		{"an empty pinned key", `"pinned_key":"k1"`, `"pinned_key":""`},
		{"an unknown mode", `"mode":"clamp"`, `"mode":"allow"`},
		{"a mode that is left out", `"mode":"clamp"`, `"mode":"reject"`},
		{"an unknown rule", `"mode":"clamp"`, `"mode":"clamp","x":1`},
		{"charts allowed to an API token", `"no_charts":true`, `"no_charts":false`},
		{"a lifetime of an API token that is none", `"PT5M"`, `"5 minutes"`},
		{"null for a restriction", restrictionText, `"restriction":null`},
		{"a restriction of nothing", restrictionText, `"restriction":{}`},
	} {
		t.Run(d.name, func(t *testing.T) {
			_, err := codec.DecodeGroup("acme", damaged(t, string(doc), d))
			wantCorrupt(t, err)
		})
	}
}

func TestAPolicyThatCannotBeReadBackIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(*group.Group){
		"a glob that is none":        func(g *group.Group) { g.Policy.Embeds = []policy.Glob{`\`} },
		"an origin that is none":     func(g *group.Group) { g.Policy.Origins = []token.Origin{{}} },
		"an unknown mode":            func(g *group.Group) { g.Policy.Mode = 9 },
		"a key that is none":         func(g *group.Group) { g.Policy.PinnedKey = "a b" },
		"a token's glob":             func(g *group.Group) { g.Tokens[0].Restriction.Customers = []policy.Glob{""} },
		"a token's unset ceiling":    func(g *group.Group) { g.Tokens[0].Restriction.Features = token.UnsetFeatures() },
		"features without a ceiling": func(g *group.Group) { g.Tokens[0].Restriction = policy.Restriction{Features: token.UnsetFeatures()} },
	} {
		g := ruled(t)
		change(&g)
		if doc, err := codec.EncodeGroup(g); err == nil || doc != nil {
			t.Errorf("%s is written: %s", name, doc)
		}
	}
}

// restrictions are those that pass their check.
func restrictions() *rapid.Generator[policy.Restriction] {
	globs := rapid.SliceOfNDistinct(rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune(`aé"/<>&*?𝄞`+"\u2028")), 1, 60, -1), func(s string) policy.Glob {
		return policy.Glob(s)
	}), 0, 3, rapid.ID)
	origins := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"https://a.example", "http://localhost:8080", "https://[::1]", "https://bücher.example"}), 0, 3, rapid.ID)
	return rapid.Custom(func(t *rapid.T) policy.Restriction {
		r := policy.Restriction{
			NoCharts: rapid.Bool().Draw(t, "no charts"), Embeds: globs.Draw(t, "embeds"), Customers: globs.Draw(t, "customers"),
			OriginRequired: rapid.Bool().Draw(t, "origin required"), LimitFeatures: rapid.Bool().Draw(t, "has a ceiling"),
			PinnedKey: rapid.SampledFrom([]key.ID{"", "k1", "a.b-c_D"}).Draw(t, "pinned"),
		}
		if rapid.Bool().Draw(t, "has lifetimes") {
			r.DefaultLifetime, r.MaxLifetime = durations().Draw(t, "default"), durations().Draw(t, "max")
		}
		for _, text := range origins.Draw(t, "origins") {
			o, err := token.ParseOrigin(text)
			if err != nil {
				t.Fatal(err)
			}
			r.Origins = append(r.Origins, o)
		}
		if r.LimitFeatures {
			f, err := token.ParseFeatures(rapid.SliceOf(rapid.SampledFrom([]string{"flt", "srt", "core", "fork"})).Filter(func(s []string) bool { return len(s) < 8 }).Draw(t, "features"))
			if err != nil {
				t.Fatal(err)
			}
			r.Features = f
		}
		return r
	})
}
