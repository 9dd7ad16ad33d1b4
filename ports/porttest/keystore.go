package porttest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// KeyStores opens the stores under test.
type KeyStores struct {
	// Open returns an empty store, a new one on each call.
	Open func(t *testing.T) ports.KeyStore
	// Reopen closes the store last opened and returns one over its data. Nil
	// when the store does not outlive the process: nothing is asked of it then.
	Reopen func(t *testing.T) ports.KeyStore
}

// KeyStore runs the contract of [ports.KeyStore].
func KeyStore(t *testing.T, with KeyStores) {
	for _, check := range []struct {
		sentence string
		run      func(*testing.T, KeyStores)
	}{
		{"a group that never had a key has an empty ring", emptyRing},
		{"a ring is read back as it was written", ringSurvives},
		{"secrets survive byte for byte", secretsSurvive},
		{"a full ring survives", fullRing},
		{"change is given what was written last", changeSeesLast},
		{"a ring can be emptied", ringEmptied},
		{"a failed change writes nothing and its error comes back as it was", failedRingChange},
		{"what breaks off in change writes nothing", panickingChange},
		{"groups do not see one another", ringIsolation},
		{"a later write does not change what was handed out", ringIsKept},
		{"no concurrent update is lost", concurrentRings},
		{"a reader sees all of an update or nothing", wholeRings},
		{"a cancelled context stops every call", cancelledRing},
		{"an id that no constructor made has no ring and gets none", unsafeRing},
	} {
		t.Run(check.sentence, func(t *testing.T) { check.run(t, with) })
	}
	if with.Reopen != nil {
		t.Run("keys outlive the process", func(t *testing.T) { durableRing(t, with) })
	}
}

func emptyRing(t *testing.T, with KeyStores) {
	r, err := with.Open(t).Ring(t.Context(), "acme")
	if err != nil || r.Len() != 0 || r.DefaultID() != "" {
		t.Fatalf("got %d keys, the default %q and the error %v, want an empty ring", r.Len(), r.DefaultID(), err)
	}
}

func ringSurvives(t *testing.T, with KeyStores) {
	s := with.Open(t)
	for _, defaultID := range []key.ID{"", "active.material-0", "active.vault-transit-0", "disabled.material-2"} {
		want := everyRing(t, defaultID)
		mustUpdateRing(t, s, "acme", replacing(want))
		wantRing(t, s, "acme", want)
	}
}

