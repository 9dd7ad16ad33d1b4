package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// decided is what became of a request, in words that compare.
type decided struct {
	// Broken and Clamped are `field:rule`.
	Broken, Clamped []string
	// Claims are without the ids and times, Lifetime is between the latter.
	Claims, Lifetime string
	Key              key.ID
}

func decide(t testing.TB, p policy.Policy, r policy.Restriction, request token.Request) decided {
	t.Helper()
	d, err := policy.Decide(&p, &r, request, instant(t, "2026-03-01T12:00:00Z"))
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		if d.Claims != (token.Claims{}) || d.KeyID != "" || d.Clamped != nil {
			t.Errorf("a refused request has a decision: %+v", d)
		}
		if refusal.Request != request {
			t.Errorf("the refusal is about another request: %+v", refusal.Request)
		}
		return decided{Broken: names(refusal.Broken)}
	}
	if err != nil {
		t.Fatal(err)
	}
	lifetime := d.Claims.ExpiresAt.Sub(d.Claims.IssuedAt)
	c := d.Claims
	c.IssuedAt, c.ExpiresAt = time.Time{}, time.Unix(0, 0)
	text := strings.Replace(string(c.AppendJSON(nil, token.ChartClaim{})), `"cst":"customer_1","dsh":"abcde"`, "", 1)
	return decided{Clamped: names(d.Clamped), Claims: strings.Replace(text, `,"exp":0`, "", 1), Lifetime: lifetime.String(), Key: d.KeyID}
}

func names(faults []token.Fault) []string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Field+":"+f.Code)
	}
	return all
}

