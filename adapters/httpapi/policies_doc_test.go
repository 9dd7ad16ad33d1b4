package httpapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// written is a policy as docs/policies.md writes it.
type written struct {
	MaxLifetime    string        `json:"max_lifetime"`
	ChartEmbedding bool          `json:"chart_embedding"`
	Embeds         []policy.Glob `json:"embeds"`
	Customers      []policy.Glob `json:"customers"`
	OriginRequired bool          `json:"origin_required"`
	Origins        []string      `json:"origins"`
	Features       *[]string     `json:"features"`
	PinnedKey      key.ID        `json:"pinned_key"`
}

// policy is the default with what is written put in.
func (w written) policy(t *testing.T) policy.Policy {
	t.Helper()
	p := policy.Default()
	p.ChartEmbedding, p.Embeds, p.Customers, p.OriginRequired, p.PinnedKey = w.ChartEmbedding, w.Embeds, w.Customers, w.OriginRequired, w.PinnedKey
	if w.MaxLifetime != "" {
		p.MaxLifetime = lifetime(t, w.MaxLifetime)
	}
	if w.Features != nil {
		p.Features = featureList(t, *w.Features...)
	}
	for _, o := range w.Origins {
		p.Origins = append(p.Origins, origin(t, o))
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheExamplesOfThePoliciesAreAnsweredAsDocumented(t *testing.T) {
	shown := map[string]bool{}
	for _, row := range tableOf(t, "policies.md", "examples") {
		if len(row) != 4 {
			t.Fatalf("%d cells in %q", len(row), row)
		}
		rule, clamped := strings.Trim(row[2], "`"), row[3]
		shown[rule] = true
		var w written
		decoder := json.NewDecoder(strings.NewReader(strings.Trim(row[0], "`")))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&w); err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		body := `{"provided_id":"customer_1","embed_id":"abcde",` + strings.Trim(row[1], "`{")
		if strings.Trim(row[1], "`") == "{}" {
			body = minimal
		}
		for _, mode := range []policy.Mode{policy.Reject, policy.Clamp} {
			s := open(t, func(s *setup) { s.policy, s.policy.Mode = w.policy(t), mode })
			got := s.send(t, dry(request{body: body})).tried(t)
			said := got.Errors
			if mode == policy.Clamp && clamped != "refused" {
				said = got.Warnings
				kid, named := strings.CutPrefix(clamped, "the key ")
				if named && (got.KeyID == nil || *got.KeyID != strings.Trim(kid, "`")) || !named && !strings.Contains(string(got.Claims), strings.Trim(clamped, "`")) {
					t.Errorf("%s: %s gives %s by %v, want %s", row[0], body, got.Claims, got.KeyID, clamped)
				}
			}
			if len(said) != 1 || said[0].Code != rule {
				t.Errorf("%s, %s: %s is answered with %+v, want %s", row[0], mode, body, said, rule)
			}
		}
	}
	for _, rule := range constants(t, "domain/policy/decide.go", "Rule") {
		if !shown[rule] {
			t.Errorf("docs/policies.md has no example of %s", rule)
		}
	}
}

func TestTheDocumentedMembersOfAPolicyAreItsMembers(t *testing.T) {
	var documented []string
	for _, row := range tableOf(t, "policies.md", "members") {
		documented = append(documented, strings.Trim(row[0], "`"))
	}
	slices.Sort(documented)
	if diff := cmp.Diff(constants(t, "domain/policy/policy.go", "Field"), documented); diff != "" {
		t.Errorf("-code +docs/policies.md:\n%s", diff)
	}
}

// The table of features is tried as well: its ceiling and its requests.
func TestTheDocumentedFeaturesAreThoseOfTheToken(t *testing.T) {
	text := sectionOf(t, "policies.md", "features")
	rows := tableOf(t, "policies.md", "features")
	_, ceiling, _ := strings.Cut(text, "under the ceiling `")
	ceiling, _, _ = strings.Cut(ceiling, "`")
	var list []string
	if err := json.Unmarshal([]byte(ceiling), &list); err != nil || len(rows) < 5 {
		t.Fatalf("the ceiling is %s: %v", ceiling, err)
	}
	s := open(t, func(s *setup) { s.policy.Features, s.policy.Mode = featureList(t, list...), policy.Clamp })
	for _, row := range rows {
		body := minimal
		if asked := strings.Trim(row[0], "`"); strings.HasPrefix(asked, "[") {
			body = `{"provided_id":"customer_1","embed_id":"abcde","` + token.FieldFeatures + `":` + asked + `}`
		}
		got := s.send(t, dry(request{body: body})).tried(t)
		refused := strings.HasPrefix(row[1], "refused")
		want, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(row[1], "refused, or cut to "), "`"), "`")
		if !strings.HasSuffix(string(got.Claims), `"rbc":`+want+`}`) || refused != (len(got.Warnings) == 1) {
			t.Errorf("%s gives %s with %+v, want %s", row[0], got.Claims, got.Warnings, row[1])
		}
	}
}
