// Package auditlog keeps audit events as JSON lines in a file: one write(2) for
// each, done when Record returns.
//
// # Caveats
//
// A record is in the kernel when Record returns, and not yet on the disk: a
// killed process loses nothing, a power cut may lose the last seconds.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

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
	f, err := os.OpenFile(filepath.Clean(cfg.Path), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("auditlog: open %s: %w; audit.path must name a file this user can write", cfg.Path, err)
	}
	l := &Log{path: cfg.Path, out: f}
	if err := l.recover(f); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("auditlog: read the end of %s: %w", cfg.Path, err), f.Close())
	}
	return l, func() { _ = f.Close() }, nil
}

func (l *Log) recover(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
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
	l.line = l.line[:0]
	if l.torn {
		l.line = append(l.line, '\n')
	}
	l.line = append(appendEvent(l.line, e), '\n')
	n, err := l.out.Write(l.line)
	if err == nil {
		l.size += int64(n)
		l.torn = false
		return nil
	}
	if n > 0 && !l.takeBack(n) {
		l.torn = l.line[n-1] != '\n'
		l.size += int64(n)
	}
	return fmt.Errorf("%w: auditlog: write %s: %w", ports.ErrUnavailable, l.path, err)
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
