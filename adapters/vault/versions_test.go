package vault_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// stored is everything that Vault still tells of a secret: each version that
// its metadata knows, and a few that they do not.
func stored(t *testing.T, s *site, prefix, folder string, id group.ID) (all string, versions int) {
	t.Helper()
	path := prefix + "/" + folder + "/" + string(id)
	meta := s.ask(t, s.token, http.MethodGet, "secret/metadata/"+path, "")
	last := 12
	if meta.status == http.StatusOK {
		current, _ := meta.member(t, "data")["current_version"].(float64)
		versions = int(current)
		last += versions
	}
	all = meta.body
	for v := range last + 1 {
		all += s.ask(t, s.token, http.MethodGet, "secret/data/"+path+"?version="+strconv.Itoa(v), "").body
	}
	return all, versions
}

func wantMaterial(t *testing.T, what, all, id string, want bool) {
	t.Helper()
	if got := strings.Contains(all, material(id)); got != want {
		t.Errorf("%s: material of %s found: %t, want %t", what, id, got, want)
	}
}

// opened is a store of its own on a site.
type opened struct {
	prefix string
	keys   *vault.KeyStore
	groups *vault.GroupStore
	// revocations is nil where none are looked at.
	revocations *vault.RevocationStore
}

func openedOver(b *vault.Backend, prefix string) opened {
	return opened{prefix, vault.NewKeyStore(b), vault.NewGroupStore(b), vault.NewRevocationStore(b)}
}

func (s *site) open(t *testing.T) opened {
	t.Helper()
	cfg := patient(s.tokenConfig())
	b := mustOpen(t, cfg)
	return openedOver(b, cfg.Prefix)
}

func (o opened) add(t *testing.T, id group.ID, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if err := o.keys.UpdateRing(t.Context(), id, adding(t, k)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoEarlierVersionHoldsADestroyedKey(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		var ids []string
		for i := range 8 {
			ids = append(ids, fmt.Sprintf("key%d", i))
		}
		o.add(t, "acme", ids...)
		all, before := stored(t, s, o.prefix, "rings", "acme")
		for _, id := range ids {
			wantMaterial(t, "before", all, id, true)
		}
		if err := o.keys.UpdateRing(t.Context(), "acme", destroying("key3")); err != nil {
			t.Fatal(err)
		}
		all, after := stored(t, s, o.prefix, "rings", "acme")
		if after != before+1 {
			t.Errorf("destroying a key made %d versions, want 1", after-before)
		}
		for _, id := range ids {
			wantMaterial(t, "destroyed", all, id, id != "key3")
		}
		for v := 1; v < after; v++ {
			old := s.ask(t, s.token, http.MethodGet, fmt.Sprintf("secret/data/%s/rings/acme?version=%d", o.prefix, v), "")
			if old.status != http.StatusNotFound || old.member(t, "data")["data"] != nil {
				t.Errorf("version %d still answers %d %s", v, old.status, old.body)
			}
		}
	})
}

func TestAKeyThatLeavesTheRingOrChangesItsValueIsGoneToo(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		o.add(t, "acme", "left", "changed", "kept")
		if err := o.keys.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) {
			other := sampleKey(t, "changed")
			other.Secret = sampleKey(t, "new-value").Secret
			return key.NewRing([]key.Key{other, sampleKey(t, "kept")}, "kept")
		}); err != nil {
			t.Fatal(err)
		}
		all, _ := stored(t, s, o.prefix, "rings", "acme")
		wantMaterial(t, "removed", all, "left", false)
		wantMaterial(t, "replaced", all, "changed", false)
		wantMaterial(t, "new", all, "new-value", true)
		wantMaterial(t, "kept", all, "kept", true)
	})
}

func TestNothingOfADeletedGroupIsLeft(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		for _, id := range []group.ID{"acme", "globex"} {
			if err := o.groups.CreateGroup(t.Context(), sampleGroup(id)); err != nil {
				t.Fatal(err)
			}
			o.add(t, id, "k1", "k2", "k3")
		}
		if err := o.groups.DeleteGroup(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{"groups", "rings"} {
			all, versions := stored(t, s, o.prefix, folder, "acme")
			if versions != 0 || strings.Contains(all, "created_time") || strings.Contains(all, "acme") {
				t.Errorf("%s: Vault still knows %s", folder, all)
			}
		}
		all, _ := stored(t, s, o.prefix, "rings", "globex")
		wantMaterial(t, "the other group", all, "k1", true)
	})
}

