package vault_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/key"
)

// administeringRules are the lines of the policy that may do everything which
// this service does, with what is missing, and for which use, without them.
func administeringRules(prefix string) []struct{ line, lost, use string } {
	return []struct{ line, lost, use string }{
		{`path "secret/data/` + prefix + `/*" { capabilities = ["create", "read", "update"] }`, "read", vault.UseMint},
		{`path "secret/metadata/` + prefix + `/*" { capabilities = ["delete", "list", "read"] }`, "list", vault.UseAdminister},
		{`path "secret/destroy/` + prefix + `/*" { capabilities = ["update"] }`, "update", vault.UseAdminister},
		{`path "transit/encrypt/` + prefix + `.*" { capabilities = ["update"] }`, "update", vault.UseTransitMint},
		{`path "transit/decrypt/` + prefix + `.*" { capabilities = ["update"] }`, "update", vault.UseTransitMint},
		{`path "transit/keys/` + prefix + `.*" { capabilities = ["delete", "read", "update"] }`, "read", vault.UseTransitMint},
	}
}

func policyOf(prefix, without string) string {
	var lines []string
	for _, r := range administeringRules(prefix) {
		if r.line != without {
			lines = append(lines, r.line)
		}
	}
	return strings.Join(lines, "\n")
}

// sick are the findings that are not in order.
func sick(findings []vault.Finding) []vault.Finding {
	var found []vault.Finding
	for _, f := range findings {
		if !f.OK {
			found = append(found, f)
		}
	}
	return found
}

func TestTheDoctorFindsNothingWhereEveryCapabilityIsGranted(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		findings := mustOpen(t, s.withPolicy(t, prefix, policyOf(prefix, ""))).Doctor(t.Context())
		if found := sick(findings); len(found) > 0 {
			t.Errorf("got %+v", found)
		}
		if len(findings) < 15 {
			t.Errorf("only %d findings", len(findings))
		}
	})
}

func TestTheDoctorNamesAMissingCapabilityAndTheLineThatGrantsIt(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		for i, r := range administeringRules("P") {
			prefix := newPrefix()
			line := administeringRules(prefix)[i].line
			// Where nothing may be read there is nothing to open.
			cfg := s.withPolicy(t, prefix, policyOf(prefix, line))
			examine := func() []vault.Finding {
				e, err := vault.Examine(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				return e.Findings
			}
			path := strings.Split(line, `"`)[1]
			named := false
			var remedies []string
			for _, f := range sick(examine()) {
				named = named || f.Use == r.use && strings.Contains(f.Detail, r.lost) && strings.Contains(f.Detail, path)
				if f.Remedy != "" {
					remedies = append(remedies, f.Remedy)
				}
			}
			if !named {
				t.Errorf("without %s nobody misses %s", line, r.lost)
			}
			if len(remedies) == 0 || !strings.Contains(strings.Join(remedies, "\n"), line) {
				t.Errorf("the remedies %q do not have %s", remedies, line)
			}
			// What it says is what helps.
			s.do(t, http.MethodPut, "sys/policies/acl/"+prefix,
				fmt.Sprintf(`{"policy":%q}`, policyOf(prefix, line)+"\n"+remedies[len(remedies)-1]+"\n"+remedies[0]))
			if found := sick(examine()); len(found) > 0 {
				t.Errorf("with the remedies for %s: %+v", line, found)
			}
		}
	})
}

func TestAMintingReplicaNeedsToReadAndToKeepTheEndOfItsAuditLog(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		b := mustOpen(t, s.withPolicy(t, prefix, `path "secret/data/`+prefix+`/*" { capabilities = ["read"] }`+
			"\n"+`path "secret/data/`+prefix+`/audit/*" { capabilities = ["create", "update", "read"] }`))
		misses := 0
		for _, f := range sick(b.Doctor(t.Context())) {
			if f.Use == vault.UseAny || f.Use == vault.UseMint {
				t.Errorf("got %+v", f)
			}
			misses++
		}
		if misses < 8 {
			t.Errorf("it finds only %d things that administering misses", misses)
		}
	})
}

func TestTheDoctorWarnsOfCreateOnEncrypt(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		line := `path "transit/encrypt/` + prefix + `.*" { capabilities = ["update"] }`
		hcl := policyOf(prefix, line) + "\n" + strings.Replace(line, `["update"]`, `["create", "update"]`, 1)
		found := sick(mustOpen(t, s.withPolicy(t, prefix, hcl)).Doctor(t.Context()))
		if len(found) != 1 || found[0].Remedy != line || !strings.Contains(found[0].Detail, "create") {
			t.Errorf("got %+v", found)
		}
	})
}

