package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"embedseal/adapters/internal/fsync"
	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

const (
	headerName = "header" + suffix
	// patience is how long a creation waits for another process that has the
	// directory and may be creating the same store.
	patience = 10 * time.Second
	retry    = 20 * time.Millisecond
	// lockWait is how long an opening waits for another process to let go.
	lockWait = time.Second
)

// Store is an open directory. It is safe for concurrent use.
type Store struct{ records *records.Store }

// Create makes an empty store, and the directory with its parents when they are
// missing, durable when it returns nil. A store that is there already is left
// alone, whatever its key, and created is false. Several processes may do this
// at once, and be killed at it.
//
// Errors: ErrUnavailable, ErrHeld, ErrCorrupt, ErrUnknownOutcome, ctx.Err();
// ErrExists when the directory holds something else.
func Create(ctx context.Context, c Config) (created bool, err error) {
	if c.MasterKey.IsZero() {
		return false, fmt.Errorf("file: create a store in %s: %w: there is none", c.Dir, records.ErrMasterKey)
	}
	if err := mkdirAll(c.Dir); err != nil {
		return false, err
	}
	d, err := openDisk(c.Dir, nil)
	if err != nil {
		return false, err
	}
	defer d.close()
	l, err := acquireForCreation(ctx, d)
	if l == nil || err != nil {
		return false, err
	}
	defer l.release()
	return createIn(d, c)
}

// createIn is [Create] under the lock.
func createIn(d *disk, c Config) (created bool, err error) {
	m, err := openMedium(d)
	if err != nil {
		return false, err
	}
	exists, err := records.Exists(m)
	if exists || err != nil {
		return false, err
	}
	rest, err := d.residue()
	if err != nil {
		return false, err
	}
	switch {
	case strings.HasSuffix(rest, suffix):
		return false, headless(c.Dir, rest)
	case rest != "":
		return false, fmt.Errorf("file: create a store in %s: %w: %s is not of a store (choose a directory of its own)", c.Dir, ports.ErrExists, rest)
	}
	if err := records.Create(m, c.MasterKey, func(p []byte) { _, _ = rand.Read(p) }); err != nil {
		return false, err
	}
	return true, nil
}

// acquireForCreation waits for whoever has the directory, unless the store is
// there by then: no lock and no error.
func acquireForCreation(ctx context.Context, d *disk) (*lock, error) {
	for deadline := time.Now().Add(patience); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if header, err := d.read(headerName); header != nil || err != nil {
			return nil, err
		}
		l, err := acquire(d)
		if err == nil || !errors.Is(err, ports.ErrHeld) || time.Now().After(deadline) {
			return l, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// Open opens the store and keeps it to itself until the returned function is
// called, which may be called twice. It finishes a commit that a kill
// interrupted, and verifies the whole index. It never makes a store.
//
// Errors: ErrNotFound when there is no store, ErrHeld when another process has it
// for longer than a second, ErrWrongMasterKey, ErrCorrupt, ErrUnavailable, ctx.Err().
func Open(ctx context.Context, c Config) (*Store, func(), error) {
	return open(ctx, c, nil)
}

func open(ctx context.Context, c Config, before func(op, name string) error) (*Store, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	d, err := openDisk(c.Dir, before)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, missing(c.Dir)
	}
	if err != nil {
		return nil, nil, err
	}
	rest, err := d.residue()
	if err == nil && rest == "" {
		err = missing(c.Dir) // without leaving a lock there
	}
	if err != nil {
		d.close()
		return nil, nil, err
	}
	l, err := acquireSoon(ctx, d)
	if err != nil {
		d.close()
		return nil, nil, err
	}
	closing := sync.OnceFunc(func() {
		d.close()
		l.release()
	})
	s, err := openIn(d, c)
	if err != nil {
		closing()
		return nil, nil, err
	}
	return s, closing, nil
}

// acquireSoon takes the lock, and waits as long as a verification may have it.
func acquireSoon(ctx context.Context, d *disk) (*lock, error) {
	for deadline := time.Now().Add(lockWait); ; {
		l, err := acquire(d)
		if err == nil || !errors.Is(err, ports.ErrHeld) || time.Now().After(deadline) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retry):
		}
	}
}

// openIn is [Open] under the lock.
func openIn(d *disk, c Config) (*Store, error) {
	m, err := openMedium(d)
	if err != nil {
		return nil, err
	}
	s, err := records.Open(m, c.MasterKey)
	if !errors.Is(err, ports.ErrNotFound) {
		if err != nil {
			return nil, fmt.Errorf("file: open the store in %s: %w", c.Dir, err)
		}
		return &Store{records: s}, nil
	}
	rest, err := d.residue()
	switch {
	case err != nil:
		return nil, err
	case strings.HasSuffix(rest, suffix):
		return nil, headless(c.Dir, rest)
	}
	return nil, missing(c.Dir)
}

func missing(dir string) error {
	return fmt.Errorf("file: open the store in %s: %w (run embedseal init)", dir, ports.ErrNotFound)
}

func headless(dir, rest string) error {
	return fmt.Errorf("file: open the store in %s: %w: %s is there and the header is not", dir, ports.ErrCorrupt, rest)
}

// residue names something in the directory that a creation does not leave when
// it is killed; a file of a store by preference; nothing is empty.
func (d *disk) residue() (string, error) {
	if header, err := d.read(headerName); header != nil || err != nil {
		return headerName, err
	}
	found := ""
	entries, err := d.list(".")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case name == lockName || name == journalTemp || name == stageDir || name == "lost+found":
			continue
		case e.IsDir() && word(name):
			inside, err := d.list(name)
			if err != nil {
				return "", err
			}
			if len(inside) == 0 {
				continue
			}
			name += "/" + inside[0].Name()
		}
		if found == "" || strings.HasSuffix(name, suffix) {
			found = name
		}
	}
	return found, nil
}

// mkdirAll makes the directory and its parents, and syncs each into the one
// above it.
func mkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if parent != filepath.Clean(dir) {
		if err := mkdirAll(parent); err != nil {
			return err
		}
	}
	d := &disk{dir: dir}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return unavailable(d.fault("make", "", err))
	}
	if err := fsync.Dir(parent); err != nil {
		return unavailable(d.fault("sync the parent of", "", err))
	}
	return nil
}
