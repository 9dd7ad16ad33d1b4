// Package prefetch asks the processor to bring memory near that will be read soon, and
// does not wait for it: what is fetched while something else is computed costs nothing
// when it is read. On processors other than amd64 and arm64 it does nothing.
//
// It reads nothing itself: an address of whatever is not there, or no longer, is harmless.
package prefetch

import "unsafe"

// line is what a processor fetches at once. Where its lines are longer, some are asked
// for twice.
const line = 64

// First fetches the first bytes of what p points to; none of nil.
func First[T any](p *T, bytes uintptr) {
	fetch(unsafe.Pointer(p), bytes) //nolint:gosec // it is never read through
}

// Text fetches a text.
func Text(s string) {
	fetch(unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))) //nolint:gosec // it is never read through
}

// Behind fetches the first bytes of what v holds a pointer to, or of a copy that v holds;
// none of nil.
func Behind(v any, bytes uintptr) {
	// An interface is its type and one pointer: https://research.swtch.com/interfaces
	fetch((*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1], bytes) //nolint:gosec // it is never read through
}

func fetch(p unsafe.Pointer, bytes uintptr) {
	if n := linesOf(uintptr(p), bytes); p != nil && n > 0 {
		lines(p, n)
	}
}

// linesOf is how many lines hold so many bytes from an address on, which need not be where
// a line begins.
func linesOf(address, bytes uintptr) uintptr {
	if bytes == 0 {
		return 0
	}
	return (address%line + bytes + line - 1) / line
}
