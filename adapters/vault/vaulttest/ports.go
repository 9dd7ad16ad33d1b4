package vaulttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// freePorts are count consecutive ports on 127.0.0.1 that nobody listens on.
// They are taken from below the range out of which the kernel serves others, so
// that they are still free when the server asks for them.
func freePorts(t testing.TB, count int) int {
	t.Helper()
	for range 1000 {
		first := 10000 + rand.IntN(20000) //nolint:gosec // a number to try
		if free(first, count) {
			return first
		}
	}
	t.Fatal("no free ports on 127.0.0.1")
	return 0
}

func free(first, count int) bool {
	for port := first; port < first+count; port++ {
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
