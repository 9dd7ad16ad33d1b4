package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/adapters/file"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
)

func newGroup(id group.ID) group.Group { return group.Group{ID: id, Policy: policy.Default()} }

func addKey(ctx context.Context, s *file.Store, g group.ID, id key.ID) error {
	return file.NewKeyStore(s).UpdateRing(ctx, g, func(r key.Ring) (key.Ring, error) {
		value, err := key.ParseSecret(strings.Repeat("s", key.SecretSize))
		if err != nil {
			return r, err
		}
		return r.WithDefault(key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: value})
	})
}

// base is a store with two groups and the ring of a third; dump shows it.
func base(t *testing.T) file.Config {
	t.Helper()
	c := newConfig(t)
	s, closing := mustOpen(t, c)
	defer closing()
	for _, id := range []group.ID{"acme", "globex"} {
		if err := file.NewGroupStore(s).CreateGroup(t.Context(), newGroup(id)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []group.ID{"acme", "left"} {
		if err := addKey(t.Context(), s, id, "k1"); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func newConfig(t *testing.T) file.Config {
	t.Helper()
	c := file.Config{Dir: filepath.Join(t.TempDir(), "store"), MasterKey: masterKey(1)}
	if _, err := file.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustOpen(t *testing.T, c file.Config) (*file.Store, func()) {
	t.Helper()
	s, closing, err := file.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closing)
	return s, closing
}

// dump is all that a store says, in one text.
func dump(t *testing.T, s *file.Store) (string, error) {
	t.Helper()
	groups, err := file.NewGroupStore(s).Groups(t.Context())
	if err != nil {
		return "", err
	}
	text := ""
	for _, id := range groups {
		g, err := file.NewGroupStore(s).Group(t.Context(), id)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("group %s, %d tokens\n", g.ID, len(g.Tokens))
	}
	for _, id := range []group.ID{"acme", "globex", "left"} {
		r, err := file.NewKeyStore(s).Ring(t.Context(), id)
		if err != nil {
			return "", err
		}
		for _, k := range r.Keys() {
			text += fmt.Sprintf("ring %s, key %s %s %s, default %s\n", id, k.ID, k.State, k.Secret.Reveal(), r.DefaultID())
		}
	}
	return text, nil
}

// reopened is what a store says that is opened after all.
func reopened(t *testing.T, c file.Config) string {
	t.Helper()
	s, closing := mustOpen(t, c)
	defer closing()
	text, err := dump(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func copyDir(t *testing.T, c file.Config) file.Config {
	t.Helper()
	to := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(to, os.DirFS(c.Dir)); err != nil {
		t.Fatal(err)
	}
	c.Dir = to
	return c
}
