// Package memory answers the questions of every store from the process itself,
// and forgets all on exit. It is the reference that the other stores are
// compared with: where one differs from it, that one is wrong.
package memory
