package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/cache"
	"embedseal/adapters/memory"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

// wall is a clock that stands.
type wall struct{ now time.Time }

func (w wall) Now() time.Time { return w.now }

func TestWhatIsKnownOfKeysIsToldWithoutAskingTheStore(t *testing.T) {
	made := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for name, open := range map[string]func(ports.KeyStore, ports.GroupStore) interface {
		ports.KeyStore
		ports.GroupStore
		Keys(time.Time) []cache.Keys
	}{
		"local": func(k ports.KeyStore, g ports.GroupStore) interface {
			ports.KeyStore
			ports.GroupStore
			Keys(time.Time) []cache.Keys
		} {
			return cache.NewLocal(k, g)
		},
		"remote": func(k ports.KeyStore, g ports.GroupStore) interface {
			ports.KeyStore
			ports.GroupStore
			Keys(time.Time) []cache.Keys
		} {
			return cache.NewRemote(k, g, cache.RemoteConfig{FreshFor: time.Hour}, wall{made})
		},
	} {
		s := memory.Open()
		keys, groups := memory.NewKeyStore(s), memory.NewGroupStore(s)
		month, err := iso8601.Parse("P1M")
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []group.Group{{ID: "acme", Policy: policy.Default(), RotateEvery: month}, {ID: "never", Policy: policy.Default()}} {
			if err := groups.CreateGroup(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			err := keys.UpdateRing(t.Context(), g.ID, func(r key.Ring) (key.Ring, error) {
				r, err := r.With(aKey(t, "old", made.Add(-time.Hour), made.Add(time.Minute)))
				if err != nil {
					return r, err
				}
				return r.WithDefault(aKey(t, "new", made, time.Time{}))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		c := open(keys, groups)
		if got := c.Keys(made); len(got) != 0 {
			t.Errorf("%s: %+v is told before anybody asked", name, got)
		}
		if _, err := c.Ring(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		known := cache.Keys{Group: "acme", DefaultMade: made, States: map[string]int{"active": 2}}
		if diff := cmp.Diff([]cache.Keys{known}, c.Keys(made)); diff != "" {
			t.Errorf("%s: without the group: %s", name, diff)
		}
		if _, err := c.Group(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		known.RotationDue = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
		known.States = map[string]int{"active": 1, "retiring": 1}
		if diff := cmp.Diff([]cache.Keys{known}, c.Keys(made.Add(time.Minute))); diff != "" {
			t.Errorf("%s: with the group, and after the overlap: %s", name, diff)
		}
		for _, read := range []func() error{
			func() error { _, err := c.Ring(t.Context(), "never"); return err },
			func() error { _, err := c.Group(t.Context(), "never"); return err },
		} {
			if err := read(); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range c.Keys(made) {
			if k.Group == "never" && (!k.RotationDue.IsZero() || k.DefaultMade.IsZero()) {
				t.Errorf("%s: a group without a rotation: %+v", name, k)
			}
		}
	}
}

func aKey(t *testing.T, id key.ID, made, retires time.Time) key.Key {
	t.Helper()
	value, err := key.ParseSecret(strings.Repeat("s", key.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: value, CreatedAt: made, RetiresAt: retires}
}
