package bbolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/internal/fsync"
	"embedseal/ports"
)

// unfinished marks the temporary file in which a store is built, behind the
// name of the store.
const unfinished = ".new-"

// createTries bounds how often a creation starts again after its temporary
// file was swept away by another one.
const createTries = 10

// createDatabase makes the file path, unless there is one. A kill at any
// instant leaves no file of that name, or a whole one: it is built under a
// temporary name, synced, and then given the name, which only one of several
// creators gets. fill writes what the store begins with.
func createDatabase(ctx context.Context, path string, fill func(*medium) error) (created bool, err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return false, fmt.Errorf("bbolt: create %s: %w", path, known(err))
	}
	for range createTries {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if _, err := os.Lstat(path); err == nil {
			break
		}
		sweep(path)
		temp, err := build(ctx, path, fill)
		if err == nil {
			err = os.Link(temp, path)
		}
		if temp != "" {
			_ = os.Remove(temp) // if it stays, the next opening sweeps it
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // swept between its closing and its linking
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return false, fmt.Errorf("bbolt: create %s: %w", path, known(err))
		}
		created = err == nil
		break
	}
	if _, err := os.Lstat(path); err != nil {
		return false, fmt.Errorf("bbolt: create %s: %w: %w", path, ports.ErrUnavailable, err)
	}
	// The name may be another creator's who was killed before it was durable.
	if err := fsync.Dir(dir); err != nil {
		return created, fmt.Errorf("bbolt: create %s: sync the directory: %w", path, known(err))
	}
	return created, nil
}

// build makes a whole store under a temporary name, which it returns whenever
// there is something to remove.
func build(ctx context.Context, path string, fill func(*medium) error) (temp string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+unfinished+"*")
	if err != nil {
		return "", err
	}
	temp = f.Name()
	if err := lock(ctx, f, temp); err != nil {
		_ = f.Close()
		if errors.Is(err, ports.ErrUnavailable) {
			err = fs.ErrNotExist // another process is sweeping it away
		}
		return temp, err
	}
	var db *bolt.DB
	err = guarded(func() (err error) {
		db, err = bolt.Open(temp, fileMode, options(func(string, int, os.FileMode) (*os.File, error) { return f, nil }))
		return err
	})
	if err != nil {
		return temp, errors.Join(err, ignoreClosed(f.Close()))
	}
	m := newMedium(temp, db, f)
	defer m.Close()
	err = guarded(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte(bucketName))
			return err
		})
	})
	if err != nil {
		return temp, err
	}
	if err := fill(m); err != nil {
		return temp, err
	}
	return temp, f.Sync()
}

// sweep removes what killed creations left: temporary files that nobody holds.
// It must succeed for nothing.
func sweep(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), filepath.Base(path)+unfinished) || !entry.Type().IsRegular() {
			continue
		}
		name := filepath.Join(filepath.Dir(path), entry.Name())
		f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.Remove(name)
		}
		release(f)
	}
}

// makeDir makes a directory that is missing, and those above it, and makes
// their names durable.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsync.Dir(above)
}

func ignoreClosed(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}
