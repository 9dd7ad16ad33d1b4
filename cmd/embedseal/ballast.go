package main

import "os"

// ballastSize is what a heap that is nearly empty is made to look like. A server
// keeps a few MiB and throws some KiB away with every request, so that it would
// collect garbage dozens of times in a second; with this it lets about twice as much
// as the ballast come together first. Nothing ever touches it: it takes addresses,
// and no memory. A heap that is large goes on as without it.
const ballastSize = 6 << 20

// ballast is to be kept for as long as a server runs; nil where the operator has
// settled how garbage is collected.
func ballast() []byte {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return nil
		}
	}
	return make([]byte, ballastSize)
}
