package ports

import "time"

// Meter counts what a process answers, for whoever watches it. It never fails,
// and returns at once.
type Meter interface {
	// Answered is told of each answer to a request for tokens: the `code` of its
	// problem, or "granted", and how long it took. It is safe for concurrent use.
	Answered(code string, took time.Duration)
}
