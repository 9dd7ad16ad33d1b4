package configs_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/configs"
)

func TestNoTwoKeysShareAName(t *testing.T) {
	env, flags := map[string]string{configs.EnvFile: "config"}, map[string]string{"config": "config"}
	for _, k := range configs.Keys() {
		names := []string{k.Flag(), k.Alias}
		if k.Kind == configs.Secret {
			if k.Flag() != "" || k.Alias != "" {
				t.Errorf("the secret %s has a flag", k.Path)
			}
			names = nil
		}
		if other, ok := env[k.Env()]; ok {
			t.Errorf("%s and %s are both %s", k.Path, other, k.Env())
		}
		env[k.Env()] = k.Path
		for _, name := range names {
			if other, ok := flags[name]; ok && name != "" {
				t.Errorf("%s and %s are both --%s", k.Path, other, name)
			}
			flags[name] = k.Path
		}
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)?$`).MatchString(k.Path) {
			t.Errorf("%s is no path of a key", k.Path)
		}
	}
	for name, key := range map[string]string{
		"EMBEDSEAL_HTTP_READ_TIMEOUT": "http.read_timeout", "EMBEDSEAL_RATE_LIMIT": "rate_limit",
		"EMBEDSEAL_MASTER_KEY_FILE": "master_key_file", "EMBEDSEAL_API_TOKEN": "api_token",
	} {
		if env[name] != key {
			t.Errorf("%s is %q", name, env[name])
		}
	}
	for name, key := range map[string]string{
		"listen": "http.listen", "http-listen": "http.listen", "store": "store", "data-dir": "data_dir", "rate-limit": "rate_limit",
	} {
		if flags[name] != key {
			t.Errorf("--%s is %q", name, flags[name])
		}
	}
}

func TestEverySecretHasAFile(t *testing.T) {
	kinds := map[string]configs.Kind{}
	for _, k := range configs.Keys() {
		kinds[k.Path] = k.Kind
	}
	for path, kind := range kinds {
		if kind == configs.Secret && kinds[path+"_file"] != configs.SecretFile {
			t.Errorf("%s has no file beside it", path)
		}
		if name, ok := strings.CutSuffix(path, "_file"); kind == configs.SecretFile && (!ok || kinds[name] != configs.Secret) {
			t.Errorf("%s is the file of nothing", path)
		}
	}
}

// example loads a file of this directory, with the files that it names.
func example(t *testing.T, name string) configs.Config {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(configs.Input{File: name, Open: func(path string) (fs.File, error) {
		if path == name {
			return os.Open(path)
		}
		if !strings.Contains(string(text), "_file: "+path) {
			t.Fatalf("%s is opened, and %s does not name it", path, name)
		}
		return files(map[string]string{"key": "k"})("key")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	return c
}

func TestEveryExampleIsAccepted(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 3 {
		t.Fatalf("found only %q", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { example(t, name) })
	}
}

func TestTheFullExampleNamesEveryKeyAtItsDefault(t *testing.T) {
	text, err := os.ReadFile("embedseal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	settings := example(t, "embedseal.yaml").Settings()
	for i, k := range configs.Keys() {
		if k.Kind == configs.Secret {
			remark := "\n# " + k.Path + ": "
			if _, leaf, nested := strings.Cut(k.Path, "."); nested {
				remark = "\n  # " + leaf + ": "
			}
			if !strings.Contains(string(text), remark) {
				t.Errorf("the secret %s is not shown as a remark", k.Path)
			}
			continue
		}
		s := settings[i]
		if s.Value != k.Default || !strings.HasPrefix(s.Source, "file embedseal.yaml:") {
			t.Errorf("%s is %q from %s, want the default %q", k.Path, s.Value, s.Source, k.Default)
		}
	}
}

var update = flag.Bool("update", false, "write the table of docs/configuration.md")

func TestTheDocumentationListsEveryKey(t *testing.T) {
	const name, begin, end = "../docs/configuration.md", "<!-- keys: begin -->\n", "<!-- keys: end -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	want := table()
	if *update {
		if err := os.WriteFile(name, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run go test ./configs -run Documentation -update\n%s", diff)
	}
}

// table is the keys in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| key | default | accepts | meaning | environment | flag |\n|---|---|---|---|---|---|\n")
	for _, k := range configs.Keys() {
		flags := "none"
		if k.Flag() != "" {
			flags = "`--" + k.Flag() + "`"
		}
		if k.Alias != "" {
			flags += ", `--" + k.Alias + "`"
		}
		standard := "empty"
		if k.Default != "" {
			standard = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` | %s |\n", k.Path, standard, k.Accepts, k.Doc, k.Env(), flags)
	}
	return b.String()
}
