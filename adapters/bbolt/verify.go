package bbolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/internal/records"
	"embedseal/adapters/internal/sealed"
	"embedseal/ports"
)

// Verify reads the whole store, changes nothing of it, and says how many groups
// there are. look is called with the store while it is open, and must not write. Meanwhile it shares the lock with others who only read, and keeps an
// opening waiting for some milliseconds.
//
// Errors: ErrHeld at once when a process has it open, and those of [Open].
func Verify(ctx context.Context, c Config, look ...func(*Store) error) (groups int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	db, f, err := openShared(c.Path)
	if err != nil {
		return 0, fmt.Errorf("bbolt: verify %s: %w", c.Path, known(err))
	}
	m := newMedium(c.Path, db, f)
	defer m.Close()
	s, err := records.Open(m, c.MasterKey)
	if errors.Is(err, ports.ErrNotFound) {
		return 0, fmt.Errorf("bbolt: verify %s: %w: it holds no store", c.Path, ports.ErrCorrupt)
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
		return 0, fmt.Errorf("bbolt: verify %s: %w", c.Path, err)
	}
	return groups, nil
}

// openShared is [openDatabase] for whoever only reads.
func openShared(path string) (db *bolt.DB, file *os.File, err error) {
	o := options(func(string, int, os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: there is no store here; make one with: embedseal init", ports.ErrNotFound)
		}
		if err != nil {
			return nil, err
		}
		if err := sharedAndWhole(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		file = f
		return f, nil
	})
	o.ReadOnly = true
	err = guarded(func() (err error) {
		db, err = bolt.Open(path, fileMode, o)
		return err
	})
	if fault := (*faultError)(nil); errors.As(err, &fault) && file != nil {
		release(file)
	}
	return db, file, err
}

// sharedAndWhole takes the lock that readers share, and checks the file.
func sharedAndWhole(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ports.ErrCorrupt)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ports.ErrHeld
	}
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	_, _, err = preflight(f, info.Size())
	return err
}
