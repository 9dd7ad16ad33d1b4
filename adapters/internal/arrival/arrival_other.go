//go:build !linux

package arrival

import "net"

// Reader would read a connection; here nobody says when something came in.
type Reader struct{}

// New returns nil.
func New(net.Conn, func() bool) *Reader { return nil }

// Read is never called: there is no Reader.
func (*Reader) Read([]byte) (int, error) { return 0, nil }

// At is as Read.
func (*Reader) At() int64 { return 0 }
