package audit

// Kind is what a [Finding] is about.
type Kind string

// The kinds of findings.
const (
	// Edited: the line is not what was written there.
	Edited Kind = "edited"
	// Removed: records that were written between two others, or before the first
	// one, are not there.
	Removed Kind = "removed"
	// Reordered: the record stands in another place than it was written in.
	Reordered Kind = "reordered"
	// Inserted: the line is none of the log, or one of it for a second time.
	Inserted Kind = "inserted"
	// Truncated: the end is missing.
	Truncated Kind = "truncated"
	// Torn: the last line is cut short.
	Torn Kind = "torn"
	// Unreadable: the file cannot be read, or holds nothing of a log.
	Unreadable Kind = "unreadable"
	// Unkept: the log was written with a key that its store did not take, and
	// nobody can say whether it is whole.
	Unkept Kind = "unkept"

	// Recovered: a crash cut the line short, and the log says so. No fault.
	Recovered Kind = "recovered"
	// OpenIntent: the record says that a change was about to be made, and none says
	// what came of it: it is under way, or a crash came between. No fault.
	OpenIntent Kind = "open_intent"
)

// Fault reports whether a log with such a finding is not what was written.
func (k Kind) Fault() bool { return k != Recovered && k != OpenIntent }

// Finding is one thing that stands out in a log.
type Finding struct {
	// File is the name of the file, without its directory.
	File string
	// Line counts from 1; zero is the file as a whole.
	Line int
	// Seq is the number of the record in question; zero when nobody can tell.
	Seq  uint64
	Kind Kind
	// Detail is a sentence without a full stop. It repeats nothing of the line.
	Detail string
}

// MaxFindings is how many findings a report holds. Those that are no fault give
// way to those that are.
const MaxFindings = 1000

// Report is what came of the verification of a log.
type Report struct {
	// Records is how many were as they were written; First and Last are the numbers
	// of the first and the last of them.
	Records     uint64
	First, Last uint64
	Findings    []Finding
	// More is how many findings there were beyond MaxFindings.
	More int
}

// OK reports whether the log is what was written.
func (r Report) OK() bool {
	for _, f := range r.Findings {
		if f.Kind.Fault() {
			return false
		}
	}
	return r.More == 0
}
