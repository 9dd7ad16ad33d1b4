// Package auditlog keeps audit events as JSON lines in a file: one write(2) for
// each, done when Record returns.
//
// # Caveats
//
// The record of a mint or a refusal is in the kernel when Record returns, and not
// yet on the disk: a killed process loses nothing, a power cut may lose the last
// seconds. The record of a change is on the disk.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"embedseal/adapters/internal/fsync"
	"embedseal/domain/audit"
	"embedseal/ports"
)

var _ ports.Auditor = (*Log)(nil)

// StandardError is the path that means the standard error stream.
const StandardError = "-"

// Config says where the log is.
type Config struct {
	// Path of the file, made with mode 0600 when it is not there, or
	// [StandardError].
	Path string
}

// Log is a ports.Auditor.
type Log struct {
	path string
	mu   sync.Mutex
	out  output
	// size is the length of the file up to its last whole record.
	size int64
	// torn says that a failed write left a piece of a record that could not be
	// taken back.
	torn bool
	line []byte
}

// output is what the log needs of a file; tests break it.
type output interface {
	io.Writer
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
}

// Open opens the log for appending. The returned func closes it. A last line
// that a crash cut short is ended, so that the next record stands alone.
func Open(cfg Config) (*Log, func(), error) {
	if cfg.Path == StandardError {
		return &Log{path: "standard error", out: stream{os.Stderr}}, func() {}, nil
	}
	l := &Log{path: cfg.Path}
	if err := l.open(); err != nil {
		return nil, nil, err
	}
	return l, l.close, nil
}

// open opens the file of the path, and makes it when there is none. The name of
// a new file is on the disk when open returns.
func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Clean(l.path), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("auditlog: open %s: %w; audit.path must name a file this user can write", l.path, err)
	}
	if err := l.recover(f); err != nil {
		return errors.Join(fmt.Errorf("auditlog: read the end of %s: %w", l.path, err), f.Close())
	}
	l.out = f
	return nil
}

func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.out.(*os.File); ok {
		_ = f.Close()
	}
}

func (l *Log) recover(f *os.File) error {
	l.size, l.torn = 0, false
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		return errors.New("it is a pipe: what nobody reads from it is no record")
	}
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if info.Size() == 0 {
		return fsync.Dir(filepath.Dir(l.path))
	}
	l.size = info.Size()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, l.size-1); err != nil {
		return err
	}
	l.torn = last[0] != '\n'
	return nil
}

// Record implements ports.Auditor.
func (l *Log) Record(_ context.Context, e audit.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.reopen(); err != nil {
		return err
	}
	l.line = l.line[:0]
	if l.torn {
		l.line = append(l.line, '\n')
	}
	l.line = append(appendEvent(l.line, e), '\n')
	n, err := l.out.Write(l.line)
	if err == nil {
		l.size += int64(n)
		l.torn = false
		return l.settle(e)
	}
	if n > 0 && !l.takeBack(n) {
		l.torn = l.line[n-1] != '\n'
		l.size += int64(n)
	}
	return fmt.Errorf("%w: auditlog: write %s: %w", ports.ErrUnavailable, l.path, err)
}

// reopen makes the file anew when somebody removed it: what is written to a file
// without a name is a record nobody will ever read. A file that was renamed is
// written to until the next start.
func (l *Log) reopen() error {
	f, ok := l.out.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: auditlog: look at %s: %w", ports.ErrUnavailable, l.path, err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Nlink > 0 {
		return nil
	}
	if err := l.open(); err != nil {
		return fmt.Errorf("%w: %w", ports.ErrUnavailable, err)
	}
	_ = f.Close()
	return nil
}

// settle brings the record of a change to the disk: the change itself will be
// there, and must not outlive its record.
func (l *Log) settle(e audit.Event) error {
	f, ok := l.out.(*os.File)
	if !ok || !e.Action.Changes() {
		return nil
	}
	err := f.Sync()
	if err == nil || errors.Is(err, syscall.EINVAL) { // a device, which has no disk
		return nil
	}
	return fmt.Errorf("%w: auditlog: sync %s: %w", ports.ErrUnavailable, l.path, err)
}

// takeBack removes the last n bytes, if they are the end of the file still: one
// that was rotated, or that others write to as well, is left alone.
func (l *Log) takeBack(n int) bool {
	info, err := l.out.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() == l.size+int64(n) && l.out.Truncate(l.size) == nil
}

// stream is a standard stream: nothing to take back, and not ours to close.
type stream struct{ io.Writer }

func (stream) Stat() (os.FileInfo, error) { return nil, errors.ErrUnsupported }
func (stream) Truncate(int64) error       { return errors.ErrUnsupported }
