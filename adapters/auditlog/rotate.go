package auditlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"embedseal/adapters/internal/fsync"
	"embedseal/domain/audit"
)

const (
	// asideMark stands in the name of a file that was put aside.
	asideMark = ".aside-"
	// newSuffix is of a file that takes the place of another.
	newSuffix = ".new"
	// The last aheadOf bytes of a file are synced in steps before it is rotated.
	aheadOf, aheadStep = 4 << 20, 256 << 10
	// retryRotation is how long a rotation that failed is put off.
	retryRotation = time.Minute
)

// rotate gives the file the number of its first record as name and begins a new
// one, in which the chain goes on. Where that cannot be done the file grows on. The
// lock is held.
func (l *Log) rotate() {
	err := syncOutput(l.out)
	l.disk.settled(l.head.Seq, err)
	if err == nil {
		err = l.exchange()
	}
	if err != nil {
		l.cfg.Log.Error("the audit log cannot be rotated; it grows on", "path", l.cfg.Path, "error", err)
		l.rotateAfter = time.Now().Add(retryRotation)
		return
	}
	l.saver.hurry()
	if err := l.prune(); err != nil {
		l.notPruned(err)
	}
}

// syncAhead brings the file to the disk while records are written, when it is about to
// be rotated: a rotation holds them up, and so would have nearly nothing to wait for. The
// lock is held.
func (l *Log) syncAhead() {
	if l.syncing || l.closing || l.cfg.MaxBytes <= aheadOf || l.size < max(l.ahead, l.cfg.MaxBytes-aheadOf) {
		return
	}
	l.syncing, l.ahead = true, l.size+aheadStep
	upTo := l.head.Seq
	l.behind.Go(func() {
		_ = l.settle(upTo) // whoever needs it to be there is told
		l.mu.Lock()
		defer l.mu.Unlock()
		l.syncing = false
	})
}

// exchange puts an empty file in the place of the current one.
func (l *Log) exchange() error {
	if !l.inPlace() { // somebody moved it, which is a rotation too
		return l.replace()
	}
	next, _, err := openFile(l.cfg.Path+newSuffix, os.O_TRUNC|syscall.O_NOFOLLOW) // a link there would have another file emptied
	if err != nil {
		return err
	}
	full := fmt.Sprintf("%s.%020d", l.cfg.Path, l.first)
	if full, err = free(full); err == nil {
		err = os.Rename(l.cfg.Path, full)
	}
	if err != nil {
		return errors.Join(err, next.Close(), os.Remove(l.cfg.Path+newSuffix))
	}
	if err := os.Rename(l.cfg.Path+newSuffix, l.cfg.Path); err != nil {
		return errors.Join(err, next.Close(), os.Rename(full, l.cfg.Path))
	}
	err = fsync.Dir(filepath.Dir(l.cfg.Path))
	l.use(next)
	return err
}

// use goes on in an empty file.
func (l *Log) use(f output) {
	_ = l.out.Close()
	l.out, l.size, l.first, l.unended, l.doubt = f, 0, 0, false, false
	l.ahead = 0
}

// replace goes on in a new file of the path, where the one in use is no longer: a
// file that stands there is none of this log's.
func (l *Log) replace() error {
	f, info, err := openFile(l.cfg.Path, 0)
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		_ = f.Close()
		if _, err = setAside(l.cfg.Path); err == nil {
			f, info, err = openFile(l.cfg.Path, os.O_EXCL)
		}
	}
	if err == nil && !info.Mode().IsRegular() { // such as a link to /dev/null
		err = errors.Join(fmt.Errorf("what stands at %s now keeps no records: it is no regular file", l.cfg.Path), f.Close())
	}
	if err != nil {
		return err
	}
	l.use(f)
	return fsync.Dir(filepath.Dir(l.cfg.Path))
}

// inPlace reports whether the path still names the file in use.
func (l *Log) inPlace() bool {
	mine, err := l.out.Stat()
	if err != nil {
		return true // the next record tells
	}
	there, err := os.Lstat(l.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil && there.Mode()&fs.ModeSymlink != 0 {
		there, err = os.Stat(l.cfg.Path)
	}
	return err != nil || os.SameFile(mine, there)
}

// follow goes on in a new file when somebody has renamed the one in use, as a
// program that rotates logs does.
func (l *Log) follow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := l.out.Stat()
	if !l.regular || l.chain == nil || err != nil || links(info) == 0 || l.inPlace() {
		return
	}
	l.cfg.Log.Warn("the audit log was renamed; a new file is begun", "path", l.cfg.Path)
	l.disk.settled(l.head.Seq, syncOutput(l.out))
	if err := l.replace(); err != nil {
		l.cfg.Log.Error("the audit log cannot be made anew", "path", l.cfg.Path, "error", err)
	}
}

