package file_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"embedseal/adapters/file"
	"embedseal/ports"
	"embedseal/ports/porttest"
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
	killEverywhere(t, func(write string) bool { return write == "a group over the ring that an earlier one left" })
}

// The campaign kills the opening of what every kill left; EMBEDSEAL_LONG is no
// factor here, for there are no more steps than these.
func TestCampaignKillOfWhatEveryKillLeft(t *testing.T) {
	porttest.LongFactor(t)
	killEverywhere(t, func(string) bool { return true })
}

// killEverywhere kills every write at every step. Where twice says so, what is
// left is opened and killed again.
func killEverywhere(t *testing.T, twice func(write string) bool) {
	t.Helper()
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
				if twice(name) {
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
