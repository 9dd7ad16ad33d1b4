package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"embedseal/ports"
)

var _ ports.Checker = Probe{}

// Probe finds out whether records can be written to a log, without writing one:
// beside a [Log] that is open, in this process or another.
type Probe struct{ path string }

// NewProbe returns the probe of the log that [Open] would open.
func NewProbe(cfg Config) Probe { return Probe{path: cfg.Path} }

// probeSize is how much room is asked for: more than the longest record.
const probeSize = 64 << 10

// Check implements ports.Checker. A log that is not there is fine where it can be
// made, as [Log] will. Room is asked for behind the end of the file, which becomes
// no longer: a full disk and a quota are found before a request finds them, and the
// next records have their room although others fill the disk.
func (p Probe) Check(context.Context) error {
	if p.path == StandardError {
		return nil
	}
	f, err := os.OpenFile(filepath.Clean(p.path), os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return p.makeable()
	}
	if err != nil {
		return p.fault("open", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return p.fault("look at", err)
	}
	if !info.Mode().IsRegular() {
		return nil // a device has no room that could be asked for
	}
	const keepSize = 1 // FALLOC_FL_KEEP_SIZE
	for {
		err = syscall.Fallocate(int(f.Fd()), keepSize, info.Size(), probeSize)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
		return nil
	}
	return p.fault("ask for room for", err)
}

// makeable reports whether the file could be made.
func (p Probe) makeable() error {
	const write = 2 | 1 // W_OK, X_OK
	if err := syscall.Access(filepath.Dir(p.path), write); err != nil {
		return p.fault("it is not there, make", err)
	}
	return nil
}

func (p Probe) fault(what string, err error) error {
	return fmt.Errorf("%w: auditlog: %s %s: %w", ports.ErrUnavailable, what, p.path, err)
}