// asks is a request of customer_1 for abcde, with what change adds.
func asks(t testing.TB, change func(*token.Draft)) token.Request {
	t.Helper()
	customer, embed := "customer_1", "abcde"
	d := token.Draft{ProvidedID: &customer, EmbedID: &embed}
	if change != nil {
		change(&d)
	}
	r, err := token.NewRequest(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func words(list ...string) func(*token.Draft) {
	return func(d *token.Draft) { d.Features = append([]string{}, list...) }
}

func parsed(t testing.TB, list ...string) token.Features {
	t.Helper()
	f, err := token.ParseFeatures(list)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func site(t testing.TB, text string) token.Origin {
	t.Helper()
	o, err := token.ParseOrigin(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFeaturesUnderACeiling(t *testing.T) {
	unset := token.UnsetFeatures()
	for _, tt := range []struct {
		group   token.Features
		bearer  *token.Features
		asked   func(*token.Draft)
		want    string // the claims, after what was asked for was cut
		refused bool   // in the mode reject
	}{
		{unset, nil, nil, `{}`, false},
		{unset, nil, words(), `{,"rbc":[]}`, false},
		{unset, nil, words("*"), `{,"rbc":["*"]}`, false},
		{unset, nil, words("fork", "flt"), `{,"rbc":["fork","flt"]}`, false},
		// absent is the ceiling, written out
		{parsed(t, "srt", "flt"), nil, nil, `{,"rbc":["srt","flt"]}`, false},
		{parsed(t), nil, nil, `{,"rbc":[]}`, false},
		{parsed(t, "*"), nil, nil, `{,"rbc":["*"]}`, false},
		{parsed(t, "core"), nil, nil, `{,"rbc":["core"]}`, false},
		// an explicit list below it stands
		{parsed(t, "srt", "flt"), nil, words("flt"), `{,"rbc":["flt"]}`, false},
		{parsed(t, "srt", "flt"), nil, words(), `{,"rbc":[]}`, false},
		{parsed(t, "core"), nil, words("fork", "crt-view"), `{,"rbc":["fork","crt-view"]}`, false},
		{parsed(t, "core", "fork"), nil, words("core"), `{,"rbc":["core"]}`, false},
		{parsed(t, "*"), nil, words("*"), `{,"rbc":["*"]}`, false},
		// and an explicit excess does not
		{parsed(t, "srt"), nil, words("flt"), `{,"rbc":[]}`, true},
		{parsed(t, "srt"), nil, words("*"), `{,"rbc":["srt"]}`, true},
		{parsed(t), nil, words("srt"), `{,"rbc":[]}`, true},
		{parsed(t, "crt-view", "srt"), nil, words("core", "srt"), `{,"rbc":["crt-view","srt"]}`, true},
		{parsed(t, "core", "flt"), nil, words("srt", "fork", "core"), `{,"rbc":["core","crt-view","fork"]}`, true},
		{parsed(t, "flt", "srt", "core", "crt-view", "fork"), nil, words("*"), `{,"rbc":["flt","srt","core","crt-view","fork"]}`, true},
		// the API token's is a second one
		{unset, new(parsed(t, "srt")), nil, `{,"rbc":["srt"]}`, false},
		{unset, new(parsed(t)), nil, `{,"rbc":[]}`, false},
		{unset, new(parsed(t)), words("srt"), `{,"rbc":[]}`, true},
		{parsed(t, "srt", "flt"), new(parsed(t, "flt", "core")), nil, `{,"rbc":["flt"]}`, false},
		{parsed(t, "srt", "flt"), new(parsed(t, "flt", "core")), words("core"), `{,"rbc":[]}`, true},
		{parsed(t, "srt"), new(parsed(t, "*")), words("srt", "flt"), `{,"rbc":["srt"]}`, true},
		{parsed(t, "core"), new(parsed(t, "fork", "srt")), nil, `{,"rbc":["fork"]}`, false},
	} {
		p := policy.Default()
		p.Features = tt.group
		var r policy.Restriction
		if tt.bearer != nil {
			r.LimitFeatures, r.Features = true, *tt.bearer
		}
		request := asks(t, tt.asked)
		name := fmt.Sprintf("group %q, API token %q, asked %q", tt.group.Words(), r.Features.Words(), request.Features().Words())
		rejected := decide(t, p, r, request)
		p.Mode = policy.Clamp
		clamped := decide(t, p, r, request)
		if clamped.Claims != tt.want || (clamped.Clamped != nil) != tt.refused {
			t.Errorf("%s: cut to %s, %q, want %s", name, clamped.Claims, clamped.Clamped, tt.want)
		}
		if tt.refused != slices.Equal(rejected.Broken, []string{"rb_allowed_features:feature_not_allowed"}) || !tt.refused && rejected.Claims != tt.want {
			t.Errorf("%s: rejected as %+v", name, rejected)
		}
	}
}

func TestAKeyThatIsPinned(t *testing.T) {
	for _, tt := range []struct {
		group, bearer, asked string
		want                 key.ID
		refused, always      bool
	}{
		{"", "", "", "", false, false},
		{"", "", "k1", "k1", false, false},
		{"k1", "", "", "k1", false, false},
		{"k1", "", "k1", "k1", false, false},
		{"k1", "", "k2", "k1", true, false},
		{"", "k1", "", "k1", false, false},
		{"", "k1", "k2", "k1", true, false},
		{"k1", "k1", "", "k1", false, false},
		{"k1", "k2", "", "", true, true},
		{"k1", "k2", "k1", "", true, true},
		{"k1", "k2", "k2", "", true, true},
	} {
		p, r := policy.Default(), policy.Restriction{PinnedKey: key.ID(tt.bearer)}
		p.PinnedKey = key.ID(tt.group)
		request := asks(t, func(d *token.Draft) {
			if tt.asked != "" {
				d.KeyID = &tt.asked
			}
		})
		rejected := decide(t, p, r, request)
		p.Mode = policy.Clamp
		clamped := decide(t, p, r, request)
		if rejected.Broken != nil != tt.refused || clamped.Broken != nil != tt.always || clamped.Key != tt.want || !tt.refused && rejected.Key != tt.want {
			t.Errorf("%+v: rejected as %+v, cut to %+v", tt, rejected, clamped)
		}
	}
}

func TestOrigins(t *testing.T) {
	a, b, c := site(t, "https://a.example"), site(t, "https://b.example"), site(t, "http://localhost:8080")
	const need, other = "embed_origin:origin_required", "embed_origin:origin_not_allowed"
	for _, tt := range []struct {
		name          string
		required      bool
		group, bearer []token.Origin
		asked         string
		broken        string // in the mode reject
		clamped       string // the origin in the mode clamp; empty where that is the same
	}{
		{"none asked, none wanted", false, nil, nil, "", "", ""},
		{"any", false, nil, nil, "https://x.example", "", ""},
		{"required, and any will do", true, nil, nil, "https://x.example", "", ""},
		{"required, and none is there", true, nil, nil, "", need, ""},
		{"one of two", false, []token.Origin{a, b}, nil, "https://B.example:443/", "", ""},
		{"none of two", true, []token.Origin{a, b}, nil, "https://a.example:8443", other, ""},
		{"another scheme", false, []token.Origin{a}, nil, "http://a.example", other, ""},
		{"a name below it", false, []token.Origin{a}, nil, "https://x.a.example", other, ""},
		{"a list means that one is required", false, []token.Origin{a, b}, nil, "", need, ""},
		{"the only one", false, []token.Origin{a}, nil, "", need, "https://a.example/"},
		{"the API token's only one", false, nil, []token.Origin{c}, "", need, "http://localhost:8080/"},
		{"the only one of both", true, []token.Origin{a, b}, []token.Origin{b, c}, "", need, "https://b.example/"},
		{"not of both", false, []token.Origin{a, b}, []token.Origin{b, c}, "https://a.example", other, ""},
		{"nothing in both", false, []token.Origin{a}, []token.Origin{b}, "", need, ""},
		{"nothing in both, and one asked", false, []token.Origin{a}, []token.Origin{b}, "https://b.example", other, ""},
		{"two in both", false, []token.Origin{a, b, c}, []token.Origin{c, a}, "", need, ""},
	} {
		p, r := policy.Default(), policy.Restriction{Origins: tt.bearer}
		p.OriginRequired, p.Origins = tt.required, tt.group
		request := asks(t, func(d *token.Draft) {
			if tt.asked != "" {
				d.EmbedOrigin = &tt.asked
			}
		})
		var want []string
		if tt.broken != "" {
			want = []string{tt.broken}
		}
		if got := decide(t, p, r, request); !slices.Equal(got.Broken, want) {
			t.Errorf("%s: broken %q, want %q", tt.name, got.Broken, want)
		}
		p.Mode = policy.Clamp
		got := decide(t, p, r, request)
		if tt.clamped == "" && !slices.Equal(got.Broken, want) || tt.clamped != "" && got.Claims != `{,"iss":"`+tt.clamped+`"}` {
			t.Errorf("%s: cut to %+v", tt.name, got)
		}
		// That the API token wants one is the same as that the group does.
		p.OriginRequired, r.OriginRequired, p.Mode = false, tt.required, policy.Reject
		if got := decide(t, p, r, request); !slices.Equal(got.Broken, want) {
			t.Errorf("%s, by the API token: broken %q, want %q", tt.name, got.Broken, want)
		}
	}
}

func TestLifetimesOfAnAPIToken(t *testing.T) {
	for _, tt := range []struct {
		own, longest string // the API token's
		asked        string
		want         string // of a token, cut where it must be
		refused      bool
	}{
		{"", "", "", "24h0m0s", false},
		{"PT5M", "", "", "5m0s", false},
		{"PT5M", "", "PT1H", "1h0m0s", false},
		{"", "PT1H", "", "1h0m0s", false}, // the group's default is above it
		{"", "PT1H", "PT1H", "1h0m0s", false},
		{"", "PT1H", "PT61M", "1h0m0s", true},
		{"P3D", "P2D", "", "48h0m0s", false},
		{"P60D", "P60D", "", "720h0m0s", false}, // wider than the group, and means nothing
		{"", "P60D", "P40D", "720h0m0s", true},
		{"", "P8000Y", "P1D", "24h0m0s", false},
		{"P8000Y", "", "", "720h0m0s", false},
		{"", "PT1S", "P9000Y", "1s", true},
	} {
		var r policy.Restriction
		if tt.own != "" {
			r.DefaultLifetime = duration(t, tt.own)
		}
		if tt.longest != "" {
			r.MaxLifetime = duration(t, tt.longest)
		}
		p := policy.Default()
		request := request(t, tt.asked, "")
		rejected := decide(t, p, r, request)
		p.Mode = policy.Clamp
		clamped := decide(t, p, r, request)
		if rejected.Broken != nil != tt.refused || clamped.Lifetime != tt.want || clamped.Clamped != nil != tt.refused || !tt.refused && rejected.Lifetime != tt.want {
			t.Errorf("%+v: rejected as %+v, cut to %+v", tt, rejected, clamped)
		}
	}
}

func TestEveryRuleIsNamedAtOnceInTheOrderOfTheFields(t *testing.T) {
	p := policy.Default()
	p.Customers, p.Embeds, p.PinnedKey, p.Features, p.Origins = []policy.Glob{"x"}, []policy.Glob{"x"}, "k1", token.Features{}, []token.Origin{site(t, "https://a.example")}
	expiration, chart, origin, kid := "P31D", "c1", "https://b.example", "k2"
	request := asks(t, func(d *token.Draft) {
		d.Expiration, d.ChartID, d.EmbedOrigin, d.KeyID, d.Features = &expiration, &chart, &origin, &kid, []string{"*"}
	})
	want := []string{
		"provided_id:customer_not_allowed", "embed_id:embed_not_allowed", "key_id:key_not_allowed", "expiration:lifetime_too_long",
		"chart_id:chart_embedding_disabled", "rb_allowed_features:feature_not_allowed", "embed_origin:origin_not_allowed",
	}
	if diff := cmp.Diff(want, decide(t, p, policy.Restriction{}, request).Broken); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What could be cut is not what refuses.
	p.Mode = policy.Clamp
	want = []string{"provided_id:customer_not_allowed", "embed_id:embed_not_allowed", "chart_id:chart_embedding_disabled", "embed_origin:origin_not_allowed"}
	if diff := cmp.Diff(want, decide(t, p, policy.Restriction{}, request).Broken); diff != "" {
		t.Errorf("in the mode clamp (-want +got):\n%s", diff)
	}
}

// anyPolicy, anyRestriction and anyRequest are from a small world, in which much
// meets much.
func ids(prefix string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return prefix + rapid.SampledFrom([]string{"1", "2", "12", "*", ""}).Draw(t, "id")
	})
}

func globs(prefix string) *rapid.Generator[[]policy.Glob] {
	return rapid.SliceOfNDistinct(rapid.Map(rapid.SampledFrom([]string{"*", "?", "1", "1*", `\*`, "2"}), func(s string) policy.Glob {
		return policy.Glob(prefix + s)
	}), 0, 3, rapid.ID)
}

func durations() *rapid.Generator[iso8601.Duration] {
	return rapid.Custom(func(t *rapid.T) iso8601.Duration {
		text := rapid.SampledFrom([]string{"PT1S", "PT90M", "P1D", "P28D", "P30D", "P31D", "P1M", "P1M1D", "P3M", "P1Y"}).Draw(t, "duration")
		d, err := iso8601.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func maybe[T any](t *rapid.T, name string, g *rapid.Generator[T]) T {
	var zero T
	if rapid.Bool().Draw(t, "has "+name) {
		return g.Draw(t, name)
	}
	return zero
}

func featureWords() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		if rapid.IntRange(0, 5).Draw(t, "everything") == 0 {
			return []string{"*"}
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"flt", "srt", "core", "crt-view", "fork"}), 0, 5, rapid.ID).Draw(t, "words")
	})
}

func someFeatures() *rapid.Generator[token.Features] {
	return rapid.Custom(func(t *rapid.T) token.Features {
		f, err := token.ParseFeatures(featureWords().Draw(t, "features"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	})
}

func originTexts() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"https://a.example/", "https://b.example/", "http://a.example/"})
}

