package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/file"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

var errKilled = errors.New("killed")

// killAt lets n steps happen, and nothing after them, like a process that is
// killed.
func killAt(n int) (before file.Step, steps *int) {
	steps = new(int)
	return func(string, string) error {
		*steps++
		if *steps > n {
			return errKilled
		}
		return nil
	}, steps
}

// writes are commits of every shape.
func writes() map[string]func(context.Context, *file.Store) error {
	return map[string]func(context.Context, *file.Store) error{
		"a ring that is replaced":     func(ctx context.Context, s *file.Store) error { return addKey(ctx, s, "acme", "k2") },
		"the first ring of its group": func(ctx context.Context, s *file.Store) error { return addKey(ctx, s, "globex", "k1") },
		"a group over the ring that an earlier one left": func(ctx context.Context, s *file.Store) error {
			return file.NewGroupStore(s).CreateGroup(ctx, newGroup("left"))
		},
		"a group that is deleted": func(ctx context.Context, s *file.Store) error { return file.NewGroupStore(s).DeleteGroup(ctx, "acme") },
	}
}

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

// attempt opens the store with a look at every step, and writes.
func attempt(t *testing.T, c file.Config, before file.Step, write func(context.Context, *file.Store) error) error {
	t.Helper()
	s, closing, err := file.OpenStepping(t.Context(), c, before)
	if err != nil {
		return err
	}
	defer closing()
	return write(t.Context(), s)
}

func nothing(context.Context, *file.Store) error { return nil }

func TestAKillAtAnyStepLeavesTheStateBeforeOrAfter(t *testing.T) {
	original := base(t)
	before := reopened(t, original)
	for name, write := range writes() {
		t.Run(name, func(t *testing.T) {
			c := copyDir(t, original)
			never, steps := killAt(1 << 30)
			if err := attempt(t, c, never, write); err != nil {
				t.Fatal(err)
			}
			after, seen := reopened(t, c), map[string]bool{}
			if after == before {
				t.Fatal("the write changed nothing")
			}
			for n := range *steps {
				c := copyDir(t, original)
				step, _ := killAt(n)
				if err := attempt(t, c, step, write); err == nil {
					t.Errorf("killed at step %d of %d, the write was acknowledged", n, *steps)
				}
				if name == "a group over the ring that an earlier one left" || os.Getenv("EMBEDSEAL_LONG") != "" {
					killedAgain(t, c, before, after)
				}
				got := reopened(t, c)
				if got != before && got != after {
					t.Errorf("killed at step %d of %d, the store says\n%s", n, *steps, got)
				}
				if seen[after] && got == before {
					t.Errorf("killed at step %d of %d, the store is back at what was before", n, *steps)
				}
				seen[got] = true
				s, closing := mustOpen(t, c)
				if err := addKey(t.Context(), s, "globex", "later"); err != nil {
					t.Errorf("killed at step %d of %d, the next write fails: %v", n, *steps, err)
				}
				closing()
				wantNoLeftovers(t, c)
			}
			if !seen[before] || !seen[after] {
				t.Errorf("of %d kills none came before the decision, or none after it", *steps)
			}
		})
	}
}

// killedAgain kills the opening of what a kill left, at every step it has.
func killedAgain(t *testing.T, c file.Config, before, after string) {
	t.Helper()
	for n := 0; ; n++ {
		again := copyDir(t, c)
		step, steps := killAt(n)
		_ = attempt(t, again, step, nothing)
		if got := reopened(t, again); got != before && got != after {
			t.Errorf("killed again at step %d, the store says\n%s", n, got)
		}
		if *steps <= n {
			return
		}
	}
}

