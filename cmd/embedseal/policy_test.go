package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The commands of docs/policies.md, beside a running server.
func TestAPolicyThatIsSetCountsForTheNextToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	mint := func(more ...string) []string {
		return append([]string{"mint", "--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "customer_1"}, more...)
	}
	run(t, mint("--embed-id", "sales-1")...).want(t, exitOK)

	run(t, "group", "policy", "set", "--data-dir", dir, "--group", "default", "--max-lifetime", "PT1H", "--customers", "acme-*",
		"--origins", "https://app.example", "--mode", "reject").want(t, exitOK)
	run(t, mint("--embed-id", "sales-1", "--expiration", "P1D")...).want(t, exitRefused, "403 policy_refused",
		"(customer_not_allowed)", "(lifetime_too_long)", "(origin_required)")

	run(t, "group", "policy", "set", "--data-dir", dir, "--group", "default", "--customers", "", "--mode", "clamp").want(t, exitOK)
	o := run(t, mint("--embed-id", "sales-1", "--expiration", "P1D")...).want(t, exitOK)
	if strings.Count(o.stderr, "warning: ") != 2 || !strings.HasPrefix(o.stdout, "eyJ") {
		t.Errorf("standard output %q, standard error %q", o.stdout, o.stderr)
	}

	narrow := filepath.Join(t.TempDir(), "narrow")
	run(t, "token", "create", "--data-dir", dir, "--group", "default", "--name", "long", "--scopes", "mint", "--max-lifetime", "PT2H", "--secret-out", narrow).
		want(t, exitRefused, "wider_than_group")
	run(t, "token", "create", "--data-dir", dir, "--group", "default", "--name", "checkout", "--scopes", "mint", "--embeds", "checkout-*",
		"--max-lifetime", "PT15M", "--secret-out", narrow).want(t, exitOK)
	own := []string{"--api-token-file", narrow, "--dry-run"}
	o = run(t, mint(append(own, "--embed-id", "checkout-1")...)...).want(t, exitOK)
	if !strings.Contains(o.stdout, "\nLifetime  15m0s, ") {
		t.Errorf("it shows\n%s", o.stdout)
	}
	o = run(t, mint(append(own, "--embed-id", "sales-1")...)...).want(t, exitRefused)
	if !strings.Contains(o.stdout, "embed_id: is none that this API token may mint for (embed_not_allowed)") {
		t.Errorf("it shows\n%s", o.stdout)
	}
}
