package vaulttest

import (
	"os"
	"path/filepath"
	"testing"
)

// Binary is the path of the Vault server. Where there is none the test ends
// here: skipped, or failed with CI=true or REQUIRE_VAULT=1.
func Binary(t testing.TB) string {
	t.Helper()
	name := find()
	if name != "" {
		return name
	}
	const text = "the real Vault server was not used: there is none here. " +
		"Build it with \"make vault\" (once, about five minutes), or name one in VAULT_BIN"
	if Required() {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// Required reports whether a test without a server is a failure.
func Required() bool {
	require := os.Getenv("REQUIRE_VAULT")
	return os.Getenv("CI") == "true" || require != "" && require != "0"
}

// kubernetesPlugin is the auth plugin that was built beside the server; empty
// where the server has to bring its own, as HashiCorp's releases do.
func kubernetesPlugin(server string) string {
	name := filepath.Join(filepath.Dir(server), "plugins", "vault-plugin-auth-kubernetes")
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

// find looks in the environment, then for bin/vault, the link that .ci/vault
// leaves. That is inside the module, so that the test cache notices when it
// comes or changes.
func find() string {
	if name := os.Getenv("VAULT_BIN"); name != "" {
		return name
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
	link := filepath.Join(dir, "bin", "vault")
	if _, err := os.Stat(link); err != nil {
		return ""
	}
	name, err := filepath.EvalSymlinks(link)
	if err != nil {
		return ""
	}
	return name
}
