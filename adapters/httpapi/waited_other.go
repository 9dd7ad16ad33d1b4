//go:build !linux

package httpapi

import (
	"syscall"
	"time"
)

// waitedOn knows nothing here: no request is refused for its wait.
func waitedOn(syscall.RawConn) func() (time.Duration, bool) {
	return func() (time.Duration, bool) { return 0, false }
}
