package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/file"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/ports"
)

func TestNothingEscapesFromTheDirectory(t *testing.T) {
	c := newConfig(t)
	outside := filepath.Dir(c.Dir)
	if err := os.WriteFile(filepath.Join(outside, "x.sealed"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, outside)
	s, closing := mustOpen(t, c)
	defer closing()
	for _, id := range []group.ID{"../x", "../../x", "/x", "..", "a/../../x", "x\x00", `..\x`} {
		if err := file.NewGroupStore(s).CreateGroup(t.Context(), group.Group{ID: id, Policy: policy.Default()}); err == nil {
			t.Errorf("a group %q was created", id)
		}
		if err := addKey(t.Context(), s, id, "k1"); err == nil {
			t.Errorf("a ring for %q was written", id)
		}
	}
	after := tree(t, outside)
	delete(before, filepath.Join(c.Dir, "lock"))
	delete(after, filepath.Join(c.Dir, "lock"))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	c := base(t)
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(c.Dir, "ring", "acme.sealed")
	if err := errors.Join(os.Remove(name), os.Symlink(target, name)); err != nil {
		t.Fatal(err)
	}
	s, closing := mustOpen(t, c)
	_, err := file.NewKeyStore(s).Ring(t.Context(), "acme")
	wantError(t, err, ports.ErrCorrupt)
	wantError(t, addKey(t.Context(), s, "acme", "k9"), ports.ErrCorrupt)
	closing()

	lock := filepath.Join(c.Dir, "lock")
	if err := errors.Join(os.Remove(lock), os.Symlink(target, lock)); err != nil {
		t.Fatal(err)
	}
	_, _, err = file.Open(t.Context(), c)
	wantError(t, err, ports.ErrCorrupt)
	if b, err := os.ReadFile(target); string(b) != "outside" || err != nil {
		t.Errorf("the file outside holds %q, and the error %v", b, err)
	}
}

func TestWhatIsNoFileIsCorrupt(t *testing.T) {
	for name, replace := range map[string]func(string) error{
		"a directory": func(name string) error { return os.Mkdir(name, 0o700) },
		"a pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"a huge file": func(name string) error {
			return errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, 1<<40))
		},
	} {
		c := base(t)
		path := filepath.Join(c.Dir, "ring", "acme.sealed")
		if err := errors.Join(os.Remove(path), replace(path)); err != nil {
			t.Fatal(err)
		}
		s, closing := mustOpen(t, c)
		_, err := file.NewKeyStore(s).Ring(t.Context(), "acme")
		if !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("%s: got the error %v", name, err)
		}
		closing()
	}
}

func TestAFullDiskSaysWhereAndWhatToDo(t *testing.T) {
	c, full := base(t), false
	s, closing, err := file.OpenStepping(t.Context(), c, func(op, _ string) error {
		if full && op == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	before, err := dump(t, s)
	if err != nil {
		t.Fatal(err)
	}
	full = true
	wantError(t, addKey(t.Context(), s, "acme", "k2"), ports.ErrUnavailable, filepath.Join(c.Dir, "stage"), "no space left", "free some space")
	if now, err := dump(t, s); now != before || err != nil {
		t.Errorf("error %v, the store says\n%s", err, now)
	}
	full = false
	if err := addKey(t.Context(), s, "acme", "k2"); err != nil {
		t.Error(err)
	}
}

func TestADirectoryThatIsAFileIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := file.Config{Dir: path, MasterKey: masterKey(1)}
	_, err := file.Create(t.Context(), c)
	wantError(t, err, ports.ErrUnavailable, path)
	_, _, err = file.Open(t.Context(), c)
	wantError(t, err, ports.ErrUnavailable, path)
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	s, closing := mustOpen(t, base(t))
	closing()
	_, err := dump(t, s)
	wantError(t, err, ports.ErrUnavailable)
	wantError(t, addKey(t.Context(), s, "acme", "k2"), ports.ErrUnavailable)
}
