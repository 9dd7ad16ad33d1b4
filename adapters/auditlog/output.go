package auditlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"embedseal/ports"
)

// output is what the log needs of a file; tests break it.
type output interface {
	io.Writer
	io.ReaderAt
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// stream is a standard stream: nothing to read or to take back, and not ours to
// close.
type stream struct{ io.Writer }

func (stream) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (stream) Stat() (os.FileInfo, error)        { return nil, errors.ErrUnsupported }
func (stream) Truncate(int64) error              { return errors.ErrUnsupported }
func (stream) Sync() error                       { return nil }
func (stream) Close() error                      { return nil }

// openFile opens the file for appending, makes it when there is none, and keeps
// other processes from it until it is closed. What is no regular file, such as a
// device, is shared.
func openFile(path string, flags int) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_APPEND|os.O_CREATE|flags, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("auditlog: open %s: %w; audit.path must name a file this user can write", path, err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		err = errors.New("it is a pipe: what nobody reads from it is no record")
	}
	if err == nil && info.Mode().IsRegular() {
		err = lock(f)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("auditlog: open %s: %w", path, err), f.Close())
	}
	return f, info, nil
}

// lock fails at once when another process has the file.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("%w (give each process an audit.path and an audit.name of its own)", ports.ErrHeld)
		case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS):
			return nil // a file system without locks
		}
		if err != nil {
			return fmt.Errorf("lock: %w", err)
		}
		return nil
	}
}

// links is how many names the file has.
func links(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // of another type on other machines
	}
	return 1
}