func secretsSurvive(t *testing.T, with KeyStores) {
	var printable strings.Builder
	for c := '!'; c <= '~'; c++ {
		printable.WriteRune(c)
	}
	var keys []key.Key
	for i, part := range []string{
		printable.String()[:32], printable.String()[32:64], printable.String()[62:],
		strings.Repeat(`"`, 32), strings.Repeat(`\`, 32), `</script>&lt;\u0000\n\x00"""''' `[:31] + "}",
	} {
		k := newKey("k" + strconv.Itoa(i))
		value, err := key.ParseSecret(part)
		if err != nil {
			t.Fatal(err)
		}
		k.Secret = value
		keys = append(keys, k)
	}
	s, want := with.Open(t), newRing(t, keys, "k0")
	mustUpdateRing(t, s, "acme", replacing(want))
	r, err := s.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range r.Keys() {
		if k.Secret.Reveal() != keys[i].Secret.Reveal() {
			t.Errorf("the secret of %s is not the one that was written", k.ID)
		}
	}
	diffRings(t, "acme", want, r)
}

func fullRing(t *testing.T, with KeyStores) {
	keys := make([]key.Key, key.MaxRing)
	for i := range keys {
		keys[i] = newKey(strings.Repeat("k", 100) + strconv.Itoa(i))
	}
	s, want := with.Open(t), newRing(t, keys, keys[key.MaxRing-1].ID)
	mustUpdateRing(t, s, "acme", replacing(want))
	wantRing(t, s, "acme", want)
}

func changeSeesLast(t *testing.T, with KeyStores) {
	s, want := with.Open(t), key.Ring{}
	for i := range 5 {
		mustUpdateRing(t, s, "acme", func(r key.Ring) (key.Ring, error) {
			diffRings(t, "acme", want, r)
			return r.WithDefault(newKey("k" + strconv.Itoa(i)))
		})
		var err error
		if want, err = want.WithDefault(newKey("k" + strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		wantRing(t, s, "acme", want)
	}
}

func ringEmptied(t *testing.T, with KeyStores) {
	s := with.Open(t)
	mustUpdateRing(t, s, "acme", replacing(newRing(t, []key.Key{newKey("k1")}, "k1")))
	mustUpdateRing(t, s, "acme", replacing(key.Ring{}))
	wantRing(t, s, "acme", key.Ring{})
	mustUpdateRing(t, s, "acme", adding("k1"))
	wantKeys(t, s, "acme", "k1")
}

func failedRingChange(t *testing.T, with KeyStores) {
	s, boom := with.Open(t), &errBoom{}
	for _, before := range [][]key.ID{nil, {"k1"}} {
		err := s.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
			next, err := adding("k2")(r)
			return next, cmp.Or[error](err, boom)
		})
		if err != error(boom) { //nolint:errorlint // identity is what is promised
			t.Fatalf("got the error %v, want the one of change, not wrapped", err)
		}
		wantKeys(t, s, "acme", before...)
		if before == nil {
			mustUpdateRing(t, s, "acme", adding("k1"))
		}
	}
}

func panickingChange(t *testing.T, with KeyStores) {
	s := with.Open(t)
	mustUpdateRing(t, s, "acme", adding("k1"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic of change was swallowed")
			}
		}()
		_ = s.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { panic("boom") })
	}()
	mustUpdateRing(t, s, "acme", adding("k2"))
	wantKeys(t, s, "acme", "k1", "k2")
}

func ringIsolation(t *testing.T, with KeyStores) {
	s := with.Open(t)
	ids := []group.ID{"acme", "acme-", "acm", "globex", "a", "-", "0", group.ID(strings.Repeat("z", group.MaxID))}
	for i, id := range ids {
		mustUpdateRing(t, s, id, adding("k"+strconv.Itoa(i)))
	}
	for i, id := range ids {
		wantKeys(t, s, id, key.ID("k"+strconv.Itoa(i)))
	}
	wantKeys(t, s, "initech")
}

func ringIsKept(t *testing.T, with KeyStores) {
	s := with.Open(t)
	mustUpdateRing(t, s, "acme", adding("k1"))
	kept, err := s.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	kept.Keys()[0].ID = "mine"
	mustUpdateRing(t, s, "acme", replacing(newRing(t, []key.Key{newKey("k2"), newKey("k3")}, "k3")))
	diffRings(t, "acme", newRing(t, []key.Key{newKey("k1")}, ""), kept)
	wantKeys(t, s, "acme", "k2", "k3")
}

func concurrentRings(t *testing.T, with KeyStores) {
	const writers, each = 8, 3
	s := with.Open(t)
	var wg sync.WaitGroup
	var want []string
	for i := range writers {
		for j := range each {
			want = append(want, fmt.Sprintf("k%d-%d", i, j))
		}
		wg.Go(func() {
			for j := range each {
				if err := insist(func() error {
					return s.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
						time.Sleep(time.Millisecond) // widens the window that a lost update needs
						return adding(fmt.Sprintf("k%d-%d", i, j))(r)
					})
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r, err := s.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range r.Keys() {
		got = append(got, string(k.ID))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got the keys %v, want %v", got, want)
	}
}

func wholeRings(t *testing.T, with KeyStores) {
	const updates = 20
	s, done := with.Open(t), make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for last := 0; ; {
				r, err := s.Ring(t.Context(), "acme")
				if err != nil || r.Len()%2 != 0 || r.Len() < last {
					t.Errorf("got %d keys after %d, and the error %v; every update adds two", r.Len(), last, err)
					return
				}
				last = r.Len()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range updates {
		mustUpdateRing(t, s, "acme", adding(fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)))
	}
	close(done)
	wg.Wait()
}

func cancelledRing(t *testing.T, with KeyStores) {
	s, ctx := with.Open(t), cancelled(t)
	if _, err := s.Ring(ctx, "acme"); !errors.Is(err, ctx.Err()) {
		t.Errorf("Ring answers %v, want %v", err, ctx.Err())
	}
	err := s.UpdateRing(ctx, "acme", adding("k1"))
	if !errors.Is(err, ctx.Err()) {
		t.Errorf("UpdateRing answers %v, want %v", err, ctx.Err())
	}
	wantKeys(t, s, "acme")
}

func unsafeRing(t *testing.T, with KeyStores) {
	s := with.Open(t)
	for _, id := range unsafeIDs() {
		_, err := s.Ring(t.Context(), id)
		wantError(t, err, ports.ErrNotFound)
		if err := s.UpdateRing(t.Context(), id, adding("k1")); err == nil {
			t.Errorf("a ring for %q was written", id)
		}
		_, err = s.Ring(t.Context(), id)
		wantError(t, err, ports.ErrNotFound)
	}
	wantKeys(t, s, "acme")
	wantKeys(t, s, "a")
	wantKeys(t, s, "b")
	wantKeys(t, s, "x")
}

func durableRing(t *testing.T, with KeyStores) {
	s, want := with.Open(t), everyRing(t, "active.material-0")
	mustUpdateRing(t, s, "acme", replacing(want))
	mustUpdateRing(t, s, "globex", adding("k1"))
	for range 2 {
		s = with.Reopen(t)
		wantRing(t, s, "acme", want)
		wantKeys(t, s, "globex", "k1")
	}
	mustUpdateRing(t, s, "globex", adding("k2"))
	wantKeys(t, with.Reopen(t), "globex", "k1", "k2")
}
