// Package entropy answers: where do bytes come from that nobody can guess?
package entropy

import "crypto/rand"

// System is the random source of the operating system. The zero value is
// ready and safe for concurrent use; it implements ports.Random.
type System struct{}

// Fill fills all of p. crypto/rand ends the program rather than hand out bytes
// that it cannot vouch for.
func (System) Fill(p []byte) {
	// Its error is documented to be nil always: https://pkg.go.dev/crypto/rand#Read
	_, _ = rand.Read(p)
}
