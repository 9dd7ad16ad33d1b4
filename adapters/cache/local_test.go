package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"embedseal/adapters/cache"
	"embedseal/adapters/memory"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// slow is a pair of stores that counts the reads, and lets a test stop one
// after the store answered it and before the cache hears of it.
type slow struct {
	ports.KeyStore
	ports.GroupStore
	reads atomic.Int64
	// answered, when set, runs between the answer and its return.
	answered func()
	// written, when set, runs between a write of a ring and its return.
	written func()
	// err, when set, is what the store answers to every call, after it did as
	// it was told.
	err error
}

func newSlow() *slow {
	s := memory.Open()
	return &slow{KeyStore: memory.NewKeyStore(s), GroupStore: memory.NewGroupStore(s)}
}

func (s *slow) after(err error) error {
	s.reads.Add(1)
	if s.answered != nil {
		s.answered()
	}
	return errors.Join(err, s.err)
}

func (s *slow) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	r, err := s.KeyStore.Ring(ctx, g)
	return r, s.after(err)
}

func (s *slow) Group(ctx context.Context, id group.ID) (group.Group, error) {
	g, err := s.GroupStore.Group(ctx, id)
	return g, s.after(err)
}

func (s *slow) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	err := s.KeyStore.UpdateRing(ctx, g, change)
	if s.written != nil {
		s.written()
	}
	return errors.Join(err, s.err)
}

func newKey(id key.ID) key.Key {
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.Secret{Text: secret.New(strings.Repeat("x", key.SecretSize))}}
}

func adding(id key.ID) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) { return r.WithDefault(newKey(id)) }
}

func naming(name string) func(group.Group) (group.Group, error) {
	return func(g group.Group) (group.Group, error) {
		g.Name = name
		return g, nil
	}
}

// filled is a cache over s, in which acme has the key k1 and the name "one".
func filled(t *testing.T, s *slow) *cache.Local {
	t.Helper()
	l := cache.NewLocal(s, s)
	if err := l.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "one", Policy: policy.Default(), Tokens: []apitoken.Token{{ID: "t1"}}}); err != nil {
		t.Fatal(err)
	}
	if err := l.UpdateRing(t.Context(), "acme", adding("k1")); err != nil {
		t.Fatal(err)
	}
	return l
}

// wants reads both records through the cache.
func wants(t *testing.T, l *cache.Local, defaultID key.ID, name string) {
	t.Helper()
	r, err := l.Ring(t.Context(), "acme")
	if err != nil || r.DefaultID() != defaultID {
		t.Errorf("the default is %q (%v), want %q", r.DefaultID(), err, defaultID)
	}
	g, err := l.Group(t.Context(), "acme")
	if err != nil || g.Name != name {
		t.Errorf("the name is %q (%v), want %q", g.Name, err, name)
	}
}

func TestAHitCostsNoStoreCall(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	for range 5 {
		wants(t, l, "k1", "one")
	}
	if n := s.reads.Load(); n != 2 {
		t.Errorf("the store was read %d times, want once for the ring and once for the group", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Ring(t.Context(), "acme") }); n != 0 {
		t.Errorf("a ring allocates %v times", n)
	}
	// The one is the list of tokens, which is the caller's to keep.
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Group(t.Context(), "acme") }); n > 1 {
		t.Errorf("a group allocates %v times", n)
	}
}

func TestAGroupThatWasHandedOutIsTheCallersToKeep(t *testing.T) {
	l := filled(t, newSlow())
	for _, read := range []string{"from the store", "from the cache"} {
		g, err := l.Group(t.Context(), "acme")
		if err != nil || len(g.Tokens) != 1 || g.Tokens[0].ID != "t1" {
			t.Fatalf("read %s: got the tokens %+v and %v", read, g.Tokens, err)
		}
		g.Tokens[0].ID = "changed by who got it"
	}
	g, err := l.Group(t.Context(), "acme")
	if err != nil || g.Tokens[0].ID != "t1" {
		t.Errorf("got the tokens %+v and %v", g.Tokens, err)
	}
}

