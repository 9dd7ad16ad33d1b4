package app_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// leftOut names the check that a copy of this test's program leaves out.
const leftOut = "EMBEDSEAL_CHECK_LEFT_OUT"

// refusalsOfTheGate is where the checks of a token stand, and what a refusal looks like there.
func refusalsOfTheGate() map[string][]string {
	return map[string][]string{
		"domain/jwe/compact.go":     {"refuse"},
		"domain/jwe/header.go":      {"refuse"},
		"domain/token/parse.go":     {"Errorf", "New"},
		"domain/token/claims.go":    {"ErrExpired", "ErrNotYetValid"},
		"domain/verdict/verdict.go": {"UnknownKey", "KeyDisabled", "Expired", "NotYetValid", "Policy", "OriginMismatch", "EmbedMismatch", "ChartMismatch"},
		"app/verify.go":             {"Malformed", "BadTag"},
	}
}

// idle are the checks that no row can fail, each with the reason.
func idle() map[string]string {
	return map[string]string{
		"app/verify.go read 2": "of a key whose material is not in hand; TestALongIVOfAKeyThatNobodyHasInHandIsATokenOfNobody has one",
	}
}

// Every check of the gate is left out in turn, in a copy of the program that is built
// once; each time a row of the hostile tokens turns red.
func TestNoCheckOfTheGateCanBeLeftOut(t *testing.T) {
	t.Parallel()
	if os.Getenv(leftOut) != "" {
		t.Skip("this is the copy")
	}
	dir := t.TempDir()
	replaced, checks := map[string]string{}, []string{}
	packages := map[string]string{}
	for file, refusals := range refusalsOfTheGate() {
		source, found := instrumented(t, file, refusals)
		if len(found) == 0 {
			t.Fatalf("no check seen in %s: the test looks at nothing", file)
		}
		checks = append(checks, found...)
		overlay(t, dir, replaced, file, source)
		packages[path.Dir(file)] = path.Base(path.Dir(file))
	}
	for folder, name := range packages {
		overlay(t, dir, replaced, folder+"/leftout.go", "package "+name+"\n\nimport \"os\"\n\nvar leftOut = os.Getenv(\""+leftOut+"\")\n\nfunc checks(name string) bool { return leftOut != name }\n")
	}
	list, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "copy.test")
	if err := os.WriteFile(overlayFile, list, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlayFile, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the copy: %v\n%s", err, out)
	}
	green := func(without string) bool {
		cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestEveryHostileTokenIsRefusedForItsReason$")
		cmd.Env = append(os.Environ(), leftOut+"="+without)
		out, err := cmd.CombinedOutput()
		if err == nil && !strings.Contains(string(out), "PASS") {
			t.Fatalf("the copy ran no test: %s", out)
		}
		return err == nil
	}
	if !green("none") {
		t.Fatal("with every check in its place a row is red")
	}
	slices.Sort(checks)
	for _, check := range checks {
		reason, mayBeGreen := idle()[check]
		if isGreen := green(check); isGreen != mayBeGreen {
			t.Errorf("without the check of %s: all rows green: %t, want %t (%s)", check, isGreen, mayBeGreen, reason)
		}
	}
	t.Logf("%d checks left out", len(checks))
}

// overlay has the compiler read source in place of a file.
func overlay(t *testing.T, dir string, replaced map[string]string, file, source string) {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	replaced[original] = filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
	if err := os.WriteFile(replaced[original], []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
}

// instrumented is the file with every return of a refusal made conditional, and the
// names of those: the file, the function, and a number.
func instrumented(t *testing.T, file string, refusals []string) (source string, names []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	set := gotoken.NewFileSet()
	tree, err := parser.ParseFile(set, file, data, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	type edit struct {
		at   int
		text string
	}
	var edits []edit
	for _, declared := range tree.Decls {
		function, ok := declared.(*ast.FuncDecl)
		if !ok || slices.Contains([]string{"refuse", "EncodeHeader", "Reasons"}, function.Name.Name) { // which judge nothing
			continue
		}
		n := 0
		last := map[ast.Stmt]*ast.FuncType{function.Body.List[len(function.Body.List)-1]: function.Type}
		ast.Inspect(function.Body, func(node ast.Node) bool {
			if literal, ok := node.(*ast.FuncLit); ok {
				last[literal.Body.List[len(literal.Body.List)-1]] = literal.Type
			}
			statement, ok := node.(*ast.ReturnStmt)
			if !ok || !refuses(statement, refusals) {
				return true
			}
			n++
			name := fmt.Sprintf("%s %s %d", file, function.Name.Name, n)
			names = append(names, name)
			after := " }"
			if of := last[statement]; of != nil {
				after += "; return " + zeros(of, data, set)
			}
			edits = append(edits, edit{set.Position(statement.Pos()).Offset, fmt.Sprintf("if checks(%q) { ", name)}, edit{set.Position(statement.End()).Offset, after})
			return true
		})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return b.at - a.at })
	source = string(data)
	for _, e := range edits {
		source = source[:e.at] + e.text + source[e.at:]
	}
	return source, names
}

// refuses reports whether one of the names stands in what is returned.
func refuses(statement *ast.ReturnStmt, names []string) bool {
	found := false
	for _, result := range statement.Results {
		ast.Inspect(result, func(node ast.Node) bool {
			name, ok := node.(*ast.Ident)
			found = found || ok && slices.Contains(names, name.Name)
			return true
		})
	}
	return found
}

// zeros are the zero values of what a function returns.
func zeros(of *ast.FuncType, data []byte, set *gotoken.FileSet) string {
	var all []string
	for _, result := range of.Results.List {
		kind := string(data[set.Position(result.Type.Pos()).Offset:set.Position(result.Type.End()).Offset])
		for range max(len(result.Names), 1) {
			all = append(all, "*new("+kind+")")
		}
	}
	return strings.Join(all, ", ")
}