func TestTheDoctorFindsTransitKeysWithoutRingAndRingsWithoutTransitKey(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		cfg := s.withPolicy(t, prefix, policyOf(prefix, "")+"\npath \"transit/keys\" { capabilities = [\"list\"] }")
		cfg.OrphanAfter = time.Nanosecond
		b := mustOpen(t, cfg)
		custody, keys := vault.NewCustody(b), vault.NewKeyStore(b)
		good := mustCreate(t, custody, "acme", "good")
		mustCreate(t, custody, "acme", "orphan")
		lost := mustCreate(t, custody, "acme", "lost")
		gone := transitKey(cfg.Prefix, "gone")
		gone.State = key.Destroyed
		err := keys.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) {
			return key.NewRing([]key.Key{good, lost, gone}, "good")
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := custody.Destroy(t.Context(), "acme", lost); err != nil {
			t.Fatal(err)
		}
		// Of others, in the same engine: one whose prefix goes on where ours ends
		// has no name that we could have made.
		other := s.tokenConfig()
		other.Prefix = prefix + "-two"
		mustCreate(t, vault.NewCustody(mustOpen(t, other)), "acme", "k1")
		other.Prefix = prefix
		mustCreate(t, vault.NewCustody(mustOpen(t, other)), "two-acme", "k1")
		if err := keys.UpdateRing(t.Context(), "two-acme", func(key.Ring) (key.Ring, error) {
			return key.NewRing([]key.Key{{ID: "k1", State: key.Active, Custody: key.VaultTransit, Ref: prefix + ".two-acme.k1:1"}}, "k1")
		}); err != nil {
			t.Fatal(err)
		}
		s.do(t, http.MethodPut, "transit/keys/"+prefix+"x.acme.k1", "{}")
		s.do(t, http.MethodPut, "transit/keys/"+prefix+".nodot", "{}")

		found := sick(b.Doctor(t.Context()))
		if len(found) != 1 {
			t.Fatalf("got %+v", found)
		}
		name := prefix + ".acme."
		want := "in no ring: " + name + "orphan; in a ring and not in Transit: " + name + "lost"
		if found[0].Detail != want {
			t.Errorf("got %q, want %q", found[0].Detail, want)
		}
		path := "transit/keys/" + name + "orphan"
		command := "vault write " + path + "/config deletion_allowed=true && vault delete " + path
		if want := "only if no other store has the prefix " + prefix + " and this Transit engine:\n" + command; found[0].Remedy != want {
			t.Errorf("got %q, want %q", found[0].Remedy, want)
		}
	})
}

// Deleting the live keys of a ring that can still be brought back would be the
// end of it.
func TestTheDoctorNamesNoKeyForDeletionWhileARingCannotBeRead(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		cfg := s.tokenConfig()
		cfg.OrphanAfter = time.Nanosecond
		b := mustOpen(t, cfg)
		live := mustCreate(t, vault.NewCustody(b), "acme", "live")
		if err := vault.NewKeyStore(b).UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) {
			return key.NewRing([]key.Key{live}, "live")
		}); err != nil {
			t.Fatal(err)
		}
		s.do(t, http.MethodDelete, "secret/data/"+cfg.Prefix+"/rings/acme", "")
		text := fmt.Sprint(b.Doctor(t.Context()))
		if strings.Contains(text, "vault delete") || !strings.Contains(text, "the ring of acme") {
			t.Errorf("got %s", text)
		}
	})
}

func TestTheDoctorFindsMaterialThatWasNotPurged(t *testing.T) {
	fake := vaultfake.Start(t)
	cfg := fakeSite(fake).tokenConfig()
	b := mustOpen(t, cfg)
	keys := vault.NewKeyStore(b)
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
		t.Fatal(err)
	}
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if strings.Contains(r.URL.Path, "/destroy/") {
			return &vaultfake.Fault{Skip: true, Status: 403, Body: "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"}
		}
		return nil
	})
	if err := keys.UpdateRing(t.Context(), "acme", destroying("k1")); err == nil {
		t.Fatal("the purge did not fail")
	}
	fake.Intercept(nil)
	found := sick(b.Doctor(t.Context()))
	if len(found) != 1 || found[0].Remedy != "vault kv destroy -mount=secret -versions=1 "+cfg.Prefix+"/rings/acme" {
		t.Errorf("got %+v", found)
	}
	if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k2")); err != nil {
		t.Fatal(err)
	}
	if found := sick(b.Doctor(t.Context())); len(found) > 0 {
		t.Errorf("after the next change: %+v", found)
	}
}

func TestTheDoctorTellsASealedVaultAndMissingEngines(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	cfg := s.tokenConfig()
	b := mustOpen(t, cfg)
	fake.Seal()
	if findings := b.Doctor(t.Context()); len(findings) != 1 || findings[0].OK || !strings.Contains(findings[0].Detail, "sealed") {
		t.Errorf("sealed: got %+v", findings)
	}
	fake.Unseal()
	s.do(t, http.MethodDelete, "sys/mounts/transit", "")
	s.do(t, http.MethodDelete, "sys/mounts/secret", "")
	text := fmt.Sprint(sick(b.Doctor(t.Context())))
	for _, want := range []string{"vault secrets enable -path=secret -version=2 kv", "vault secrets enable -path=transit transit"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}
