package outagetest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
)

// replica is one process of ours, as far as its stores go.
type replica struct {
	backend *vault.Backend
	keys    *vault.KeyStore
	groups  *vault.GroupStore
}

// newReplica opens the backend that cfg describes: as root at s, where it does
// not say otherwise.
func newReplica(t *testing.T, s *vaulttest.Server, cfg vault.Config) replica {
	t.Helper()
	if cfg.Addresses == nil {
		cfg.Addresses = []string{s.Address}
	}
	if cfg.Auth.Method == "" {
		cfg.Auth = vault.AuthConfig{Method: vault.MethodToken, Token: secret.New(s.Token)}
	}
	cfg.TLS.CAFile = s.CAFile
	b, stop, err := vault.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return replica{backend: b, keys: vault.NewKeyStore(b), groups: vault.NewGroupStore(b)}
}

// through is the address of a server behind a proxy.
func through(p *vaulttest.Proxy) vault.Config {
	return vault.Config{Addresses: []string{"http://" + p.Address()}}
}

func newGroup(id group.ID) group.Group {
	return group.Group{ID: id, Name: "acme", Policy: policy.Default(), CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func create(t *testing.T, r replica, ids ...group.ID) {
	t.Helper()
	for _, id := range ids {
		if err := r.groups.CreateGroup(t.Context(), newGroup(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// newKey is an active key with material that its id makes.
func newKey(id key.ID) key.Key {
	var random [key.SecretEntropy]byte
	copy(random[:], id)
	return key.Key{
		ID: id, State: key.Active, Custody: key.Material, Secret: key.NewSecret(random),
		CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// rotate makes the key id the default.
func rotate(id key.ID) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) { return r.WithDefault(newKey(id)) }
}

// versions is what Vault knows of a secret.
type versions struct {
	current  int
	writeIDs []string // of the versions that still hold data
}

// versionsOf asks Vault itself, past our code.
func versionsOf(t *testing.T, s *vaulttest.Server, path string) versions {
	t.Helper()
	var meta struct {
		Current  int `json:"current_version"`
		Versions map[string]struct {
			Destroyed bool   `json:"destroyed"`
			Deleted   string `json:"deletion_time"`
		} `json:"versions"`
	}
	s.Do(t, http.MethodGet, "secret/metadata/embedseal/"+path, nil).Data(t, &meta)
	v := versions{current: meta.Current}
	for number, known := range meta.Versions {
		if known.Destroyed || known.Deleted != "" {
			continue
		}
		var stored struct {
			Data struct {
				WriteID string `json:"write_id"`
			} `json:"data"`
		}
		s.Do(t, http.MethodGet, "secret/data/embedseal/"+path+"?version="+number, nil).Data(t, &stored)
		v.writeIDs = append(v.writeIDs, stored.Data.WriteID)
	}
	return v
}

// wantVersions fails when path was written more often or less often than that
// many times, or twice by the same write.
func wantVersions(t *testing.T, s *vaulttest.Server, path string, want int) {
	t.Helper()
	v := versionsOf(t, s, path)
	if v.current != want {
		t.Errorf("%s is at version %d after %d writes: lost or doubled", path, v.current, want)
	}
	seen := map[string]bool{}
	for _, id := range v.writeIDs {
		if id == "" || seen[id] {
			t.Errorf("the write %q made two versions of %s", id, path)
		}
		seen[id] = true
	}
}

// keepVersions has Vault keep enough versions to look at all of them.
func keepVersions(t *testing.T, s *vaulttest.Server, count int) {
	t.Helper()
	s.Do(t, http.MethodPost, "secret/config", map[string]any{"max_versions": count})
}

// latencies prints how long something took.
type latencies []time.Duration

func (l latencies) String() string {
	if len(l) == 0 {
		return "none"
	}
	sum, most := time.Duration(0), time.Duration(0)
	for _, d := range l {
		sum, most = sum+d, max(most, d)
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("%d, mean %s, most %s", len(l), round(sum/time.Duration(len(l))), round(most))
}
