package file

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"embedseal/ports"
)

const lockName = "lock"

// lock keeps other processes out of the directory. It ends with the process,
// however that ends.
type lock struct{ held *flock.Flock }

// acquire takes the lock of the directory, or fails at once.
//
// Errors: ErrHeld, ErrUnavailable, ErrCorrupt.
func acquire(d *disk) (*lock, error) {
	pid, err := d.read(lockName) // refuses a link that leads elsewhere
	if err != nil {
		return nil, err
	}
	l := flock.New(d.path(lockName), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(fileMode))
	ok, err := l.TryLock()
	if err != nil {
		return nil, unavailable(d.fault("lock", lockName, err))
	}
	if !ok {
		return nil, fmt.Errorf("file: open the store in %s: %w%s (stop that one, or use another directory)", d.dir, ports.ErrHeld, holder(pid))
	}
	// For people only, so that a full disk is no reason to stay out. It is
	// padded, so that an earlier and longer text is written over.
	if f, err := d.root.OpenFile(lockName, os.O_WRONLY, fileMode); err == nil {
		_, _ = fmt.Fprintf(f, "%-20d\n", os.Getpid())
		_ = f.Close()
	}
	return &lock{held: l}, nil
}

func (l *lock) release() { _ = l.held.Close() } // the process ends it anyway

// holder is the process that the lock file names, for an error text.
func holder(lockFile []byte) string {
	pid, err := strconv.Atoi(strings.TrimSpace(string(lockFile)))
	if err != nil {
		return ""
	}
	return ", " + strconv.Itoa(pid)
}
