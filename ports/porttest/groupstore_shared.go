package porttest

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

func concurrentGroups(t *testing.T, with GroupStores) {
	const writers = 8
	s, _ := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if err := insist(func() error {
				return s.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
					time.Sleep(time.Millisecond) // widens the window that a lost update needs
					g.Tokens = append(g.Tokens, newToken(strconv.Itoa(i)))
					return g, nil
				})
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	g, err := s.Group(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		if _, found := g.Token(newToken(strconv.Itoa(i)).Digest, start()); !found {
			t.Errorf("the token of writer %d is lost", i)
		}
	}
	if len(g.Tokens) != writers+1 {
		t.Errorf("got %d tokens, want %d", len(g.Tokens), writers+1)
	}
}

func concurrentCreations(t *testing.T, with GroupStores) {
	const writers, rounds = 4, 5
	s, _ := with.Open(t)
	for round := range rounds {
		id := group.ID("acme-" + strconv.Itoa(round))
		var created atomic.Int32
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				switch err := insist(func() error { return s.CreateGroup(t.Context(), newGroup(id)) }); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, ports.ErrExists):
					t.Errorf("got %v, want %v", err, ports.ErrExists)
				}
			})
		}
		wg.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("%d creations of %s succeeded, want 1", n, id)
		}
		wantGroup(t, s, newGroup(id))
	}
}

func groupBesideRing(t *testing.T, with GroupStores) {
	const updates = 10
	s, keys := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range updates {
			if err := insist(func() error { return s.UpdateGroup(t.Context(), "acme", naming(strconv.Itoa(i))) }); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range updates {
			if err := insist(func() error { return keys.UpdateRing(t.Context(), "acme", adding("k"+strconv.Itoa(i))) }); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	want := newGroup("acme")
	want.Name = strconv.Itoa(updates - 1)
	wantGroup(t, s, want)
	var ids []key.ID
	for i := range updates {
		ids = append(ids, key.ID("k"+strconv.Itoa(i)))
	}
	wantKeys(t, keys, "acme", ids...)
}

func cancelledGroup(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	ctx := cancelled(t)
	for name, call := range map[string]func() error{
		"Group":       func() error { _, err := s.Group(ctx, "acme"); return err },
		"Groups":      func() error { _, err := s.Groups(ctx); return err },
		"CreateGroup": func() error { return s.CreateGroup(ctx, newGroup("globex")) },
		"UpdateGroup": func() error { return s.UpdateGroup(ctx, "acme", naming("changed")) },
		"DeleteGroup": func() error { return s.DeleteGroup(ctx, "acme") },
	} {
		if err := call(); !errors.Is(err, ctx.Err()) {
			t.Errorf("%s answers %v, want %v", name, err, ctx.Err())
		}
	}
	wantGroups(t, s, "acme")
	wantGroup(t, s, newGroup("acme"))
}

func unsafeGroup(t *testing.T, with GroupStores) {
	s, _ := with.Open(t)
	mustCreate(t, s, newGroup("acme"))
	for _, id := range unsafeIDs() {
		_, err := s.Group(t.Context(), id)
		wantError(t, err, ports.ErrNotFound)
		wantError(t, s.UpdateGroup(t.Context(), id, naming("changed")), ports.ErrNotFound)
		wantError(t, s.DeleteGroup(t.Context(), id), ports.ErrNotFound)
		if err := s.CreateGroup(t.Context(), newGroup(id)); err == nil {
			t.Errorf("a group %q was created", id)
		}
	}
	wantGroups(t, s, "acme")
	wantGroup(t, s, newGroup("acme"))
}

func durableGroup(t *testing.T, with GroupStores) {
	s, keys := with.Open(t)
	want := everyGroup(t)
	mustCreate(t, s, want)
	mustCreate(t, s, newGroup("globex"))
	mustCreate(t, s, newGroup("initech"))
	mustUpdateRing(t, keys, "acme", adding("k1"))
	mustUpdateRing(t, keys, "initech", adding("k1"))
	if err := s.DeleteGroup(t.Context(), "initech"); err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateGroup(t.Context(), "globex", naming("renamed")); err != nil {
		t.Fatal(err)
	}
	renamed := newGroup("globex")
	renamed.Name = "renamed"
	for range 2 {
		s, keys = with.Reopen(t)
		wantGroups(t, s, "acme", "globex")
		wantGroup(t, s, want)
		wantGroup(t, s, renamed)
		wantKeys(t, keys, "acme", "k1")
		wantKeys(t, keys, "initech")
	}
}
