package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"embedseal/ports"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
	// maxBlob bounds what is read back, whatever somebody put there.
	maxBlob = 64 << 20
)

// disk does one step at a time inside one directory, which no name leaves.
type disk struct {
	dir  string
	root *os.Root
	// before is asked ahead of every step, when a test has set it; an error of
	// it is the failure of the step, and of a write after half of the bytes.
	before func(op, name string) error
}

func openDisk(dir string, before func(op, name string) error) (*disk, error) {
	d := &disk{dir: dir, before: before}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unavailable(d.fault("open", "", err))
	}
	d.root = root
	return d, nil
}

func (d *disk) close() { _ = d.root.Close() } // nothing is written through it

// step lets a test fail the step that follows.
func (d *disk) step(op, name string) error {
	if d.before == nil {
		return nil
	}
	return d.before(op, name)
}

// read returns the bytes of a file, or nil when there is none.
//
// Errors: ErrUnavailable; ErrCorrupt for what is no file of a store.
func (d *disk) read(name string) ([]byte, error) {
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	switch {
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("%w: %w", ports.ErrCorrupt, d.fault("read", name, err))
	case err != nil:
		return nil, unavailable(d.fault("read", name, err))
	case !info.Mode().IsRegular() || info.Size() > maxBlob:
		return nil, fmt.Errorf("file: read %s: %w: it is not a file of a store", d.path(name), ports.ErrCorrupt)
	}
	b, err := d.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) { // removed by a commit since
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(d.fault("read", name, err))
	}
	return b, nil
}

// create writes a file that was not there, and syncs it.
func (d *disk) create(name string, b []byte) (err error) {
	if err := d.remove(name); err != nil { // left by a kill
		return err
	}
	if err := d.step("create", name); err != nil {
		return d.fault("create", name, err)
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return d.fault("create", name, err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = d.fault("close", name, closeErr)
		}
	}()
	if err := d.step("write", name); err != nil {
		_, _ = f.Write(b[:len(b)/2]) // as a kill would leave it
		return d.fault("write", name, err)
	}
	if _, err := f.Write(b); err != nil {
		return d.fault("write", name, err)
	}
	if err := d.step("sync", name); err != nil {
		return d.fault("sync", name, err)
	}
	if err := f.Sync(); err != nil {
		return d.fault("sync", name, err)
	}
	return nil
}

// rename replaces to by from.
func (d *disk) rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return d.fault("rename", to, err)
	}
	if err := d.root.Rename(from, to); err != nil {
		return d.fault("rename", to, err)
	}
	return nil
}

// remove removes a file; one that is not there is no error.
func (d *disk) remove(name string) error {
	if err := d.step("remove", name); err != nil {
		return d.fault("remove", name, err)
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fault("remove", name, err)
	}
	return nil
}

// mkdir makes a directory, and syncs the one it is in; one that is there
// already is no error.
func (d *disk) mkdir(name string) error {
	if info, err := d.root.Lstat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := d.step("mkdir", name); err != nil {
		return d.fault("make", name, err)
	}
	if err := d.root.Mkdir(name, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return d.fault("make", name, err)
	}
	return d.sync(".")
}

// sync makes the names in a directory durable.
func (d *disk) sync(name string) (err error) {
	if err := d.step("sync", name); err != nil {
		return d.fault("sync", name, err)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return d.fault("sync", name, err)
	}
	err = errors.Join(f.Sync(), f.Close())
	if err != nil {
		return d.fault("sync", name, err)
	}
	return nil
}

// list names what is in a directory; none is empty.
func (d *disk) list(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(d.root.FS(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(d.fault("list", name, err))
	}
	return entries, nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ports.ErrUnavailable, err) }

func unknownOutcome(err error) error { return fmt.Errorf("%w: %w", ports.ErrUnknownOutcome, err) }
