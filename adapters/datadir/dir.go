// Package datadir answers: which small files lie beside a store, and how is one
// made so that neither a crash nor a second process can lose it?
package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"embedseal/adapters/internal/fsync"
	"embedseal/domain/secret"
)

// The files of a data directory, beside the store's own.
const (
	// MasterKey seals the store's records.
	MasterKey = "master.key"
	// APIToken is the first API token, for the operator's own use.
	APIToken = "api-token"
	// AuditLog is where audit records go unless told otherwise.
	AuditLog = "audit.log"
	// AdminSocket is where a server that runs is administered, unless told
	// otherwise.
	AdminSocket = "admin.sock"
	// Pending is there from before the first group is made until its token was
	// shown, so that an init which was killed shows it the next time.
	Pending = "init.pending"
	// BoltStore and FileStore are the stores.
	BoltStore = "store.db"
	FileStore = "store"
)

// temporary follows the name of a file that is being made.
const temporary = ".new-"

// maxFile is the largest file that is read, in bytes.
const maxFile = 4096

// Dir is a data directory. All files made in it have mode 0600.
type Dir struct{ path string }

// At names a directory that may not be there yet.
func At(path string) Dir { return Dir{path: filepath.Clean(path)} }

// Path is the path of the file of that name.
func (d Dir) Path(name string) string { return filepath.Join(d.path, name) }

// String is the directory's path.
func (d Dir) String() string { return d.path }

// Make makes the directory with mode 0700, and its parents with what the
// process's umask allows. A directory that others may enter is closed to them,
// which tightened reports.
func (d Dir) Make() (tightened bool, err error) {
	made, err := makeAll(d.path, 0o700)
	if err != nil {
		return false, fmt.Errorf("datadir: make %s: %w; choose a --data-dir that this user can write", d.path, err)
	}
	if made {
		return false, nil
	}
	info, err := os.Stat(d.path)
	switch {
	case err != nil:
		return false, fmt.Errorf("datadir: look at %s: %w", d.path, err)
	case !info.IsDir():
		return false, fmt.Errorf("datadir: %s is a file; choose another --data-dir", d.path)
	case info.Mode().Perm()&0o077 == 0:
		return false, nil
	}
	if err := os.Chmod(d.path, 0o700); err != nil { //nolint:gosec // a directory needs the x bit
		return false, fmt.Errorf("datadir: close %s to others: %w", d.path, err)
	}
	return true, nil
}

// makeAll makes a directory and the parents it lacks, each of them on the disk
// before the next.
func makeAll(path string, mode fs.FileMode) (made bool, err error) {
	err = os.Mkdir(path, mode)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		if _, err := makeAll(parent, 0o755); err != nil {
			return false, err
		}
		err = os.Mkdir(path, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncDir(filepath.Dir(path))
}

// Exposed lists what of the directory other users may look into.
func (d Dir) Exposed() []string {
	var exposed []string
	for _, path := range []string{d.path, d.Path(MasterKey), d.Path(APIToken)} {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			exposed = append(exposed, path)
		}
	}
	return exposed
}

// Has reports whether there is something of that name.
func (d Dir) Has(name string) bool {
	_, err := os.Lstat(d.Path(name))
	return err == nil
}

// Look tells what is not there from what this user may not see: the error wraps
// fs.ErrNotExist, or says the other.
func (d Dir) Look(name string) error {
	_, err := os.Lstat(d.Path(name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("datadir: look at %s: %w; run as the user that made it, or choose another --data-dir", d.Path(name), err)
}

// Read returns the content of a file without its last newline. A missing file
// is fs.ErrNotExist.
func (d Dir) Read(name string) (secret.Text, error) {
	info, err := os.Stat(d.Path(name))
	if err != nil {
		return secret.Text{}, fmt.Errorf("datadir: read %s: %w", d.Path(name), err)
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for without end
		return secret.Text{}, fmt.Errorf("datadir: %s is not a regular file", d.Path(name))
	}
	if info.Size() > maxFile {
		return secret.Text{}, fmt.Errorf("datadir: %s has %d bytes, at most %d make sense", d.Path(name), info.Size(), maxFile)
	}
	data, err := os.ReadFile(d.Path(name))
	if err != nil {
		return secret.Text{}, fmt.Errorf("datadir: read %s: %w", d.Path(name), err)
	}
	for len(data) > 0 && (data[len(data)-1] == '\n' || data[len(data)-1] == '\r') {
		data = data[:len(data)-1]
	}
	return secret.New(string(data)), nil
}

// WriteOnce makes a file that is not there yet, whole and durable when it
// returns. Of several processes one wins; all return what the winner wrote.
func (d Dir) WriteOnce(name string, content secret.Text) (secret.Text, error) {
	for !d.Has(name) {
		err := d.link(name, content)
		// It is there by then, or a Sweep took the temporary file.
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return secret.Text{}, fmt.Errorf("datadir: make %s: %w", d.Path(name), err)
		}
		if _, gone := os.Stat(d.path); gone != nil {
			return secret.Text{}, fmt.Errorf("datadir: make %s: %w", d.Path(name), gone)
		}
	}
	if err := syncDir(d.path); err != nil {
		return secret.Text{}, err
	}
	return d.Read(name)
}

// link makes the file under a temporary name and then gives it its own. A link,
// not a rename: it fails where another process was first.
func (d Dir) link(name string, content secret.Text) error {
	temp, err := os.CreateTemp(d.path, "."+name+temporary+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.WriteString(content.Reveal() + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Link(temp.Name(), d.Path(name))
}

// Lock keeps other processes that lock the directory out until release is
// called, or this process ends. It waits until ctx is done.
func (d Dir) Lock(ctx context.Context) (release func(), err error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, fmt.Errorf("datadir: open %s: %w", d.path, err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("datadir: lock %s: %w", d.path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Sweep removes the temporary files that killed processes left: they may hold
// the secrets themselves, where nobody looks for them.
func (d Dir) Sweep() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("datadir: look into %s: %w", d.path, err)
	}
	for _, name := range []string{MasterKey, APIToken, Pending} {
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), "."+name+temporary) {
				continue
			}
			if err := d.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove removes a file; one that is not there is no error.
func (d Dir) Remove(name string) error {
	if err := os.Remove(d.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("datadir: remove %s: %w", d.Path(name), err)
	}
	return syncDir(d.path)
}

func syncDir(path string) error {
	if err := fsync.Dir(path); err != nil {
		return fmt.Errorf("datadir: sync %s: %w", path, err)
	}
	return nil
}
