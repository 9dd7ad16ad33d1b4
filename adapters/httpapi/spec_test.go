package httpapi_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apispec"
	"embedseal/docs/api"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

var document = sync.OnceValues(func() (*apispec.Spec, error) { return apispec.New(api.Document()) })

// spec is what every exchange of these tests is held to.
func spec(t testing.TB) *apispec.Spec {
	t.Helper()
	s, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at is what stands in the API's document at that place.
func at(t *testing.T, names ...string) any {
	t.Helper()
	var found any
	if err := yaml.Unmarshal(api.Document(), &found); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		switch v := found.(type) {
		case map[string]any:
			found = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				t.Fatalf("openapi.yaml has no %s in %s", name, strings.Join(names, "/"))
			}
			found = v[i]
		default:
			found = nil
		}
		if found == nil {
			t.Fatalf("openapi.yaml has no %s in %s", name, strings.Join(names, "/"))
		}
	}
	return found
}

// words is such a list of words, in order.
func words(t *testing.T, names ...string) []string {
	t.Helper()
	var all []string
	for _, v := range at(t, names...).([]any) {
		all = append(all, v.(string))
	}
	slices.Sort(all)
	return all
}

func TestTheCodesOfTheAPIDocumentAreTheCodes(t *testing.T) {
	// By status, in the problems of the components; and once all together.
	documented, whole := map[string]int{}, words(t, "components", "schemas", "ProblemCode", "enum")
	for name, response := range at(t, "components", "responses").(map[string]any) {
		content := response.(map[string]any)["content"]
		if content == nil || content.(map[string]any)["application/problem+json"] == nil {
			continue
		}
		place := []string{"components", "responses", name, "content", "application/problem+json", "schema", "allOf", "1", "properties"}
		status := at(t, append(place, "status", "const")...).(int)
		for _, code := range words(t, append(place, "code", "enum")...) {
			if documented[code] != 0 {
				t.Errorf("%s stands in two responses", code)
			}
			documented[code] = status
		}
	}
	coded := map[string]int{}
	for _, kind := range httpapi.Kinds() {
		coded[kind.Code] = kind.Status
	}
	if diff := cmp.Diff(coded, documented); diff != "" {
		t.Errorf("-code +docs/api/openapi.yaml:\n%s", diff)
	}
	var all []string
	for code := range documented {
		all = append(all, code)
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, whole); diff != "" {
		t.Errorf("-responses +ProblemCode:\n%s", diff)
	}
}

func TestTheListsOfWordsOfTheAPIDocumentAreThoseOfTheDomain(t *testing.T) {
	sorted := func(lists ...[]string) []string {
		all := slices.Concat(lists...)
		slices.Sort(all)
		return all
	}
	kinds := []string{}
	for _, kind := range []audit.Kind{
		audit.Edited, audit.Removed, audit.Reordered, audit.Inserted, audit.Truncated, audit.Torn, audit.Unreadable, audit.Unkept,
		audit.Recovered, audit.OpenIntent,
	} {
		kinds = append(kinds, string(kind))
	}
	if diff := cmp.Diff(sorted(kinds), words(t, "components", "schemas", "AuditFinding", "properties", "kind", "enum")); diff != "" {
		t.Errorf("AuditFinding: -domain +docs/api/openapi.yaml:\n%s", diff)
	}
	for schema, want := range map[string][]string{
		"FieldCode": sorted(constants(t, "domain/token/fault.go", "Fault"), constants(t, "domain/policy/decide.go", "Rule"),
			constants(t, "domain/policy/restriction.go", "Fault"), constants(t, "app/dryrun.go", "Broken"), []string{"trimmed"}),
		"AuditAction":  constants(t, "domain/audit/event.go", "Action"),
		"AuditOutcome": sorted([]string{string(audit.Intent), string(audit.Granted), string(audit.Refused), string(audit.Failed), string(audit.Unknown)}),
		"Scope":        sorted(apitoken.All.Names()),
		"ScopeInput":   sorted(apitoken.All.Names(), []string{"read-only", "read-write"}),
		"Feature":      sorted(constants(t, "domain/token/features.go", "Feature"), []string{"*"}),
	} {
		if diff := cmp.Diff(want, words(t, "components", "schemas", schema, "enum")); diff != "" {
			t.Errorf("%s: -domain +docs/api/openapi.yaml:\n%s", schema, diff)
		}
	}
}

// What the document has and no listener serves is seen by nobody else: exchanges
// show only what is served and not documented.
func TestEveryDocumentedOperationOfAdministrationIsServed(t *testing.T) {
	var documented, served []string
	for path, item := range at(t, "paths").(map[string]any) {
		if !slices.ContainsFunc(item.(map[string]any)["servers"].([]any), func(server any) bool {
			return server.(map[string]any)["url"] == string(apispec.Administration)
		}) {
			continue
		}
		for method := range item.(map[string]any) {
			if method != "servers" && method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	s := govern(t)
	for _, r := range s.admin.Routes() {
		served = append(served, r[0]+" "+r[1])
	}
	for path := range s.config.Page {
		if strings.HasPrefix(path, "/reference/") {
			path = "/reference/{digest}/{asset}"
		}
		served = append(served, "GET "+path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(slices.Compact(served), documented); diff != "" {
		t.Errorf("-served +docs/api/openapi.yaml:\n%s", diff)
	}
}