func origins() *rapid.Generator[[]token.Origin] {
	return rapid.SliceOfNDistinct(rapid.Map(originTexts(), func(s string) token.Origin {
		o, _ := token.ParseOrigin(s)
		return o
	}), 0, 2, rapid.ID)
}

func keys() *rapid.Generator[key.ID] { return rapid.SampledFrom([]key.ID{"k1", "k2"}) }

func anyPolicy() *rapid.Generator[policy.Policy] {
	return rapid.Custom(func(t *rapid.T) policy.Policy {
		p := policy.Policy{
			DefaultLifetime: durations().Draw(t, "default"), MaxLifetime: durations().Draw(t, "max"), ChartEmbedding: rapid.Bool().Draw(t, "charts"),
			Embeds: maybe(t, "embeds", globs("e")), Customers: maybe(t, "customers", globs("c")),
			OriginRequired: rapid.Bool().Draw(t, "origin required"), Origins: maybe(t, "origins", origins()),
			Features: token.UnsetFeatures(), PinnedKey: maybe(t, "pinned", keys()), Mode: rapid.SampledFrom([]policy.Mode{policy.Reject, policy.Clamp}).Draw(t, "mode"),
		}
		if rapid.Bool().Draw(t, "has a ceiling") {
			p.Features = someFeatures().Draw(t, "ceiling")
		}
		return p
	})
}

