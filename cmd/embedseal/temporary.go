package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"embedseal/adapters/datadir"
)

// The directories of servers in memory, below the system's for such things; something
// random follows.
const (
	demoDir = "embedseal-demo-"
	devDir  = "embedseal-dev-"
)

// settled is the age from which on a server must have its socket in its directory.
const settled = time.Minute

// temporaryDir makes a directory (mode 0700) for the socket of a server in memory and
// what else ends with it. Those that servers left which were killed are removed.
func temporaryDir(name string) (dir string, remove func(), err error) {
	sweepAbandoned(name, time.Now())
	if dir, err = os.MkdirTemp("", name); err != nil {
		return "", nil, fmt.Errorf("make a directory for the socket: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// sweepAbandoned removes the directories of that name in which no server listens any
// more. Nothing depends on it, so that what cannot be removed is left.
func sweepAbandoned(name string, now time.Time) {
	found, _ := filepath.Glob(filepath.Join(os.TempDir(), name+"*")) // the pattern is good
	for _, dir := range found {
		if ours(dir, now.Add(-settled)) && abandoned(datadir.At(dir).Path(datadir.AdminSocket)) {
			_ = os.RemoveAll(dir)
		}
	}
}

// ours reports whether path is a directory of this user alone that is older than that:
// everybody can make a path of that name.
func ours(path string, than time.Time) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeDir|0o700 || info.ModTime().After(than) {
		return false
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	return known && int(owner.Uid) == os.Geteuid()
}

// abandoned reports whether nobody listens on a socket, or it is not there.
func abandoned(socket string) bool {
	connection, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		_ = connection.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
