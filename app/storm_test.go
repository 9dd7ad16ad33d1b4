package app_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/vault/vaulttest"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

func TestAHundredRotationsAtOnceFollowOneAnother(t *testing.T) {
	const callers = 100
	eachSite(t, func(t *testing.T, s *site) {
		first := s.found(t, "acme")
		done := make([]app.Rotated, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				var err error
				// A store that others write to gives up after a few lost races.
				if done[i], err = s.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{}); err != nil && !errors.Is(err, ports.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		ring, err := s.stores.Ring(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.NewRing(ring.Keys(), ring.DefaultID()); err != nil {
			t.Errorf("the ring is not valid: %v", err)
		}
		// Each took the place of the one before: one winner at a time.
		line, want := []key.ID{first}, []key.ID{first}
		for _, k := range ring.Keys()[1:] {
			if k.Replaces != line[len(line)-1] {
				t.Errorf("%s replaces %s, want %s", k.ID, k.Replaces, line[len(line)-1])
			}
			line = append(line, k.ID)
		}
		for _, one := range done {
			if one.Key.ID == "" {
				continue
			}
			want = append(want, one.Key.ID)
			if one.Previous == nil || one.Previous.Key.ID != one.Key.Replaces || one.Previous.Key.RetiresAt.IsZero() {
				t.Errorf("%s was told that it replaces %+v", one.Key.ID, one.Previous)
			}
		}
		if len(want) < 2 {
			t.Error("nobody won: the test shows nothing")
		}
		t.Logf("%d of %d rotated", len(want)-1, callers)
		if ring.DefaultID() != line[len(line)-1] {
			t.Errorf("the default is %s, the last that was made %s", ring.DefaultID(), line[len(line)-1])
		}
		slices.Sort(line)
		slices.Sort(want)
		slices.Sort(s.custody.there)
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("keys were lost, or are nobody's (-answered +in the ring):\n%s", diff)
		}
		if diff := cmp.Diff(line, s.custody.there); diff != "" {
			t.Errorf("the custody does not have what the ring has (-ring +custody):\n%s", diff)
		}
		for _, k := range ring.Keys() {
			if k.RetiresAt.IsZero() != (k.ID == ring.DefaultID()) {
				t.Errorf("%s retires at %s, the default is %s", k.ID, k.RetiresAt, ring.DefaultID())
			}
			d := draft()
			d.KeyID = new(string(k.ID)) // in their overlap all of them seal
			if minted, err := s.minter.Mint(t.Context(), call(), caller("acme"), d); err != nil || minted.KeyID != k.ID {
				t.Errorf("sealed with %q, %v", minted.KeyID, err)
			}
		}
	})
}

// caller is acme's, in another group.
func caller(g group.ID) app.Caller {
	return altered(acme(), func(of *group.Group, _ *apitoken.Token) { of.ID = g })
}

func TestTheWholeLifeOfAKeyOnEveryStore(t *testing.T) { eachSite(t, wholeLife) }

func TestTheWholeLifeOfAKeyInARealVault(t *testing.T) {
	server := vaulttest.Dev(t)
	wholeLife(t, transitSite(t, server.Address, server.Token).ready())
}

func wholeLife(t *testing.T, s *site) {
	first := s.found(t, "acme")
	step := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
	}
	mint := func(id key.ID) error {
		d := draft()
		d.KeyID = new(string(id))
		_, err := s.minter.Mint(t.Context(), call(), caller("acme"), d)
		return err
	}
	none, err := app.ParseOverlap("PT0S")
	step("no overlap", err, nil)
	rotated, err := s.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{Label: "second", Overlap: &none})
	step("rotate", err, nil)
	step("mint with the old key", mint(first), key.ErrNotActive)
	step("mint with the new key", mint(rotated.Key.ID), nil)
	_, err = s.keys.SetDefault(t.Context(), call(), operator(), "acme", first, "")
	step("back to the old key", err, key.ErrState)
	_, err = s.keys.Retire(t.Context(), call(), operator(), "acme", rotated.Key.ID, "")
	step("retire the default", err, key.ErrIsDefault)
	third, err := s.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "third", Note: "spare"})
	step("create", err, nil)
	_, err = s.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "third"})
	step("create it twice", err, key.ErrTaken)
	disabled, err := s.keys.Disable(t.Context(), call(), operator(), "acme", "third", app.Match(third.Tag))
	step("disable", err, nil)
	step("mint with a disabled key", mint("third"), key.ErrNotActive)
	_, err = s.keys.Enable(t.Context(), call(), operator(), "acme", "third", app.Match(third.Tag))
	step("enable with an old tag", err, app.ErrTag)
	_, err = s.keys.Enable(t.Context(), call(), operator(), "acme", "third", app.Match(disabled.Tag))
	step("enable", err, nil)
	step("mint with an enabled key", mint("third"), nil)
	_, err = s.keys.Destroy(t.Context(), call(), operator(), "acme", first, "", false)
	step("destroy too early", err, key.ErrNotSafe)
	_, err = s.keys.Destroy(t.Context(), call(), operator(), "acme", first, "", true)
	step("destroy by force", err, nil)
	gone, err := s.keys.Show(t.Context(), operator(), "acme", first)
	step("show the tombstone", err, nil)
	if gone.Key.State != key.Destroyed || slices.Contains(s.custody.there, first) && s.custodied(gone) {
		t.Errorf("it is %s, and the custody keeps %v", gone.Key.State, s.custody.there)
	}
	ring, err := s.stores.Ring(t.Context(), "acme")
	step("read", err, nil)
	if k, _ := ring.Find(first); ring.Len() != 3 || !k.Secret.IsZero() {
		t.Errorf("the ring has %d keys, the tombstone is %+v", ring.Len(), k)
	}
	_, err = s.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: first})
	step("give its id again", err, key.ErrTaken)
}

// custodied reports whether material of the key is outside of the ring.
func (s *site) custodied(k app.ShownKey) bool { return k.Key.Custody != key.Material }