func anyRestriction() *rapid.Generator[policy.Restriction] {
	return rapid.Custom(func(t *rapid.T) policy.Restriction {
		r := policy.Restriction{
			DefaultLifetime: maybe(t, "own default", durations()), MaxLifetime: maybe(t, "own max", durations()), NoCharts: rapid.Bool().Draw(t, "no charts"),
			Embeds: maybe(t, "own embeds", globs("e")), Customers: maybe(t, "own customers", globs("c")),
			OriginRequired: rapid.Bool().Draw(t, "own origin required"), Origins: maybe(t, "own origins", origins()),
			LimitFeatures: rapid.Bool().Draw(t, "own ceiling"), PinnedKey: maybe(t, "own pinned", keys()),
		}
		if r.LimitFeatures {
			r.Features = someFeatures().Draw(t, "own features")
		}
		return r
	})
}

func anyDraft() *rapid.Generator[token.Draft] {
	return rapid.Custom(func(t *rapid.T) token.Draft {
		customer, embed := ids("c").Draw(t, "customer"), ids("e").Draw(t, "embed")
		d := token.Draft{ProvidedID: &customer, EmbedID: &embed}
		if rapid.Bool().Draw(t, "names a key") {
			d.KeyID = new(string(keys().Draw(t, "key")))
		}
		if rapid.Bool().Draw(t, "says how long") {
			d.Expiration = new(durations().Draw(t, "expiration").String())
		}
		if rapid.IntRange(0, 3).Draw(t, "a chart") == 0 {
			d.ChartID = new("h1")
		}
		if rapid.Bool().Draw(t, "lists features") {
			d.Features = append([]string{}, featureWords().Draw(t, "asked features")...)
		}
		if rapid.Bool().Draw(t, "has an origin") {
			d.EmbedOrigin = new(originTexts().Draw(t, "origin"))
		}
		return d
	})
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(1767225600, 1767225600+5*366*86400), func(s int64) time.Time { return time.Unix(s, 0).UTC() })
}

