package revocation

// Cursor is a place in the log of a group. The zero value stands before its first
// entry.
type Cursor struct {
	// Log tells one log from another of the same group: one that was deleted and
	// made anew has another.
	Log string
	// Seq is the number of the last entry that was seen.
	Seq uint64
}

// Changes is what a log has after a [Cursor].
type Changes struct {
	// Entries are in the order of their numbers.
	Entries []Entry
	// Next is the cursor after them.
	Next Cursor
	// Anew says that the cursor was of another log, or of none: what was read with
	// it counts no more, and Entries begin at the start.
	Anew bool
	// More says that there are more entries after Next.
	More bool
}
