// Package arrival reads a TCP connection and says when that came in which was read. By
// then it may have waited a while: for the processor, or for a goroutine's turn.
package arrival

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reader reads one connection. The kernel says along with the data when it came in.
type Reader struct {
	raw  syscall.RawConn
	recv func(fd uintptr) bool
	// asks says whether to ask the kernel, which costs a little.
	asks func() bool

	at int64
	// What a read is about, kept so that it costs no memory, and what came of it.
	p       []byte
	message unix.Msghdr
	into    unix.Iovec
	beside  [64]byte
	n       int
	failure error
}

// New returns nil where the kernel does not say it. asks is called when something may
// have come in, and says whether it matters when that was; nil is always.
func New(conn net.Conn, asks func() bool) *Reader {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	}); err != nil || failed != nil {
		return nil
	}
	r := &Reader{raw: raw, asks: asks}
	r.recv = r.receive
	r.message.Iov = &r.into
	r.message.SetIovlen(1)
	r.message.Control = &r.beside[0]
	return r
}

// Read is that of a [net.Conn], for one goroutine at a time.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.p = p
	err := r.raw.Read(r.recv)
	r.p = nil
	switch {
	case err != nil:
		return 0, err //nolint:wrapcheck // an error of package net already
	case r.failure != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", r.failure)}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// At is when what was read last came in, by the clock of the wall, as nanoseconds since
// 1970; 0 where the kernel was not asked or did not say, as it may for what comes in
// right after it was asked for the first time.
func (r *Reader) At() int64 { return r.at }

// receive is called when something may have come in, and says whether the read is
// done.
func (r *Reader) receive(fd uintptr) bool {
	for {
		if r.asks == nil || r.asks() {
			r.n, r.at, r.failure = r.ask(fd)
		} else {
			r.at = 0
			r.n, r.failure = unix.Read(int(fd), r.p)
		}
		if !errors.Is(r.failure, unix.EINTR) {
			return !errors.Is(r.failure, unix.EAGAIN)
		}
	}
}

// ask reads, and asks the kernel when that came in. There is a function for this in x/sys
// that allocates twice.
func (r *Reader) ask(fd uintptr) (n int, at int64, failure error) {
	r.into.Base = &r.p[0]
	r.into.SetLen(len(r.p))
	r.message.SetControllen(len(r.beside))
	read, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.message)), 0) //nolint:gosec // the kernel fills what r has
	r.into.Base = nil
	if errno != 0 {
		return 0, 0, errno //nolint:wrapcheck // Read does
	}
	return int(read), arrivedAt(r.beside[:min(uint64(r.message.Controllen), uint64(len(r.beside)))]), nil
}

// arrivedAt finds the moment in what the kernel says beside the data.
func arrivedAt(beside []byte) int64 {
	for len(beside) >= unix.SizeofCmsghdr {
		header, data, rest, err := unix.ParseOneSocketControlMessage(beside)
		if err != nil {
			return 0
		}
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SO_TIMESTAMPNS_NEW && len(data) >= 16 {
			seconds, nanoseconds := binary.NativeEndian.Uint64(data), binary.NativeEndian.Uint64(data[8:])
			return int64(seconds)*int64(time.Second) + int64(nanoseconds)
		}
		beside = rest
	}
	return 0
}
