package porttest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Sealed is a store that keeps sealed records in the files of a directory.
type Sealed struct {
	// Open opens the store in dir, which it makes when create is set. With
	// otherKey it does so under a master key that differs. closing ends it.
	Open func(t *testing.T, dir string, create, otherKey bool) (groups ports.GroupStore, keys ports.KeyStore, closing func(), err error)
	// Ignored are files that hold nothing of the store, such as a lock.
	Ignored []string
	// Slack says that some bytes of the files mean nothing, so that damage may
	// go unnoticed if all is read as it was written.
	Slack bool
	// Samples is how many bytes of one file are flipped, and to how many lengths
	// it is cut; 0 is every one.
	Samples int
}

// Damage runs the promise of [ports.ErrCorrupt] for a store at rest: what was
// changed behind its back is refused by name, is never used, and never
// overwritten.
func Damage(t *testing.T, with Sealed) {
	d := newDamaged(t, with)
	for _, check := range []struct {
		sentence string
		run      func(*testing.T, *damaged)
	}{
		{"an untouched store is whole", untouched},
		{"another master key is refused", otherMasterKey},
		{"a flipped byte is refused", flippedBytes},
		{"a truncated file is refused", truncatedFiles},
		{"a file that was added to is refused", longerFiles},
		{"a file copied over another is refused", copiedFiles},
		{"a file of an earlier time is refused", earlierFiles},
		{"a file that vanished is refused", removedFiles},
	} {
		t.Run(check.sentence, func(t *testing.T) { check.run(t, d) })
	}
}

// damaged is a store and what is known of it.
type damaged struct {
	with Sealed
	dir  string
	// earlier and now are the bytes of its files.
	earlier, now map[string][]byte
	groups       map[group.ID]group.Group
	rings        map[group.ID]key.Ring
}

// newDamaged fills a store, and remembers its files of halfway.
func newDamaged(t *testing.T, with Sealed) *damaged {
	t.Helper()
	d := &damaged{with: with, dir: t.TempDir(), groups: map[group.ID]group.Group{}, rings: map[group.ID]key.Ring{}}
	write := func(create bool, change func(ports.GroupStore, ports.KeyStore)) map[string][]byte {
		groups, keys, closing, err := with.Open(t, d.dir, create, false)
		if err != nil {
			t.Fatal(err)
		}
		change(groups, keys)
		closing()
		return d.files(t)
	}
	ids := []group.ID{"acme", "globex", "initech"}
	d.earlier = write(true, func(groups ports.GroupStore, keys ports.KeyStore) {
		for _, id := range append(ids, "gone") {
			mustCreate(t, groups, newGroup(id))
			mustUpdateRing(t, keys, id, replacing(newRing(t, []key.Key{newKey("old-" + string(id))}, "")))
		}
	})
	d.now = write(false, func(groups ports.GroupStore, keys ports.KeyStore) {
		for _, id := range ids {
			d.groups[id] = newGroup(id)
			mustUpdateRing(t, keys, id, adding("new-"+string(id)))
			d.rings[id] = newRing(t, []key.Key{newKey("old-" + string(id)), newKey("new-" + string(id))}, "")
		}
		for _, id := range ids {
			renamed := d.groups[id]
			renamed.Name = "renamed"
			d.groups[id] = renamed
			if err := groups.UpdateGroup(t.Context(), id, naming("renamed")); err != nil {
				t.Fatal(err)
			}
		}
		if err := groups.DeleteGroup(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
	})
	return d
}

// files are the bytes of all files but those that are ignored.
func (d *damaged) files(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(d.dir, name)
		if err != nil || slices.Contains(d.with.Ignored, rel) {
			return err
		}
		files[rel], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("the store has no files")
	}
	return files
}

func digest(files map[string][]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := sha256.Sum256(files[name])
		h.Write([]byte(name + "\x00"))
		h.Write(content[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// put makes the file hold b, or removes it for nil.
func (d *damaged) put(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join(d.dir, name)
	// A file that is removed first is new: some file systems flush one that is
	// cut to nothing and written again, which takes a hundred times as long.
	err := os.Remove(path)
	if b != nil && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// names are the files of now, in order.
func (d *damaged) names() []string { return slices.Sorted(maps.Keys(d.now)) }

// try replaces one file, looks at what the store makes of it, and puts the file
// back. what is for the failure text.
func (d *damaged) try(t *testing.T, what, name string, b []byte) {
	t.Helper()
	if bytes.Equal(b, d.now[name]) && (b == nil) == (d.now[name] == nil) {
		return
	}
	d.put(t, name, b)
	before := digest(d.files(t))
	err := d.use(t)
	if err == nil && !d.with.Slack {
		t.Errorf("%s: %s: nothing was noticed", name, what)
	}
	if err != nil && !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("%s: %s: got the error %v, want %v", name, what, err, ports.ErrCorrupt)
	}
	if errors.Is(err, ports.ErrWrongMasterKey) && !d.with.Slack {
		t.Errorf("%s: %s: it was called a wrong master key", name, what)
	}
	if digest(d.files(t)) != before {
		t.Errorf("%s: %s: the files were changed", name, what)
	}
	d.put(t, name, d.now[name])
}

// use reads everything, compares what comes back, and tries to write over what
// does not. It returns the first error.
func (d *damaged) use(t *testing.T) error {
	t.Helper()
	groups, keys, closing, err := d.with.Open(t, d.dir, false, false)
	if err != nil {
		return err
	}
	defer closing()
	var first error
	ids, err := groups.Groups(t.Context())
	if err == nil && !slices.Equal(ids, slices.Sorted(maps.Keys(d.groups))) {
		t.Errorf("the store lists %v", ids)
	}
	first = err
	note := func(err error, rewrite func() error) {
		if err == nil {
			return
		}
		if first == nil {
			first = err
		}
		if err := rewrite(); !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("a write over what is corrupt: got %v, want %v", err, ports.ErrCorrupt)
		}
	}
	for id, want := range d.groups {
		got, err := groups.Group(t.Context(), id)
		if err == nil {
			diffGroups(t, want, got)
		}
		note(err, func() error { return groups.UpdateGroup(t.Context(), id, naming("overwritten")) })
		note(err, func() error { return groups.DeleteGroup(t.Context(), id) })
		ring, err := keys.Ring(t.Context(), id)
		if err == nil {
			diffRings(t, id, d.rings[id], ring)
		}
		note(err, func() error { return keys.UpdateRing(t.Context(), id, adding("overwritten")) })
		note(err, func() error { return groups.DeleteGroup(t.Context(), id) })
	}
	_, err = groups.Group(t.Context(), "gone")
	if !errors.Is(err, ports.ErrNotFound) {
		note(err, func() error { return groups.CreateGroup(t.Context(), newGroup("gone")) })
	}
	ring, err := keys.Ring(t.Context(), "gone")
	if err == nil {
		diffRings(t, "gone", key.Ring{}, ring)
	}
	note(err, func() error { return groups.CreateGroup(t.Context(), newGroup("gone")) })
	return first
}
