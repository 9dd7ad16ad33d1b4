package bbolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/internal/fsync"
	"embedseal/ports"
)

const (
	// lockWait is how long an opening waits for another process to let go.
	lockWait = time.Second
	lockPoll = 20 * time.Millisecond

	fileMode = 0o600
	dirMode  = 0o700
)

// openDatabase locks the file, checks it and gives it to bbolt, and returns the
// handle that bbolt works with as well.
//
// The check runs in bbolt's own hook for opening the file, after the lock was
// taken on the very handle that bbolt keeps. (A lock of flock(2) belongs to the
// handle: bbolt takes it again and finds that it has it.) So nobody can write
// between the check and bbolt's first look, and a file that another process is
// writing is held, not damaged.
func openDatabase(ctx context.Context, path string) (db *bolt.DB, file *os.File, err error) {
	prepare := func(string, int, os.FileMode) (*os.File, error) {
		f, err := openLocked(ctx, path)
		if err != nil {
			return nil, err
		}
		if err := checkAndSettle(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if err := fsync.Dir(filepath.Dir(path)); err != nil { // its creator may have been killed before
			return nil, errors.Join(err, f.Close())
		}
		file = f
		return f, nil
	}
	err = guarded(func() (err error) {
		db, err = bolt.Open(path, fileMode, options(prepare))
		return err
	})
	if err == nil {
		return db, file, nil
	}
	if fault := (*faultError)(nil); errors.As(err, &fault) && file != nil {
		release(file) // bbolt did not get as far as closing it
	}
	return nil, nil, fmt.Errorf("bbolt: open %s: %w", path, known(err))
}

func options(openFile func(string, int, os.FileMode) (*os.File, error)) *bolt.Options {
	return &bolt.Options{
		Timeout:      lockWait,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     openFile,
	}
}

// openLocked opens a file that is there, and takes its lock.
func openLocked(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0) // a pipe must not block the opening
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no store here; make one with: embedseal init", ports.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if err := lock(ctx, f, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lock takes the exclusive lock that bbolt takes, or says that it is held.
func lock(ctx context.Context, f *os.File, path string) error {
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ports.ErrCorrupt)
	}
	for deadline := time.Now().Add(lockWait); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock: %w", err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: stop that process, or use another directory", ports.ErrHeld)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
	return unmoved(f, path)
}

// unmoved refuses a file that was removed or replaced while its lock was waited
// for.
func unmoved(f *os.File, path string) error {
	own, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if err != nil || !os.SameFile(own, there) {
		return fmt.Errorf("%w: it was replaced while it was being opened; try again", ports.ErrUnavailable)
	}
	return nil
}

// checkAndSettle runs the preflight and then writes the newer meta page once
// more, as it is, and syncs it.
//
// What is read from now on must survive a power cut. After a kill between the
// write of a meta page and its sync, or after a sync that failed, the newer
// page may be in the page cache alone, and after a failed sync the kernel holds
// it for clean: only a new write brings it to the disk.
func checkAndSettle(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	newest, page, err := preflight(f, info.Size())
	if err != nil {
		return err
	}
	buf, offset := make([]byte, pageHeader+metaSize), page*newest.pageSize
	if err := readAt(f, buf, offset, page); err != nil {
		return err
	}
	if _, err := f.WriteAt(buf, int64(offset)); err != nil {
		return err
	}
	return f.Sync()
}

// release gives up the lock and the handle where bbolt cannot. The mapping that
// bbolt leaves behind would keep the lock otherwise.
func release(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}

// faultError is a panic of bbolt, or a fault in the mapped file, as an error.
type faultError struct{ text string }

func (e *faultError) Error() string { return e.text }

// guarded runs f, which calls bbolt, and turns a panic into a [faultError]: bbolt
// panics where a page is not what it expects, and reading a page that the disk
// cannot deliver, or that was cut off the file, is a fault.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &faultError{text: fmt.Sprintf("%.200s", fmt.Sprint(r))}
		}
	}()
	return f()
}

// known puts an error under one of the sentinels of ports, if it is under none.
func known(err error) error {
	for _, sentinel := range []error{
		ports.ErrNotFound, ports.ErrExists, ports.ErrConflict, ports.ErrUnavailable, ports.ErrUnknownOutcome, ports.ErrCorrupt,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, sentinel) {
			return err
		}
	}
	if fault := (*faultError)(nil); errors.As(err, &fault) {
		return fmt.Errorf("%w: %w", ports.ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w%s", sentinelOf(err), err, advice(err))
}

func sentinelOf(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return ports.ErrDenied
	case errors.Is(err, syscall.EISDIR):
		return ports.ErrCorrupt
	}
	return ports.ErrUnavailable
}

// advice says what the operator can do.
func advice(err error) string {
	switch {
	case isErrno(err, syscall.ENOSPC), isErrno(err, syscall.EDQUOT):
		return "; free some space and try again"
	case isErrno(err, syscall.EFBIG):
		return "; raise the limit on the size of files"
	case isErrno(err, syscall.EIO):
		return "; look at the disk and at the kernel's log"
	case isErrno(err, syscall.EROFS):
		return "; the file system is read-only"
	case errors.Is(err, fs.ErrPermission):
		return "; the file and its directory must belong to the user that runs embedseal"
	}
	return ""
}

// isErrno also looks at the text: bbolt does not wrap all of its errors.
func isErrno(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error())
}
