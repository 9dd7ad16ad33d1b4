// Package loopback answers: does what is sent to this host stay on this machine?
package loopback

import (
	"net/netip"
	"strings"
)

// Host reports whether host is localhost, however it is written, or an address
// that never leaves the machine; without brackets and port. A name that only
// resolves to such an address is none: others may answer for it.
func Host(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
