package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxSocketPath is the longest path of a unix socket, in bytes: what the kernel
// keeps of it has 108, of which the last is a NUL (unix(7)).
const maxSocketPath = 107

// FitsSocket reports whether a unix socket can have that path.
func FitsSocket(path string) bool { return len(path) <= maxSocketPath }

const (
	// socketMode lets nobody in but the user that made the socket, and root.
	socketMode = 0o600
	// probeLimit is how long another process may take to answer on a socket that is
	// there.
	probeLimit = time.Second
	// turnLimit is how long others may take to make a socket in the same directory.
	turnLimit = 5 * time.Second
)

// socket is a listener on a unix socket, which removes it when it is closed.
type socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
	once sync.Once
}

// listenSocket makes a unix socket that is open to nobody else, not even for the
// moment after it was made. One that a killed process left is replaced: whoever
// calls this holds the lock of the store, so that no other process serves it. One
// that answers is not, and neither is a file of any other kind.
//
// The error wraps [ErrAddressInUse] for a socket that answers.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if strings.HasPrefix(path, "@") {
		return nil, fmt.Errorf("httpapi: listen on the socket %s: a name that begins with @ is open to every user; name a file with --admin-socket", path)
	}
	if !FitsSocket(path) {
		return nil, fmt.Errorf("httpapi: listen on the socket %s: the path has %d bytes, and a socket takes %d; name a shorter one with --admin-socket",
			path, len(path), maxSocketPath)
	}
	// Of two processes that find the same stale socket only one replaces it: between
	// the question whether anybody answers and the moment they do themselves, no other
	// process asks.
	release, err := turnAt(ctx, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("httpapi: listen on the socket %s: %w", path, err)
	}
	defer release()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	made, err := (&net.ListenConfig{Control: closeToOthers}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("httpapi: listen on the socket %s: %w", path, err)
	}
	listener, ok := made.(*net.UnixListener)
	if !ok { // the network "unix" has no other
		return nil, errors.Join(fmt.Errorf("httpapi: listen on the socket %s: not a unix socket", path), made.Close())
	}
	listener.SetUnlinkOnClose(false) // see [socket.Close]
	info, err := os.Lstat(path)
	if err == nil && info.Mode() != fs.ModeSocket|socketMode {
		err = fmt.Errorf("its mode is %04o, and must be %04o", info.Mode().Perm(), socketMode)
	}
	s := &socket{UnixListener: listener, path: path, made: info}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("httpapi: listen on the socket %s: %w", path, err), s.Close())
	}
	return s, nil
}

// closeToOthers sets the mode that bind gives the socket in the file system:
// Linux takes that of the descriptor, less the umask. So it is never another's,
// which a chmod after bind could not say, and the umask of the process, which
// other threads make files under, stays as it is.
func closeToOthers(_, _ string, conn syscall.RawConn) error {
	var err error
	if outer := conn.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), socketMode) }); outer != nil {
		return fmt.Errorf("reach the socket: %w", outer)
	}
	if err != nil {
		return fmt.Errorf("close the socket to others: %w", err)
	}
	return nil
}

// turnAt keeps other processes from making a socket in dir until release is
// called.
func turnAt(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open its directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock its directory: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another process keeps its directory locked: %w", ctx.Err()), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// removeStale removes a socket on which nobody answers.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("httpapi: look at the socket %s: %w", path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("httpapi: listen on the socket %s: something else is there, and is left alone; name another with --admin-socket", path)
	}
	conn, err := (&net.Dialer{Timeout: probeLimit}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("httpapi: listen on the socket %s: %w: another process answers on it; stop that, or name another with --admin-socket",
			path, ErrAddressInUse)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("httpapi: listen on the socket %s: one is there, and it is not known whether anybody answers on it: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("httpapi: remove the socket that a killed process left: %w", err)
	}
	return nil
}

// Close removes the socket, unless another has taken its place.
func (s *socket) Close() error {
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && s.made != nil && os.SameFile(now, s.made) {
			_ = os.Remove(s.path)
		}
	})
	if err := s.UnixListener.Close(); err != nil {
		return fmt.Errorf("httpapi: close the socket: %w", err)
	}
	return nil
}

// peerOf is what the audit log calls who is at the other end of a connection over
// a unix socket, as the kernel vouches for (SO_PEERCRED, unix(7)); empty when the
// connection is none.
func peerOf(conn net.Conn) string {
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return ""
	}
	peer := ""
	_ = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			peer = fmt.Sprintf("socket:uid=%d", cred.Uid)
		}
	})
	return peer
}
