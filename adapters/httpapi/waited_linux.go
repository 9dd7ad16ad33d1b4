package httpapi

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waitedOn asks the kernel how long ago the last data came in on a connection, to
// a few milliseconds: once a request was read, that is how long it waited.
func waitedOn(raw syscall.RawConn) func() (time.Duration, bool) {
	var info *unix.TCPInfo
	var failed error
	ask := func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}
	return func() (time.Duration, bool) {
		if err := raw.Control(ask); err != nil || failed != nil {
			return 0, false
		}
		return time.Duration(info.Last_data_recv) * time.Millisecond, true
	}
}
