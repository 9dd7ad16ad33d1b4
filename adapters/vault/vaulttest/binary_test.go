package vaulttest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/adapters/vault/vaulttest"
)

// ended is a test that takes down how it was ended.
type ended struct {
	testing.TB
	skipped, failed string
}

func (e *ended) Helper() {}
func (e *ended) Skip(args ...any) {
	e.skipped, _ = args[0].(string)
	panic(e)
}

func (e *ended) Fatal(args ...any) {
	e.failed, _ = args[0].(string)
	panic(e)
}

// binary is what Binary returns in a module of its own, or how it ends the test.
func binary(t *testing.T, env map[string]string) (name string, e *ended) {
	t.Helper()
	for _, variable := range []string{"VAULT_BIN", "CI", "REQUIRE_VAULT"} {
		t.Setenv(variable, env[variable])
	}
	e = &ended{}
	defer func() {
		if r := recover(); r != nil && r != any(e) {
			panic(r)
		}
	}()
	return vaulttest.Binary(e), e
}

func TestWithoutAServerATestIsSkippedOrFailsAndSaysWhatToDo(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(root, "adapters", "x")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	for _, c := range []struct {
		env   map[string]string
		fails bool
	}{
		{nil, false},
		{map[string]string{"CI": "false"}, false},
		{map[string]string{"REQUIRE_VAULT": "0"}, false},
		{map[string]string{"CI": "true"}, true},
		{map[string]string{"REQUIRE_VAULT": "1"}, true},
	} {
		_, e := binary(t, c.env)
		text, other := e.skipped, e.failed
		if c.fails {
			text, other = other, text
		}
		if !strings.Contains(text, "make vault") || other != "" {
			t.Errorf("with %v: skipped with %q, failed with %q", c.env, e.skipped, e.failed)
		}
	}
}

func TestTheServerIsTheOneOfTheEnvironmentOrTheLinkInBin(t *testing.T) {
	root := t.TempDir()
	cache := filepath.Join(root, "cache", "vault")
	for name, text := range map[string]string{"go.mod": "module x\n", "cache/vault": "", "bin/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(cache, filepath.Join(root, "bin", "vault")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "bin"))
	want, err := filepath.EvalSymlinks(cache)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := binary(t, nil); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, _ := binary(t, map[string]string{"VAULT_BIN": "/opt/vault"}); got != "/opt/vault" {
		t.Errorf("got %q, want what VAULT_BIN says", got)
	}
}
