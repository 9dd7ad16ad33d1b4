package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"embedseal/domain/audit"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// fault is one of a list of errors or warnings.
type fault struct{ Field, Code, Detail string }

func (f fault) name() string { return f.Field + ":" + f.Code }

// rule is a request that breaks one rule, and all that can come of it.
type rule struct {
	name string
	// group and bearer make the rule that of the group, or of the API token.
	group  func(*policy.Policy)
	bearer func(*policy.Restriction)
	// member is what the request has beside both ids, which body replaces.
	member, body string
	// fault is how it is refused; the detail begins with says and then whose rule
	// it is, where it is somebody's.
	fault, says string
	// clamped are the claims in the mode clamp, without the ids, and key what seals
	// them; empty where it is refused in this mode, too.
	clamped, key string
}

func origin(t testing.TB, text string) token.Origin {
	t.Helper()
	o, err := token.ParseOrigin(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func featureList(t testing.TB, words ...string) token.Features {
	t.Helper()
	f, err := token.ParseFeatures(words)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func lifetime(t testing.TB, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func rules(t testing.TB) []rule {
	app, other := origin(t, "https://app.example/"), origin(t, "https://other.example/")
	hour, sorting := lifetime(t, "PT1H"), featureList(t, "srt")
	standard := `"exp":1769940000,"iat":1769853600` // a day
	return []rule{
		{
			name: "a customer", body: `{"provided_id":"globex","embed_id":"abcde"}`,
			group:  func(p *policy.Policy) { p.Customers = []policy.Glob{"customer_?", "acme-*"} },
			bearer: func(r *policy.Restriction) { r.Customers = []policy.Glob{"customer_?", "acme-*"} },
			fault:  "provided_id:customer_not_allowed", says: "is none that",
		},
		{
			name: "a dashboard", body: `{"provided_id":"customer_1","embed_id":"abcdef"}`,
			group:  func(p *policy.Policy) { p.Embeds = []policy.Glob{"abcde"} },
			bearer: func(r *policy.Restriction) { r.Embeds = []policy.Glob{"abcde"} },
			fault:  "embed_id:embed_not_allowed", says: "is none that",
		},
		{
			name: "another key", member: `"key_id":"` + defaultKey + `"`,
			group:  func(p *policy.Policy) { p.PinnedKey = namedKey },
			bearer: func(r *policy.Restriction) { r.PinnedKey = namedKey },
			fault:  "key_id:key_not_allowed", clamped: standard, key: namedKey,
		},
		{
			name: "a long life", member: `"expiration":"PT1H0.1S"`,
			group:  func(p *policy.Policy) { p.MaxLifetime = hour },
			bearer: func(r *policy.Restriction) { r.MaxLifetime = hour },
			fault:  "expiration:lifetime_too_long", says: "is longer than the maximum lifetime PT1H of", clamped: `"exp":1769857200,"iat":1769853600`,
		},
		{
			name: "a chart", member: `"chart_id":"c"`,
			group:  func(*policy.Policy) {},
			bearer: func(r *policy.Restriction) { r.NoCharts = true },
			fault:  "chart_id:chart_embedding_disabled", says: "embedding a single chart is not enabled for",
		},
		{
			name: "a feature", member: `"rb_allowed_features":["flt","srt"]`,
			group:  func(p *policy.Policy) { p.Features = sorting },
			bearer: func(r *policy.Restriction) { r.LimitFeatures, r.Features = true, sorting },
			fault:  "rb_allowed_features:feature_not_allowed", clamped: standard + `,"rbc":["srt"]`,
		},
		{
			name:   "no origin, and one is allowed",
			group:  func(p *policy.Policy) { p.Origins = []token.Origin{app} },
			bearer: func(r *policy.Restriction) { r.Origins = []token.Origin{app} },
			fault:  "embed_origin:origin_required", clamped: standard + `,"iss":"https://app.example/"`,
		},
		{
			name:   "no origin, and two are allowed",
			group:  func(p *policy.Policy) { p.Origins = []token.Origin{app, other} },
			bearer: func(r *policy.Restriction) { r.Origins = []token.Origin{app, other} },
			fault:  "embed_origin:origin_required",
		},
		{
			name:   "no origin, and any is allowed",
			group:  func(p *policy.Policy) { p.OriginRequired = true },
			bearer: func(r *policy.Restriction) { r.OriginRequired = true },
			fault:  "embed_origin:origin_required",
		},
		{
			name: "an origin of others", member: `"embed_origin":"https://app.example:8443"`,
			group:  func(p *policy.Policy) { p.Origins = []token.Origin{app} },
			bearer: func(r *policy.Restriction) { r.Origins = []token.Origin{app} },
			fault:  "embed_origin:origin_not_allowed", says: "is none that",
		},
	}
}

// request is the whole request.
func (r rule) request() request {
	switch {
	case r.body != "":
		return request{body: r.body}
	case r.member != "":
		return request{body: `{"provided_id":"customer_1","embed_id":"abcde",` + r.member + `}`}
	}
	return request{body: minimal}
}

// in is a site where the rule is that of the group, or of every API token.
func (r rule) in(t *testing.T, ofGroup bool, mode policy.Mode) *site {
	return open(t, func(s *setup) {
		s.policy.Mode = mode
		if ofGroup {
			r.group(&s.policy)
			return
		}
		s.policy.ChartEmbedding = true
		r.bearer(&s.restriction)
	})
}

// eachWay runs check for every rule, of the group and of the API token, in both
// modes.
func eachWay(t *testing.T, check func(t *testing.T, s *site, r rule, whose string, cut bool)) {
	for _, r := range rules(t) {
		for _, ofGroup := range []bool{true, false} {
			for _, mode := range []policy.Mode{policy.Reject, policy.Clamp} {
				whose := "this API token"
				if ofGroup {
					whose = "the group"
				}
				t.Run(r.name+", a rule of "+whose+", "+mode.String(), func(t *testing.T) {
					check(t, r.in(t, ofGroup, mode), r, whose, mode == policy.Clamp && r.clamped != "")
				})
			}
		}
	}
}

// sealedWith is the key of a token that was clamped.
func (r rule) sealedWith() string {
	if r.key != "" {
		return r.key
	}
	return defaultKey
}

func TestWhatARuleRefusesAndWhatItCuts(t *testing.T) {
	eachWay(t, func(t *testing.T, s *site, r rule, whose string, cut bool) {
		got := s.send(t, r.request())
		e := s.audit.take()
		if len(e) != 1 || !slices.Equal(e[0].Rules, []string{r.fault}) || e[0].Action != audit.ActionMint {
			t.Fatalf("recorded as %+v", e)
		}
		if asked := r.request().body; !strings.Contains(asked, `"`+e[0].Customer+`"`) || !strings.Contains(asked, `"`+e[0].Embed+`"`) {
			t.Errorf("the record is about %q and %q", e[0].Customer, e[0].Embed)
		}
		if cut {
			jwt, rest, _ := strings.Cut(strings.TrimPrefix(got.body, `{"success": 1, "jwt": "`), `"`)
			if claims := unseal(t, got.jwtBefore(t, `"`+rest), values()[r.sealedWith()]).claims; claims != `{`+base+`,`+r.clamped+`}` {
				t.Errorf("the claims are %s", claims)
			}
			var warned struct{ Warnings []fault }
			if err := json.Unmarshal([]byte(got.body), &warned); err != nil || len(warned.Warnings) != 1 || warned.Warnings[0].name() != r.fault {
				t.Fatalf("%v: the warnings after the token of %d bytes are %s", err, len(jwt), rest)
			}
			r.explains(t, warned.Warnings[0].Detail, whose)
			if e[0].Outcome != audit.Granted || e[0].Fingerprint.IsZero() {
				t.Errorf("recorded as %+v", e[0])
			}
			return
		}
		p := got.problem(t)
		if p.Status != http.StatusForbidden || p.Code != "policy_refused" || !slices.Equal(p.fields(), []string{r.fault}) {
			t.Fatalf("answered with %s", got.body)
		}
		r.explains(t, p.Errors[0].Detail, whose)
		if e[0].Outcome != audit.Refused || e[0].Code != "policy_refused" {
			t.Errorf("recorded as %+v", e[0])
		}
	})
}

// explains checks that a detail is about the rule and about whose it is.
func (r rule) explains(t *testing.T, detail, whose string) {
	t.Helper()
	if r.says != "" && (!strings.HasPrefix(detail, r.says) || !strings.Contains(detail, whose)) {
		t.Errorf("the detail is %q, of %s", detail, whose)
	}
}

func TestFeaturesUnderACeilingThroughTheHandler(t *testing.T) {
	const excess = "rb_allowed_features:feature_not_allowed"
	for _, mode := range []policy.Mode{policy.Reject, policy.Clamp} {
		s := open(t, func(s *setup) { s.policy.Features, s.policy.Mode = featureList(t, "srt", "core"), mode })
		for member, tt := range map[string]struct {
			rbc     string // of the token, cut where it must be
			tooMuch bool
		}{
			``:                              {`["srt","core"]`, false},
			`"rb_allowed_features":null`:    {`["srt","core"]`, false},
			`"rb_allowed_features":[]`:      {`[]`, false},
			`"rb_allowed_features":["srt"]`: {`["srt"]`, false},
			`"rb_allowed_features":["fork","crt-view"]`:  {`["fork","crt-view"]`, false}, // core implies them
			`"rb_allowed_features":["core","srt","srt"]`: {`["core","srt"]`, false},
			`"rb_allowed_features":["*"]`:                {`["srt","core"]`, true},
			`"rb_allowed_features":["flt"]`:              {`[]`, true},
			`"rb_allowed_features":["fork","flt","srt"]`: {`["srt","fork"]`, true},
		} {
			r := rule{member: member}.request()
			got := s.send(t, r)
			if tt.tooMuch && mode == policy.Reject {
				if p := got.problem(t); p.Code != "policy_refused" || !slices.Equal(p.fields(), []string{excess}) {
					t.Errorf("%s: answered with %s", member, got.body)
				}
				continue
			}
			_, rest, _ := strings.Cut(strings.TrimPrefix(got.body, `{"success": 1, "jwt": "`), `"`)
			claims := unseal(t, got.jwtBefore(t, `"`+rest), values()[defaultKey]).claims
			if !strings.HasSuffix(claims, `,"rbc":`+tt.rbc+`}`) || strings.Contains(rest, excess[20:]) != tt.tooMuch || !tt.tooMuch && rest != "}\n" {
				t.Errorf("%s, %s: the claims are %s, and then comes %s", member, mode, claims, rest)
			}
		}
	}
}

// What a caller sends is matched, and never a pattern itself.
func TestAnIDWithThePatternsOfAGlobIsNoGlob(t *testing.T) {
	s := open(t, func(s *setup) {
		s.policy.Customers = []policy.Glob{"acme-?", `\*`, "ü*"}
		s.restriction.Customers = []policy.Glob{"*"}
	})
	for id, want := range map[string]bool{
		"acme-1": true, "acme-?": true, "acme-*": true, "*": true, "ü": true, "ü\u2028x": true,
		"acme-": false, "acme-12": false, "acme*": false, "?": false, "**": false, "ACME-1": false, "u\u0308": false, "acme-1 ": false, " acme-1": false, "%2a": false,
	} {
		got := s.send(t, dry(request{body: `{"provided_id":"` + id + `","embed_id":"abcde"}`})).tried(t)
		if got.Allowed != want {
			t.Errorf("%s is allowed: %t", id, got.Allowed)
		}
	}
}