func newRequest(t *rapid.T, d token.Draft) token.Request {
	r, err := token.NewRequest(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// again asks for exactly what stands in the claims.
func again(t *rapid.T, d policy.Decision) token.Request {
	c := d.Claims
	expiration := fmt.Sprintf("PT%dS", int64(c.ExpiresAt.Sub(c.IssuedAt).Seconds()))
	draft := token.Draft{ProvidedID: &c.Customer, EmbedID: &c.Embed, Expiration: &expiration, Features: c.Features.Words()}
	if c.Chart != "" {
		draft.ChartID = &c.Chart
	}
	if !c.Origin.IsZero() {
		draft.EmbedOrigin = new(c.Origin.String())
	}
	if d.KeyID != "" {
		draft.KeyID = new(string(d.KeyID))
	}
	return newRequest(t, draft)
}

// granted fails the test unless the rules grant exactly what d is.
func granted(t *rapid.T, what string, p policy.Policy, r policy.Restriction, d policy.Decision) {
	t.Helper()
	p.Mode = policy.Reject
	got, err := policy.Decide(&p, &r, again(t, d), d.Claims.IssuedAt)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got.Claims != d.Claims || got.KeyID != d.KeyID || got.Clamped != nil {
		t.Fatalf("%s: %+v is granted, and was %+v", what, got, d)
	}
}

// asPolicy is the policy of a group that knows the rules of r and no other.
func asPolicy(r policy.Restriction) policy.Policy {
	p := policy.Default()
	p.MaxLifetime, _ = iso8601.Parse("P100Y")
	if !r.MaxLifetime.IsZero() {
		p.MaxLifetime = r.MaxLifetime
	}
	if r.LimitFeatures {
		p.Features = r.Features
	}
	p.ChartEmbedding, p.Embeds, p.Customers, p.PinnedKey = !r.NoCharts, r.Embeds, r.Customers, r.PinnedKey
	p.OriginRequired, p.Origins = r.OriginRequired, r.Origins
	return p
}

// These are the laws that a restriction, the mode clamp and the narrowing of a
// policy rest on.
func TestWhatIsGrantedIsWithinEveryRule(t *testing.T) {
	grants, cuts := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, r := anyPolicy().Draw(t, "policy"), anyRestriction().Draw(t, "restriction")
		if err := errors.Join(p.Check(), r.Check()); err != nil {
			t.Fatal(err)
		}
		request, now := newRequest(t, anyDraft().Draw(t, "draft")), anyTime().Draw(t, "now")
		d, err := policy.Decide(&p, &r, request, now)
		if err != nil {
			return
		}
		if grants++; d.Clamped != nil {
			cuts++
		}
		if p.Mode == policy.Reject && d.Clamped != nil {
			t.Fatal("the mode reject cuts")
		}
		granted(t, "what is granted, perhaps cut, does not pass the mode reject", p, r, d)
		granted(t, "the group alone refuses what a restricted API token gets", p, policy.Restriction{}, d)
		granted(t, "the API token's own rules refuse what it gets", asPolicy(r), policy.Restriction{}, d)
		if d.Claims.Customer != request.Customer() || d.Claims.Embed != request.Embed() || d.Claims.Chart != request.Chart() ||
			d.Claims.DisableEditing != request.DisableEditing() {
			t.Fatalf("another thing is granted than was asked for: %+v", d.Claims)
		}
	})
	if grants == 0 || cuts == 0 {
		t.Errorf("%d grants, %d cut: the laws were not tried", grants, cuts)
	}
}