func wantNoLeftovers(t *testing.T, c file.Config) {
	t.Helper()
	for _, pattern := range []string{"journal*", "stage/*", "*/*.tmp"} {
		if left, _ := filepath.Glob(filepath.Join(c.Dir, pattern)); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

func TestAKillAtAnyStepOfTheCreationIsMadeGoodByTheNextOne(t *testing.T) {
	for n, done := 0, false; !done; n++ {
		c := file.Config{Dir: t.TempDir(), MasterKey: masterKey(1)}
		step, _ := killAt(n)
		done = file.CreateStepping(c, step) == nil
		s, closing, err := file.Open(t.Context(), c)
		if err == nil {
			if _, err := dump(t, s); err != nil {
				t.Errorf("killed at step %d: %v", n, err)
			}
			closing()
		} else if !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("killed at step %d, opening answers %v", n, err)
		}
		created, createErr := file.Create(t.Context(), c)
		if createErr != nil || created == (err == nil) {
			t.Errorf("killed at step %d, the next creation answers %t and %v after %v", n, created, createErr, err)
		}
		s, closing = mustOpen(t, c)
		if err := addKey(t.Context(), s, "acme", "k1"); err != nil {
			t.Error(err)
		}
		closing()
		wantNoLeftovers(t, c)
	}
}

func TestEverythingIsSyncedBeforeItIsReliedOn(t *testing.T) {
	original := base(t)
	for name, write := range writes() {
		var trace []string
		err := attempt(t, copyDir(t, original), func(op, name string) error {
			trace = append(trace, op+" "+name)
			return nil
		}, write)
		if err != nil {
			t.Fatal(err)
		}
		at := func(step string) int { return slices.Index(trace, step) }
		decided := at("rename journal")
		for i, step := range trace {
			op, file, _ := strings.Cut(step, " ")
			switch {
			case op == "create" && !slices.Contains(trace[i:decided+1], "sync "+file):
				t.Errorf("%s: %s is not synced before the decision", name, file)
			case strings.HasPrefix(step, "create stage/") && !slices.Contains(trace[i:decided+1], "sync stage"):
				t.Errorf("%s: the name %s is not synced before the decision", name, file)
			case i > decided && (op == "rename" || op == "remove") && !slices.Contains(trace[decided:i], "sync ."):
				t.Errorf("%s: %s comes before the decision is durable", name, step)
			case i > decided && (op == "rename" || op == "remove") && file != "journal" && !strings.HasPrefix(file, "stage/") &&
				!slices.Contains(trace[i:at("remove journal")+1], "sync "+filepath.Dir(file)):
				t.Errorf("%s: %s is not synced before the journal is forgotten", name, step)
			}
		}
		if decided < 0 || at("remove journal") < decided {
			t.Errorf("%s: no decision in %v", name, trace)
		}
	}
}

func TestAFailureAtAnyStepIsAnErrorWithAName(t *testing.T) {
	original := base(t)
	before := reopened(t, original)
	for name, write := range writes() {
		for _, lasting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lasting %t", name, lasting), func(t *testing.T) {
				c := copyDir(t, original)
				if err := attempt(t, c, nil, write); err != nil {
					t.Fatal(err)
				}
				after, answers := reopened(t, c), map[string]int{}
				for n := 0; ; n++ {
					err := failingAt(t, copyDir(t, original), n, lasting, write, before, after)
					if err == nil {
						break
					}
					for _, known := range []error{ports.ErrUnavailable, ports.ErrUnknownOutcome} {
						if errors.Is(err, known) {
							answers[known.Error()]++
						}
					}
				}
				if len(answers) != 2 {
					t.Errorf("got the answers %v, want both kinds", answers)
				}
			})
		}
	}
}

// failingAt opens the store, and lets the disk fail from its n-th step on, or
// at that step only. It returns the error of the write, nil when there are no n
// steps in it.
func failingAt(t *testing.T, c file.Config, n int, lasting bool, write func(context.Context, *file.Store) error, before, after string) error {
	t.Helper()
	steps, armed := 0, false
	s, closing, err := file.OpenStepping(t.Context(), c, func(string, string) error {
		if !armed {
			return nil
		}
		steps++
		if steps-1 == n || lasting && steps-1 > n {
			return syscall.EIO
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	armed = true
	written := write(t.Context(), s)
	if written == nil && steps > n {
		t.Errorf("the failure of step %d was not told", n)
	}
	if lasting {
		// Whatever is read while the disk fails is the one state or the other.
		if text, err := dump(t, s); err != nil && !errors.Is(err, ports.ErrUnavailable) || err == nil && text != before && text != after {
			t.Errorf("step %d, while the disk fails: error %v, the store says\n%s", n, err, text)
		}
	}
	armed = false
	text, err := dump(t, s)
	switch {
	case err != nil:
		t.Errorf("step %d, afterwards: %v", n, err)
	case written == nil && text != after, errors.Is(written, ports.ErrUnavailable) && text != before, text != before && text != after:
		t.Errorf("step %d, after the answer %v the store says\n%s", n, written, text)
	}
	if err := addKey(t.Context(), s, "globex", "later"); err != nil {
		t.Errorf("step %d: the next write fails: %v", n, err)
	}
	if text, err = dump(t, s); err != nil {
		t.Error(err)
	}
	closing()
	if got := reopened(t, c); got != text {
		t.Errorf("step %d: opened again, the store says\n%swant\n%s", n, got, text)
	}
	if written != nil && !strings.Contains(written.Error(), c.Dir) {
		t.Errorf("the error %q does not say where", written)
	}
	return written
}