func TestTheKeysThatAnEarlierGroupLeftAreDestroyedWhenItIsMadeAgain(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		o := s.open(t)
		o.add(t, "acme", "left1", "left2")
		if err := o.groups.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
			t.Fatal(err)
		}
		all, _ := stored(t, s, o.prefix, "rings", "acme")
		wantMaterial(t, "left", all, "left1", false)
		wantMaterial(t, "left", all, "left2", false)
	})
}

func TestAPurgeThatVaultRefusedIsFinishedByTheNextUpdate(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		root := s.tokenConfig()
		s.do(t, http.MethodPut, "sys/policies/acl/no-destroy", `{"policy":"path \"secret/data/*\" { capabilities = [\"create\",\"read\",\"update\"] }`+
			` path \"secret/metadata/*\" { capabilities = [\"read\",\"list\",\"delete\"] }"}`)
		weak := root
		weak.Auth.Token = newSecret(s.newToken(t, `{"policies":["no-destroy"],"ttl":"1h"}`))
		o := opened{prefix: root.Prefix, keys: vault.NewKeyStore(mustOpen(t, weak))}
		o.add(t, "acme", "k1", "k2")

		err := o.keys.UpdateRing(t.Context(), "acme", destroying("k1"))
		wantOnly(t, err, ports.ErrUnknownOutcome)
		all, _ := stored(t, s, o.prefix, "rings", "acme")
		wantMaterial(t, "refused", all, "k1", true)
		o.add(t, "acme", "k3") // what is left undone does not stop other updates

		strong := opened{prefix: root.Prefix, keys: vault.NewKeyStore(mustOpen(t, root))}
		strong.add(t, "acme", "k4")
		all, _ = stored(t, s, o.prefix, "rings", "acme")
		wantMaterial(t, "finished", all, "k1", false)
		wantMaterial(t, "finished", all, "k2", true)
		if now := s.do(t, http.MethodGet, "secret/data/"+o.prefix+"/rings/acme", ""); strings.Contains(now.body, `"purge"`) {
			t.Errorf("the ring still asks for a purge: %s", now.body)
		}
	})
}

func TestAGroupIsMadeThoughWhatWasLeftOfAnEarlierOneCannotBePurgedYet(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		cfg := s.withPolicy(t, prefix, fmt.Sprintf(`
path "secret/data/%[1]s/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/%[1]s/*" { capabilities = ["read", "list", "delete"] }
`, prefix))
		b := mustOpen(t, patient(cfg))
		keys, groups := vault.NewKeyStore(b), vault.NewGroupStore(b)
		if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
			t.Fatal(err)
		}
		if err := groups.CreateGroup(t.Context(), sampleGroup("acme")); !errors.Is(err, ports.ErrNotPurged) {
			t.Errorf("got the error %v, want %v", err, ports.ErrNotPurged)
		}
		if _, err := groups.Group(t.Context(), "acme"); err != nil {
			t.Errorf("the group is not there: %v", err)
		}
		if r, err := keys.Ring(t.Context(), "acme"); err != nil || r.Len() != 0 {
			t.Errorf("got %d keys and the error %v", r.Len(), err)
		}
	})
}

// A group that was deleted, and made anew by somebody else before that was known,
// is not deleted a second time.
func TestAGroupThatWasMadeAnewIsNotTakenForTheOneThatWasDeleted(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	cfg := patient(s.tokenConfig())
	b := mustOpen(t, cfg)
	groups := vault.NewGroupStore(b)
	if err := groups.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
		t.Fatal(err)
	}
	other := vault.NewGroupStore(mustOpen(t, cfg))
	deleted := false
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		switch {
		case r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/groups/acme") && !deleted:
			deleted = true
			return &vaultfake.Fault{Lost: true}
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/data/"+cfg.Prefix+"/groups/acme") && deleted:
			fake.Intercept(nil) // and now somebody is faster
			if err := other.CreateGroup(t.Context(), sampleGroup("acme")); err != nil {
				t.Error(err)
			}
			for range 3 {
				if err := other.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) { return g, nil }); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	})
	if err := groups.DeleteGroup(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	if _, err := other.Group(t.Context(), "acme"); err != nil {
		t.Errorf("what was made anew is gone: %v", err)
	}
}
