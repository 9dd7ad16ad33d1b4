package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/httpapi"
	"embedseal/domain/iso8601"
	"embedseal/domain/strictjson"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// section is what stands between two marks of docs/errors.md.
func section(t *testing.T, name string) string {
	t.Helper()
	return sectionOf(t, "errors.md", name)
}

// sectionOf is what stands between two marks of a page.
func sectionOf(t *testing.T, page, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(text), "<!-- "+name+": begin -->\n")
	found, _, ends := strings.Cut(rest, "<!-- "+name+": end -->")
	if !begins || !ends {
		t.Fatalf("docs/%s has no section %s", page, name)
	}
	return found
}

// table is the rows of a section of docs/errors.md, without the head.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	return tableOf(t, "errors.md", name)
}

func tableOf(t *testing.T, page, name string) [][]string {
	t.Helper()
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSpace(sectionOf(t, page, name)), "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			if cells[i] == "" {
				t.Errorf("%s: an empty cell in %s", name, line)
			}
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestTheDocumentedCodesAreTheCodes(t *testing.T) {
	var documented, coded []httpapi.KindRow
	for _, row := range table(t, "codes") {
		if len(row) != 5 {
			t.Fatalf("%d cells in %q", len(row), row)
		}
		status, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		documented = append(documented, httpapi.KindRow{Code: strings.Trim(row[0], "`"), Title: row[2], Status: status})
	}
	coded = httpapi.Kinds()
	byCode := func(a, b httpapi.KindRow) int { return strings.Compare(a.Code, b.Code) }
	slices.SortFunc(documented, byCode)
	slices.SortFunc(coded, byCode)
	if diff := cmp.Diff(coded, documented); diff != "" {
		t.Errorf("-code +docs/errors.md:\n%s", diff)
	}
}

// constants are the values of the constants of a file whose names begin so.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	tree, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join("..", "..", filepath.FromSlash(file)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	if len(values) == 0 {
		t.Fatalf("no constant %s… seen in %s: the check looks at nothing", prefix, file)
	}
	slices.Sort(values)
	return values
}

func TestTheDocumentedFaultsAndRulesAreTheFaultsAndRules(t *testing.T) {
	for name, coded := range map[string][]string{
		"faults": constants(t, "domain/token/fault.go", "Fault"),
		"rules":  constants(t, "domain/policy/decide.go", "Rule"),
	} {
		var documented []string
		for _, row := range table(t, name) {
			documented = append(documented, strings.Trim(row[0], "`"))
		}
		slices.Sort(documented)
		if diff := cmp.Diff(coded, documented); diff != "" {
			t.Errorf("%s: -code +docs/errors.md:\n%s", name, diff)
		}
	}
}

func TestTheDocumentedReasonsAreTheReasons(t *testing.T) {
	var documented []verdict.Reason
	for _, row := range table(t, "reasons") {
		documented = append(documented, verdict.Reason(strings.Trim(row[0], "`")))
	}
	if diff := cmp.Diff(verdict.Reasons(), documented); diff != "" {
		t.Errorf("-code +docs/errors.md:\n%s", diff)
	}
}

func TestTheDocumentedLimitsAreTheLimits(t *testing.T) {
	rows := table(t, "limits")
	for what, limit := range map[string]string{
		"the body":              strconv.Itoa(httpapi.MaxBody) + " bytes",
		"a batch":               fmt.Sprintf("%d requests, %d bytes", httpapi.MaxBatch, httpapi.MaxBatchBody),
		"nesting of the body":   strconv.Itoa(strictjson.MaxDepth) + " objects",
		"`provided_id`":         "1 to " + strconv.Itoa(token.MaxID) + " bytes",
		"`key_id`":              "1 to 128 characters",
		"`expiration`":          strconv.Itoa(iso8601.MaxText) + " bytes",
		"`rb_allowed_features`": strconv.Itoa(token.MaxFeatureWords) + " words",
		"`embed_origin`":        strconv.Itoa(token.MaxOrigin) + " bytes",
	} {
		i := slices.IndexFunc(rows, func(row []string) bool { return strings.HasPrefix(row[0], what) })
		if i < 0 || !strings.Contains(rows[i][1], limit) {
			t.Errorf("the limit of %s is not documented as %q", what, limit)
		}
	}
}

func TestTheDocumentedExampleIsWhatIsAnswered(t *testing.T) {
	fenced := func(name string) string {
		text := strings.TrimPrefix(strings.TrimSpace(section(t, name)), "```json\n")
		return strings.TrimSuffix(text, "\n```")
	}
	s := open(t)
	got := s.send(t, request{body: fenced("request")})
	got.problem(t)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(strings.TrimSpace(got.body)), "", "  "); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`"request_id": "[a-z2-7]{16}"`)
	if diff := cmp.Diff(id.ReplaceAllString(pretty.String(), "<id>"), id.ReplaceAllString(fenced("answer"), "<id>")); diff != "" {
		t.Errorf("-answered +documented:\n%s", diff)
	}
}

// No code is only in the table: each is seen in an answer by a test of this
// package.
func TestEveryCodeAndEveryFaultIsSeenInATest(t *testing.T) {
	seen := map[string]bool{
		"rate_limited": true, "audit_unavailable": true, "unreadable_body": true, // in limiter_test.go, failure_test.go, wire_test.go
		"embed_refused": true, // in forwardauth_test.go
		"overloaded":    true, // in overload_test.go
	}
	faults := map[string]bool{}
	for _, r := range refusals() {
		seen[r.code] = true
		for _, f := range r.fields {
			_, code, _ := strings.Cut(f, ":")
			faults[code] = true
		}
	}
	for _, r := range adminRefusals() {
		seen[r.code] = true
	}
	for _, f := range storeFaults() {
		seen[f.code] = true
	}
	for _, r := range rules(t) {
		_, code, _ := strings.Cut(r.fault, ":")
		faults[code] = true
	}
	for _, k := range httpapi.Kinds() {
		if !seen[k.Code] {
			t.Errorf("no test is answered with %s", k.Code)
		}
	}
	for _, code := range append(constants(t, "domain/token/fault.go", "Fault"), constants(t, "domain/policy/decide.go", "Rule")...) {
		if !faults[code] {
			t.Errorf("no test has the fault %s", code)
		}
	}
}
