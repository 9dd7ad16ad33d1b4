package auditlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"path/filepath"
	"slices"

	"embedseal/domain/audit"
)

const (
	// maxSuspects is how many lines in a row are looked at together.
	maxSuspects = 64
	// maxRun is how many lines in a row that are no records are told apart.
	maxRun = 16
	// maxCandidates is after how many of them a record is tried.
	maxCandidates = 8
	// maxIntents bounds what is remembered of changes without an outcome, maxGaps of
	// places where records are missing, maxStrays of records in a wrong place.
	maxIntents, maxGaps, maxStrays = 10000, 1000, 256
)

// verifier reads the files of a log in their order and says where they are not what
// was written.
//
// What was written is the chain that begins at the zero MAC. A record that does not
// follow the one before it is a suspect, and so are those after it, until one is
// found that follows the head of the chain, or a suspect: that one then shows which
// numbers stand between, and with it what became of each.
type verifier struct {
	chain  *chain
	report audit.Report
	want   audit.Head

	// head is the last record that is as it was written.
	head     audit.Head
	suspects []suspect
	// strays are records in a place that is not theirs: they may be missing later.
	strays []stray
	gaps   []gap
	// run is the lines before the current one that are no records.
	run run
	// place is the current line.
	place   place
	lines   uint64
	unkept  bool
	order   map[string]int
	intents map[string]audit.Finding
}

type place struct {
	file string
	line int
}

// suspect is a line that does not follow the head of the chain.
type suspect struct {
	place
	entry       // its text is a copy
	parsed bool // it has the form of a record
	piece  piece
	whole  bool
	// computed is the MAC that the line would have there.
	computed audit.MAC
}

// run is consecutive lines that have not the form of a record.
type run struct {
	lines int
	bytes int64
	sum   hash.Hash
	// broken says that one was too long to be hashed with the others.
	broken bool
}

// add takes one more line.
func (r *run) add(l line) {
	if r.lines == 0 {
		*r = run{sum: sha256.New()}
	} else {
		_, _ = r.sum.Write([]byte{'\n'}) // never fails
		r.bytes++
	}
	_, _ = r.sum.Write(l.text)
	r.bytes += int64(len(l.text))
	r.lines++
	r.broken = r.broken || len(l.text) == 0 && l.piece.size > 0
}

// piece is all of the run, and whether that can be told.
func (r *run) piece() (piece, bool) {
	if r.lines == 0 || r.broken {
		return piece{}, false
	}
	return piece{r.bytes, [sha256.Size]byte(r.sum.Sum(nil))}, true
}

// stray is a suspect with the number of the record whose place it stands in.
type stray struct {
	suspect
	at uint64
}

// gap is records that are missing.
type gap struct {
	place
	from, to uint64
	// left is the MAC before the first of them, next the record after the last.
	left audit.MAC
	next suspect
}

// verify reads sources, which must be in the order of their first records. want is
// a record that must be among theirs.
func verify(ctx context.Context, c *chain, sources []source, want audit.Head) (audit.Report, error) {
	v := &verifier{chain: c, want: want, order: map[string]int{}, intents: map[string]audit.Finding{}}
	for i, s := range sources {
		if err := v.read(ctx, s, i); err != nil {
			for _, rest := range sources[i+1:] {
				closeUnread(rest)
			}
			return audit.Report{}, err
		}
	}
	v.finish()
	return v.report, nil
}

func (v *verifier) read(ctx context.Context, s source, number int) error {
	v.place = place{file: filepath.Base(s.name)}
	v.order[v.place.file] = number
	return s.scan(ctx, func(l line) bool {
		v.place.line = l.number
		v.lines++
		v.step(l)
		return true
	})
}

// step takes one line.
func (v *verifier) step(l line) {
	e, parsed := parse(l.text)
	if !parsed {
		v.run.add(l)
		s := suspect{place: v.place, piece: l.described(), whole: l.whole}
		if n := len(v.suspects); v.run.lines > maxRun && n > 0 {
			s.place = v.suspects[n-1].place // one finding stands for all that follow
			v.suspects[n-1] = s
			return
		}
		v.suspect(s)
		return
	}
	defer func() { v.run.lines = 0 }()
	for !v.follow(e) {
		if !v.bringBack(e) { // a record that was seen before it was due
			if !v.fillsGap(e) {
				e.text = bytes.Clone(e.text)
				v.suspect(suspect{place: v.place, entry: e, parsed: true, whole: l.whole})
			}
			return
		}
	}
}

// follow accepts e if it follows the head, or one of the suspects.
func (v *verifier) follow(e entry) bool {
	if e.Seq == v.head.Seq+1 && v.chain.follows(v.head.MAC, e) {
		v.dismiss(v.suspects, e)
		v.accept(e)
		return true
	}
	for i := len(v.suspects) - 1; i >= max(0, len(v.suspects)-maxCandidates); i-- {
		s := v.suspects[i]
		if !s.parsed || !v.chain.follows(s.MAC, e) && !v.chain.follows(s.computed, e) {
			continue
		}
		if e.Seq <= v.head.Seq+1 { // a piece of the log for a second time
			v.dismiss(v.suspects, e)
			v.find(v.place, e.Seq, audit.Inserted, "a record that stands in the log already")
			e.text = bytes.Clone(e.text)
			v.suspects = []suspect{{place: place{}, entry: e, parsed: true, whole: true}}
			return true
		}
		v.resolve(v.suspects[:i+1], e.Seq-1)
		v.dismiss(v.suspects[i+1:], e)
		v.accept(e)
		return true
	}
	return false
}

// accept goes on from e, which is as it was written.
func (v *verifier) accept(e entry) {
	v.suspects = nil
	v.head = e.Head
	v.report.Records++
	if v.report.First == 0 {
		v.report.First = e.Seq
	}
	v.report.Last = e.Seq
	v.inspect(e)
	if e.Seq == v.want.Seq && e.MAC != v.want.MAC {
		v.find(v.place, e.Seq, audit.Edited, "it is not the record of this number that the store knows")
	}
}

// inspect reads what a record says that matters to the verification.
func (v *verifier) inspect(e entry) {
	if change := member(e.text, "change"); change != "" {
		if member(e.text, "outcome") != string(audit.Intent) {
			delete(v.intents, change)
		} else if len(v.intents) < maxIntents {
			v.intents[change] = audit.Finding{
				File: v.place.file, Line: v.place.line, Seq: e.Seq, Kind: audit.OpenIntent,
				Detail: "the intent " + member(e.text, "action") + " has no outcome: it is under way, or a crash came between",
			}
		}
	}
	switch audit.Action(member(e.text, "action")) {
	case audit.ActionAuditPruned:
		v.pruned(e)
	case audit.ActionAuditOpened:
		v.unkept = v.unkept || member(e.text, "code") == keyNotKept
	default:
	}
}

// pruned excuses what is missing before the first file, if the record says so.
func (v *verifier) pruned(e entry) {
	last, ok := parseHead(member(e.text, "target"))
	if !ok {
		return
	}
	v.gaps = slices.DeleteFunc(v.gaps, func(g gap) bool {
		if g.from != 1 || g.to != last.Seq || g.next.text == nil {
			return false
		}
		if !v.chain.follows(last.MAC, g.next.entry) {
			v.find(g.place, g.next.Seq, audit.Edited, "the record is not as it was written")
		}
		return true
	})
}
