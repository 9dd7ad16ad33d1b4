package httpapi_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/httpapi"
)

// socketPath is one in a directory whose path is short.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ems")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "admin.sock")
}

func TestTheSocketIsForItsUserAloneWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077} {
		path := socketPath(t)
		before := syscall.Umask(umask)
		l, err := httpapi.ListenSocket(t.Context(), path)
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("umask %04o: %v, %v", umask, info.Mode(), err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	}
}

// A chmod after bind would leave a moment in which another mode is seen.
func TestTheSocketIsNeverSeenWithAnotherMode(t *testing.T) {
	path := socketPath(t)
	var done atomic.Bool
	var looks sync.WaitGroup
	defer func() { done.Store(true); looks.Wait() }()
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	for range 2 {
		looks.Go(func() {
			for !done.Load() {
				if info, err := os.Lstat(path); err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("seen with mode %04o", info.Mode().Perm())
					return
				}
			}
		})
	}
	for range 200 {
		l, err := httpapi.ListenSocket(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}

// stale leaves a socket on which nobody answers, as a killed process does.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASocketThatAKilledProcessLeftIsReplaced(t *testing.T) {
	path := socketPath(t)
	stale(t, path)
	l, err := httpapi.ListenSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestASocketThatAnswersIsLeftToItsProcess(t *testing.T) {
	path := socketPath(t)
	first, err := httpapi.ListenSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if _, err := httpapi.ListenSocket(t.Context(), path); !errors.Is(err, httpapi.ErrAddressInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want %v", err, httpapi.ErrAddressInUse)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first lost its socket: %v", err)
	} else {
		_ = conn.Close()
	}
}

func TestOfManyWhoReplaceAStaleSocketOneListens(t *testing.T) {
	path := socketPath(t)
	for range 20 {
		stale(t, path)
		var all sync.WaitGroup
		var won atomic.Int32
		listeners := make([]net.Listener, 8)
		for i := range listeners {
			all.Go(func() {
				l, err := httpapi.ListenSocket(t.Context(), path)
				switch {
				case err == nil:
					won.Add(1)
					listeners[i] = l
				case !errors.Is(err, httpapi.ErrAddressInUse):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d listen", won.Load())
		}
		for _, l := range listeners {
			if l != nil {
				_ = l.Close()
			}
		}
	}
}

func TestWhatIsNoSocketIsNotReplaced(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := httpapi.ListenSocket(t.Context(), path); err == nil || !strings.Contains(err.Error(), "something else is there") {
		t.Errorf("got %v", err)
	}
	link := path + ".link"
	if err := os.Symlink(path+".nowhere", link); err != nil {
		t.Fatal(err)
	}
	if _, err := httpapi.ListenSocket(t.Context(), link); err == nil || !strings.Contains(err.Error(), "something else is there") {
		t.Errorf("a link to nowhere: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestAPathThatIsNoSocketsIsRefusedInWords(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	long := filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
	l, err := httpapi.ListenSocket(t.Context(), long)
	if err != nil {
		t.Fatalf("107 bytes: %v", err)
	}
	_ = l.Close()
	for what, tt := range map[string]struct{ path, says string }{
		"108 bytes":             {long + "x", "has 108 bytes, and a socket takes 107"},
		"an abstract name":      {"@embedseal", "open to every user"},
		"a directory not there": {filepath.Join(dir, "none", "admin.sock"), "no such file"},
	} {
		if _, err := httpapi.ListenSocket(t.Context(), tt.path); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestADirectoryThatIsLockedForLongIsNotWaitedForWithoutEnd(t *testing.T) {
	path := socketPath(t)
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := httpapi.ListenSocket(ctx, path); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "locked") {
		t.Errorf("got %v", err)
	}
}

func TestAClosedSocketTakesNoOtherAway(t *testing.T) {
	path := socketPath(t)
	first, err := httpapi.ListenSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := httpapi.ListenSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second lost its socket: %v", err)
	}
}