// narrow makes one thing of a policy narrower.
func narrow(t *rapid.T, p policy.Policy) policy.Policy {
	switch rapid.IntRange(0, 7).Draw(t, "what becomes narrower") {
	case 0:
		if shorter := durations().Draw(t, "shorter"); !shorter.MayOutlast(p.MaxLifetime) {
			p.MaxLifetime = shorter
		}
	case 1:
		p.ChartEmbedding = false
	case 2:
		if len(p.Embeds) == 0 {
			p.Embeds = []policy.Glob{"e1*"}
		} else if len(p.Embeds) > 1 {
			p.Embeds = p.Embeds[1:]
		}
	case 3:
		if len(p.Customers) == 0 {
			p.Customers = []policy.Glob{"c?"}
		} else if len(p.Customers) > 1 {
			p.Customers = p.Customers[:1]
		}
	case 4:
		p.OriginRequired = true
	case 5:
		if len(p.Origins) == 0 {
			p.Origins = origins().Draw(t, "narrower origins")
		} else if len(p.Origins) > 1 {
			p.Origins = p.Origins[1:]
		}
	case 6:
		p.Features = p.Features.Intersect(someFeatures().Draw(t, "lower ceiling"))
	case 7:
		if p.PinnedKey == "" {
			p.PinnedKey = "k1"
		}
	}
	return p
}

