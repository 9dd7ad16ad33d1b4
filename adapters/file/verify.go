package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"embedseal/adapters/internal/records"
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

// ErrInterrupted is wrapped by the error of [Verify] for a store with a commit
// that a kill interrupted: the next opening finishes it.
var ErrInterrupted = errors.New("a commit was interrupted")

// Verify reads the whole store, changes nothing of it, and says how many groups
// there are. look is called with the store while it is open, and must not write. Meanwhile it shares the lock with others who only read, and keeps an
// opening waiting for some milliseconds.
//
// Errors: ErrHeld at once when a process has it open, [ErrInterrupted], and those
// of [Open].
func Verify(ctx context.Context, c Config, look ...func(*Store) error) (groups int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	d, err := openDisk(c.Dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, missing(c.Dir)
	}
	if err != nil {
		return 0, err
	}
	defer d.close()
	release, err := share(d)
	if err != nil {
		return 0, err
	}
	defer release()
	journal, err := d.read(journalName)
	if err != nil {
		return 0, err
	}
	if journal != nil {
		return 0, fmt.Errorf("file: verify the store in %s: %w", c.Dir, ErrInterrupted)
	}
	s, err := records.Open(&medium{disk: d}, c.MasterKey)
	if errors.Is(err, ports.ErrNotFound) {
		return 0, missing(c.Dir)
	}
	if err == nil {
		groups, err = sealed.Verify(ctx, s)
	}
	for _, each := range look {
		if err == nil {
			err = each(&Store{records: s})
		}
	}
	if err != nil {
		return 0, fmt.Errorf("file: verify the store in %s: %w", c.Dir, err)
	}
	return groups, nil
}

// CheckKey reports whether the store was made under that master key. It takes no
// lock: what it reads never changes.
//
// Errors: ErrNotFound, ErrWrongMasterKey, ErrCorrupt, ErrUnavailable.
func CheckKey(c Config) error {
	d, err := openDisk(c.Dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(c.Dir)
	}
	if err != nil {
		return err
	}
	defer d.close()
	return records.CheckKey(&medium{disk: d}, c.MasterKey)
}

// LastHolder is the process that last took the lock of the store in dir, as it
// wrote there itself; 0 where there is none.
func LastHolder(dir string) (pid int) {
	d, err := openDisk(dir, nil)
	if err != nil {
		return 0
	}
	defer d.close()
	text, err := d.read(lockName)
	if err != nil {
		return 0
	}
	pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// share takes the lock that readers share; a store that was never opened has no
// lock file, and nobody in it.
func share(d *disk) (release func(), err error) {
	f, err := d.root.OpenFile(lockName, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, unavailable(d.fault("open", lockName, err))
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = f.Close() }, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("file: verify the store in %s: %w", d.dir, ports.ErrHeld)
	}
	return nil, unavailable(d.fault("lock", lockName, err))
}
