package crashtest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Before "ready" and before each acknowledgement, everything that was written
// since is synced, and so is every directory in which a name was made or
// removed. The same holds at the points in between that make a write count:
// before bbolt writes a meta page, before a store gets its name, before a
// journal gets its name and before it goes.
func TestFileAndDirectoryAreSyncedBeforeTheAcknowledgement(t *testing.T) {
	const writes = 16
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			dir := t.TempDir()
			w, calls := straced(t, writerEnv(b, dir, seedWithEveryVerb(t, writes), 0, writes))
			if !w.ready || w.acks != writes || len(w.refusals) > 0 {
				t.Fatalf("the writer said ready %t, %d acknowledgements, %v", w.ready, w.acks, w.refusals)
			}
			syncs, faults := audit(calls, dir)
			for _, fault := range faults {
				t.Error(fault)
			}
			t.Logf("%d system calls, %d syncs, %d acknowledgements", len(calls), syncs, writes)

			// The check must see it where a sync is missing.
			for what, areDirs := range map[string]bool{"directories": true, "files": false} {
				without := slices.DeleteFunc(slices.Clone(calls), func(c call) bool {
					return c.isSync() && isDir(c.path()) == areDirs
				})
				if len(without) == len(calls) {
					t.Errorf("there are no syncs of %s in the trace", what)
				}
				if _, faults := audit(without, dir); len(faults) == 0 {
					t.Errorf("without any sync of %s the check finds nothing", what)
				}
			}
		})
	}
}

// isDir is asked after the writer has ended; a temporary file is gone by then.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// seedWithEveryVerb is a seed whose first n writes are of all sorts.
func seedWithEveryVerb(t *testing.T, n int) uint64 {
	t.Helper()
	for seed := range uint64(10_000) {
		verbs, s := map[string]bool{}, state{}
		for i := range n {
			o := nextOp(seed, i, s)
			verbs[o.verb] = true
			s = o.apply(s)
		}
		if len(verbs) == 5 {
			return seed
		}
	}
	t.Fatal("there is no such seed")
	return 0
}

// auditor follows what is written and not yet synced.
type auditor struct {
	dir    string
	failed bool            // a sync has failed
	files  map[string]bool // written since their last sync
	names  map[string]bool // directories in which a name was made or removed since
	fresh  map[string]bool // files that were made and may be renamed or removed again
	metas  map[int]bool    // meta pages of bbolt written since the last sync, by their offset
	lost   map[int]bool    // those of a sync that failed: the kernel forgets to write them
	faults []string
}

// audit goes through the calls, and says where something counts that is not
// synced.
func audit(calls []call, dir string) (syncs int, faults []string) {
	a := auditor{
		dir: dir, files: map[string]bool{}, names: map[string]bool{}, fresh: map[string]bool{},
		metas: map[int]bool{}, lost: map[int]bool{},
	}
	for _, c := range calls {
		if word := c.says(); strings.HasPrefix(word, sayReady) || strings.HasPrefix(word, sayAck) {
			a.mustBeSynced(fmt.Sprintf("before %q", word))
			for offset := range a.lost {
				a.faults = append(a.faults, fmt.Sprintf("before %q the meta page at %d is not written again after its sync failed", word, offset))
			}
		}
		if c.isSync() {
			syncs++
		}
		if c.failed {
			a.failed = true
			maps.Copy(a.lost, a.metas)
			clear(a.metas)
			continue
		}
		a.follow(c)
	}
	return syncs, a.faults
}

// mustBeSynced notes what is not; it does so once.
func (a *auditor) mustBeSynced(when string) {
	for path := range a.fresh {
		a.names[filepath.Dir(path)] = true
	}
	for _, path := range slices.Sorted(maps.Keys(a.files)) {
		a.faults = append(a.faults, fmt.Sprintf("%s the file %s is not synced", when, path))
	}
	for _, path := range slices.Sorted(maps.Keys(a.names)) {
		a.faults = append(a.faults, fmt.Sprintf("%s the directory %s is not synced", when, path))
	}
	clear(a.files)
	clear(a.names)
	clear(a.fresh)
}

// watched leaves out what is no part of the store, and the lock file, whose
// content may be lost.
func (a *auditor) watched(path string) bool {
	return strings.HasPrefix(path, a.dir+"/") && filepath.Base(path) != "lock"
}

func (a *auditor) follow(c call) {
	path := c.path()
	switch c.name {
	case "link", "linkat", "rename", "renameat", "renameat2":
		a.move(c.paths()[0], c.paths()[1], strings.HasPrefix(c.name, "link"))
		return
	}
	if path == a.dir && c.isSync() {
		delete(a.names, path)
	}
	if !a.watched(path) {
		return
	}
	switch c.name {
	case "fsync", "fdatasync":
		clear(a.metas)
		delete(a.files, path)
		delete(a.names, path)
		maps.DeleteFunc(a.fresh, func(made string, _ bool) bool { return filepath.Dir(made) == path })
	case "mkdir", "mkdirat":
		a.names[filepath.Dir(path)] = true
	case "open", "openat", "creat":
		if strings.Contains(c.args, "O_CREAT") || c.name == "creat" {
			a.fresh[path] = true
		}
	case "unlink", "unlinkat":
		a.remove(path)
	default: // some way to write
		if offset, ok := c.metaPage(); ok {
			if a.files[path] && len(a.lost) == 0 {
				a.faults = append(a.faults, "a meta page of "+path+" is written before the other pages are synced")
			}
			a.metas[offset] = true
			delete(a.lost, offset)
		}
		a.files[path] = true
	}
}

// move is a rename or a link: the file takes what is not synced with it.
func (a *auditor) move(from, to string, keeps bool) {
	if !a.watched(to) {
		return
	}
	if isJournal(to) || keeps {
		delete(a.fresh, from) // a temporary name need not last
		if a.failed {
			// What was made before the failure, in the same directory, becomes
			// durable with the journal's own name.
			delete(a.names, filepath.Dir(to))
		}
		a.mustBeSynced("before the name " + to + " is made")
	}
	if a.files[from] {
		a.files[to] = true
	}
	if !keeps {
		delete(a.files, from)
	}
	delete(a.fresh, from)
	a.names[filepath.Dir(to)] = true
}

// remove is the removal of a name. A record's must last; that of a journal that
// was carried out, or of a temporary file, need not.
func (a *auditor) remove(path string) {
	if isJournal(path) {
		a.mustBeSynced("before the name " + path + " is removed")
	}
	delete(a.files, path)
	delete(a.fresh, path)
	if filepath.Ext(path) == ".sealed" {
		a.names[filepath.Dir(path)] = true
	}
}

func isJournal(path string) bool { return filepath.Base(path) == "journal" }