func TestANarrowerPolicyNeverGrantsMore(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		wide := anyPolicy().Draw(t, "policy")
		r, request, now := anyRestriction().Draw(t, "restriction"), newRequest(t, anyDraft().Draw(t, "draft")), anyTime().Draw(t, "now")
		narrower := narrow(t, wide)
		d, err := policy.Decide(&narrower, &r, request, now)
		if err != nil {
			if _, wideErr := policy.Decide(&wide, &r, request, now); wideErr == nil {
				refused++
			}
			return
		}
		granted(t, "the wider policy refuses what the narrower grants", wide, r, d)
	})
	if refused == 0 {
		t.Error("no policy was narrower: the law was not tried")
	}
}

func TestWhatIsNotWiderThanTheGroupIsWithinIt(t *testing.T) {
	narrower, wider := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, r := anyPolicy().Draw(t, "policy"), anyRestriction().Draw(t, "restriction")
		if faults := p.Widened(r); faults != nil {
			wider++
			return
		}
		narrower++
		now := anyTime().Draw(t, "now")
		if !r.MaxLifetime.IsZero() {
			own, err := r.MaxLifetime.AddTo(now)
			group, groupErr := p.MaxLifetime.AddTo(now)
			if groupErr == nil && (err != nil || own.After(group)) {
				t.Fatalf("%s ends after %s, from %s", r.MaxLifetime, p.MaxLifetime, now)
			}
		}
		for _, o := range r.Origins {
			if len(p.Origins) > 0 && !slices.Contains(p.Origins, o) {
				t.Fatalf("the origin %s is not the group's", o)
			}
		}
		for _, x := range r.Features.Expanded() {
			if !p.Features.Allows(x) {
				t.Fatalf("%q allows %s, and %q does not", r.Features.Words(), x, p.Features.Words())
			}
		}
	})
	if narrower == 0 || wider == 0 {
		t.Errorf("%d are wider, %d are not: the law was not tried", wider, narrower)
	}
}

func BenchmarkDecide(b *testing.B) {
	plain, ruled := policy.Default(), policy.Default()
	ruled.Customers, ruled.Embeds, ruled.Features = many(policy.MaxGlobs), []policy.Glob{"abc*"}, parsed(b, "srt", "flt")
	ruled.Customers[policy.MaxGlobs-1], ruled.Origins = "customer_*", []token.Origin{site(b, "https://a.example")}
	origin := "https://a.example"
	for name, c := range map[string]struct {
		p       policy.Policy
		request token.Request
	}{
		"default":    {plain, asks(b, nil)},
		"every rule": {ruled, asks(b, func(d *token.Draft) { d.EmbedOrigin = &origin })},
	} {
		b.Run(name, func(b *testing.B) {
			now := instant(b, "2026-03-01T12:00:00Z")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.Decide(&c.p, &policy.Restriction{}, c.request, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
