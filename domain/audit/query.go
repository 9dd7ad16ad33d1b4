package audit

import (
	"time"

	"embedseal/domain/secret"
)

// Query says which records are looked for: those that have all of it. An empty
// member asks for nothing.
type Query struct {
	// Group, when set, leaves out the records that belong to no group, too.
	Group                               string
	Action                              Action
	Outcome                             Outcome
	Code, RequestID, Remote, Operator   string
	TokenID, KeyID, Target, Change      string
	Customer, Embed, Chart, Fingerprint string
	// Since is the first instant that is wanted, Until the first that is not.
	Since, Until time.Time
}

// MaxPage is how many records one search answers with at most.
const MaxPage = 1000

// Window says which of the records found are wanted: the first Limit after
// number After, or with Last the last Limit of all. Limit is from 1 to MaxPage;
// anything else means MaxPage.
type Window struct {
	After uint64
	Limit int
	Last  bool
}

// Found is what a search found, the oldest first.
type Found struct {
	// Lines are the records as they stand in the log, without the end of the line.
	Lines [][]byte
	// Next is the After of the window that goes on from here; zero when there was
	// nothing more.
	Next uint64
	// Seq is the number of the last record that was looked at, found or not: who
	// waits for new ones goes on from there.
	Seq uint64
}

// Status is how a log is.
type Status struct {
	// Log is its name.
	Log string
	// Seq is the number of its last record.
	Seq uint64
	// OK is false while records cannot be written.
	OK bool
}

// ChainKey is what a log is chained with, and its name.
type ChainKey struct {
	Log string
	Key secret.Text
}
