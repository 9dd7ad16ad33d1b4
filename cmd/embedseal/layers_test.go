package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "embedseal"

// root is the repository's top level, seen from this package.
var root = filepath.Join("..", "..")

// mayImport is the architecture: which of our packages may import which.
func mayImport(from, to string) bool {
	switch layer(from) {
	case "domain":
		return layer(to) == "domain"
	case "ports":
		return slices.Contains([]string{"domain", "ports"}, layer(to))
	case "app":
		return slices.Contains([]string{"domain", "ports", "app"}, layer(to))
	case "adapters":
		switch layer(to) {
		case "domain", "ports":
			return true
		case "app":
			return slices.Contains([]string{"adapters/httpapi", "adapters/embedtoken"}, unit(from)) // the ones that drive
		case "adapters": // adapters do not know one another
			return unit(to) == unit(from) || unit(to) == "adapters/internal"
		}
		return false
	case "configs":
		return slices.Contains([]string{"domain", "adapters", "configs"}, layer(to))
	case "cmd": // docs/api included, which nothing else imports
		return true
	}
	return false
}

// mayImportForeign says whether a package may import one that is not ours:
// the core gets by with the part of the standard library that does no I/O.
func mayImportForeign(from, imp string) bool {
	switch layer(from) {
	case "domain":
		return imp == "golang.org/x/net/idna" || pure(imp)
	case "ports":
		if unit(from) == "ports/porttest" { // suites that tests run
			return imp == "pgregory.net/rapid" || strings.HasPrefix(imp, "github.com/google/go-cmp/") || standard(imp)
		}
		return pure(imp)
	case "app":
		return pure(imp)
	case "docs": // one that hands out a document, and nothing more
		return imp == "embed"
	}
	return !strings.HasPrefix(imp, "github.com/google/wire") || layer(from) == "cmd"
}

// standard is true of the standard library: no dot in the first element.
func standard(imp string) bool { return !strings.Contains(layer(imp), ".") }

// pure is true of standard packages that reach neither network, files,
// environment, log nor chance.
func pure(imp string) bool {
	impure := []string{
		"net", "net/http", "os", "os/exec", "os/signal", "os/user", "io/ioutil", "syscall", "plugin", "unsafe",
		"log", "log/slog", "crypto/rand", "math/rand", "math/rand/v2", "testing",
	}
	return standard(imp) && !slices.Contains(impure, imp) && !strings.HasPrefix(imp, "net/http/")
}

func TestLayoutImportsPointInward(t *testing.T) {
	seen := map[string]bool{}
	for name, imports := range sources(t) {
		from := path.Dir(name)
		seen[layer(from)] = true
		for _, imp := range imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			switch {
			case ours && !mayImport(from, to):
				t.Errorf("%s must not import %s", name, to)
			case !ours && !mayImportForeign(from, imp):
				t.Errorf("%s must not import %s", name, imp)
			}
		}
	}
	for _, l := range []string{"domain", "ports", "app", "adapters", "configs", "cmd"} {
		if !seen[l] {
			t.Errorf("no file seen in %s/: the guard looks at nothing", l)
		}
	}
}

func TestLayoutGuardTellsRightFromWrong(t *testing.T) {
	for _, c := range []struct {
		from, imp string
		want      bool
	}{
		{"domain/token", "embedseal/domain/iso8601", true},
		{"domain/token", "golang.org/x/net/idna", true},
		{"domain/token", "golang.org/x/net/html", false},
		{"domain/token", "embedseal/ports", false},
		{"domain/token", "net/netip", true},
		{"domain/token", "net/http/httptest", false},
		{"domain/token", "log/slog", false},
		{"ports", "embedseal/app", false},
		{"ports", "testing", false},
		{"ports/porttest", "testing", true},
		{"ports/porttest", "github.com/google/go-cmp/cmp", true},
		{"ports/porttest", "github.com/gofrs/flock", false},
		{"app", "embedseal/adapters/memory", false},
		{"app", "os", false},
		{"adapters/file", "embedseal/adapters/internal/records", true},
		{"adapters/file", "embedseal/adapters/memory", false},
		{"adapters/file", "embedseal/app", false},
		{"adapters/file", "github.com/google/wire", false},
		{"adapters/httpapi", "embedseal/app", true},
		{"adapters/embedtoken", "embedseal/app", true},
		{"adapters/embedtoken", "embedseal/adapters/jose", false},
		{"configs", "embedseal/ports", false},
		{"cmd/embedseal", "embedseal/app", true},
		{"cmd/embedseal", "github.com/google/wire", true},
		{"cmd/embedseal", "embedseal/docs/api", true},
		{"adapters/httpapi", "embedseal/docs/api", false},
		{"app", "embedseal/docs/api", false},
		{"docs/api", "embed", true},
		{"docs/api", "os", false},
		{"docs/api", "embedseal/domain/token", false},
		{"util", "embedseal/domain/token", false},
	} {
		to, ours := strings.CutPrefix(c.imp, module+"/")
		got := ours && mayImport(c.from, to) || !ours && mayImportForeign(c.from, c.imp)
		if got != c.want {
			t.Errorf("%s imports %s: allowed is %v, want %v", c.from, c.imp, got, c.want)
		}
	}
}

func TestLayoutTopLevelHoldsNothingElse(t *testing.T) {
	prescribed := []string{
		"domain", "ports", "adapters", "app", "cmd", "configs", "docs",
		"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "CHANGELOG.md",
	}
	names := topLevel(t)
	for _, name := range names {
		if !strings.HasPrefix(name, ".") && !slices.Contains(prescribed, name) {
			t.Errorf("%s does not belong at the top level", name)
		}
	}
	for _, name := range prescribed {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing at the top level", name)
		}
	}
}

func TestLayoutEveryDirectDependencyIsExplained(t *testing.T) {
	mod, explained := read(t, "go.mod"), read(t, "docs/dependencies.md")
	direct := 0
	for line := range strings.Lines(mod) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "require ")
		name, version, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(version, "v") || strings.HasSuffix(line, "// indirect") {
			continue
		}
		direct++
		if !strings.Contains(explained, "`"+name+"`") {
			t.Errorf("docs/dependencies.md does not say what %s is for", name)
		}
	}
	if direct == 0 {
		t.Error("no direct dependency seen in go.mod: the guard looks at nothing")
	}
}

// sources returns the imports of every file of the module that is not a test,
// by slash-separated path. It parses instead of asking "go list": what a child
// process reads escapes the test cache.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		found[rel] = nil
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[rel] = append(found[rel], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// topLevel lists what is, or would be, committed at the top level: git knows
// what is ignored. Without git it is the folder less what the build leaves.
func topLevel(t *testing.T) []string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	git.Dir = root
	if out, err := git.Output(); err == nil && len(out) > 0 {
		var names []string
		for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			names = append(names, layer(name))
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "bin" && e.Name() != "data" {
			names = append(names, e.Name())
		}
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// layer is the first element of a package path, unit the first two.
func layer(p string) string { l, _, _ := strings.Cut(p, "/"); return l }
func unit(p string) string  { return strings.Join(strings.SplitN(p+"//", "/", 3)[:2], "/") }