func TestAViewShowsTheGroupWithoutACopy(t *testing.T) {
	for name, c := range map[string]interface {
		ports.GroupStore
		ports.Viewer
	}{
		"local":  filled(t, newSlow()),
		"remote": remote(newVault(), 0),
	} {
		if name == "remote" {
			if err := c.CreateGroup(t.Context(), group.Group{ID: "acme", Policy: policy.Default(), Tokens: []apitoken.Token{{ID: "t1"}}}); err != nil {
				t.Fatal(err)
			}
		}
		if g, err := c.View(t.Context(), "acme"); err != nil || len(g.Tokens) != 1 || g.Tokens[0].ID != "t1" {
			t.Fatalf("%s: got %+v and %v", name, g, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = c.View(t.Context(), "acme") }); n != 0 {
			t.Errorf("%s: a view allocates %v times", name, n)
		}
		if _, err := c.View(t.Context(), "globex"); !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("%s: a group that is not there: got %v", name, err)
		}
		if err := c.UpdateGroup(t.Context(), "acme", naming("two")); err != nil {
			t.Fatal(err)
		}
		if g, err := c.View(t.Context(), "acme"); err != nil || g.Name != "two" {
			t.Errorf("%s: after a write: got %q and %v", name, g.Name, err)
		}
	}
}

func TestEveryWriteIsSeenByTheNextRead(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	wants(t, l, "k1", "one")
	if err := l.UpdateRing(t.Context(), "acme", adding("k2")); err != nil {
		t.Fatal(err)
	}
	wants(t, l, "k2", "one")
	if err := l.UpdateGroup(t.Context(), "acme", naming("two")); err != nil {
		t.Fatal(err)
	}
	wants(t, l, "k2", "two")
	if err := l.DeleteGroup(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Group(t.Context(), "acme"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("a deleted group: got %v, want %v", err, ports.ErrNotFound)
	}
	if r, err := l.Ring(t.Context(), "acme"); err != nil || r.Len() != 0 {
		t.Errorf("a deleted group has %d keys (%v)", r.Len(), err)
	}
	if err := l.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "three", Policy: policy.Default()}); err != nil {
		t.Fatal(err)
	}
	wants(t, l, "", "three")
}

func TestAWriteWhoseOutcomeIsNotKnownIsReadAgain(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	wants(t, l, "k1", "one")
	s.err = ports.ErrUnknownOutcome // it was written all the same
	if err := l.UpdateRing(t.Context(), "acme", adding("k2")); !errors.Is(err, ports.ErrUnknownOutcome) {
		t.Fatal(err)
	}
	s.err = nil
	wants(t, l, "k2", "one")
}

func TestAnUpdateThatBreaksOffLeavesNothingBehind(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	wants(t, l, "k1", "one")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = l.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { panic("boom") })
	}()
	wants(t, l, "k1", "one")
	if n := s.reads.Load(); n != 4 {
		t.Errorf("the store was read %d times, want 4", n)
	}
}

func TestAnAnswerOfNothingIsNotKept(t *testing.T) {
	s := newSlow()
	l := cache.NewLocal(s, s)
	for range 3 {
		if _, err := l.Group(t.Context(), "acme"); !errors.Is(err, ports.ErrNotFound) {
			t.Fatalf("got %v, want %v", err, ports.ErrNotFound)
		}
		if r, err := l.Ring(t.Context(), "acme"); err != nil || r.Len() != 0 {
			t.Fatalf("got %d keys and %v", r.Len(), err)
		}
	}
	if n := s.reads.Load(); n != 6 {
		t.Errorf("the store was read %d times, want 6", n)
	}
	// Another way in than through the cache, as only an import has.
	if err := s.KeyStore.UpdateRing(t.Context(), "acme", adding("k1")); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Ring(t.Context(), "acme"); err != nil || r.Len() != 1 {
		t.Errorf("got %d keys and %v, want one", r.Len(), err)
	}
}

func TestAnErrorIsNotKept(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	s.err = ports.ErrUnavailable
	if _, err := l.Ring(t.Context(), "acme"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ports.ErrUnavailable)
	}
	if _, err := l.Group(t.Context(), "acme"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ports.ErrUnavailable)
	}
	s.err = nil
	wants(t, l, "k1", "one")
}