// setAside renames the file so that it is none of the log's, and returns its new
// name without the directory.
func setAside(path string) (string, error) {
	to, err := free(path + asideMark + time.Now().UTC().Format("20060102T150405Z"))
	if err == nil {
		err = os.Rename(path, to)
	}
	return filepath.Base(to), err
}

// free is the name, or one like it that no file has.
func free(name string) (string, error) {
	for i := 0; ; i++ {
		candidate := name
		if i > 0 {
			candidate = fmt.Sprintf("%s.%d", name, i)
		}
		_, err := os.Lstat(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			return candidate, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// rotated are the files that rotate left, the oldest first, without those that were
// written with another key: these are put aside.
func (l *Log) rotated() ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(l.cfg.Path))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		digits, found := strings.CutPrefix(e.Name(), filepath.Base(l.cfg.Path)+".")
		if found && len(digits) >= maxSeqWidth && strings.Trim(digits, "0123456789.") == "" && e.Type().IsRegular() {
			names = append(names, filepath.Join(filepath.Dir(l.cfg.Path), e.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// previous is the last record of the last file that was rotated away, by whomever.
// Files of another key are put aside.
func (l *Log) previous() audit.Head {
	head := l.lastRotated()
	sources, err := l.archived()
	if err != nil || len(sources) == 0 {
		return head
	}
	// A file with one record proves nothing: its name may be anybody's.
	s := sources[len(sources)-1]
	if last, genuine := l.lastOf(s.name); genuine && last.Seq > max(head.Seq, s.first) {
		return last
	}
	return head
}

// lastRotated is the last record of the last file that rotate left.
func (l *Log) lastRotated() audit.Head {
	names, err := l.rotated()
	if err != nil || len(names) == 0 {
		return audit.Head{}
	}
	last, genuine := l.lastOf(names[len(names)-1])
	if genuine {
		return last
	}
	if l.saver.knowsHead() {
		return audit.Head{} // it is of this log, and was changed
	}
	for _, name := range names {
		if aside, err := setAside(name); err == nil {
			l.cfg.Log.Warn("a file was not written by this audit log; it is put aside", "path", name, "now", aside)
		}
	}
	return audit.Head{}
}

// lastOf is the last record of a file, and whether it follows the one before it.
func (l *Log) lastOf(name string) (audit.Head, bool) {
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return audit.Head{}, false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return audit.Head{}, false
	}
	end, err := readEnding(f, info.Size())
	if err != nil || end.odd || len(end.entries) == 0 {
		return audit.Head{}, false
	}
	last := end.entries[0]
	for _, e := range end.entries[1:] {
		if e.Seq+1 == last.Seq && l.chain.follows(e.MAC, last) {
			return last.Head, true
		}
	}
	first, ok := firstEntry(f, info.Size())
	return last.Head, ok && first.Seq == last.Seq && (last.Seq > 1 || l.chain.follows(audit.MAC{}, last))
}

// prune removes the oldest files beyond those to keep, while records are written. A
// record says so first, and holds what the chain needs to begin later. The lock is held.
func (l *Log) prune() error {
	if l.cfg.Keep <= 0 || l.pruning || l.closing || l.doubt || l.chain == nil {
		return nil
	}
	names, err := l.rotated()
	if err != nil || len(names) <= l.cfg.Keep {
		return err
	}
	old := names[:len(names)-l.cfg.Keep]
	last, genuine := l.lastOf(old[len(old)-1])
	if !genuine {
		return errors.New("the last of them does not end with a record of this log: see embedseal audit verify")
	}
	l.note(audit.ActionAuditPruned, audit.Granted, "", headText(last))
	if err := l.append(nil); err != nil {
		return err
	}
	l.pruning = true
	told := l.head.Seq
	l.behind.Go(func() {
		err := l.remove(old, told)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pruning = false; err == nil {
			err = l.prune() // of what was rotated meanwhile
		}
		if err != nil {
			l.notPruned(err)
		}
	})
	return nil
}

// remove removes files once the record that tells it is on the disk.
func (l *Log) remove(names []string, told uint64) error {
	if err := l.settle(told); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return fsync.Dir(filepath.Dir(l.cfg.Path))
}

func (l *Log) notPruned(err error) {
	l.cfg.Log.Error("old files of the audit log cannot be removed", "path", l.cfg.Path, "error", err)
}
