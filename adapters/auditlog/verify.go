package auditlog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"path/filepath"
	"slices"

	"embedseal/domain/audit"
	"embedseal/ports"
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
	file, err := s.open()
	if err != nil {
		return fmt.Errorf("%w: auditlog: read %s: %w", ports.ErrUnavailable, s.name, err)
	}
	defer func() { _ = file.Close() }()
	in := newLines(file)
	v.place = place{file: filepath.Base(s.name)}
	v.order[v.place.file] = number
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: auditlog: read %s: %w", ports.ErrUnavailable, s.name, err)
		}
		if line.number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v.place.line = line.number
		v.lines++
		v.step(line)
	}
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

// suspect remembers a line that does not follow.
func (v *verifier) suspect(s suspect) {
	if len(v.suspects) >= maxSuspects {
		v.giveUp()
	}
	if s.parsed {
		before := v.head.MAC
		for _, other := range v.suspects {
			if other.parsed {
				before = other.MAC
			}
		}
		s.computed = v.chain.compute(before, s.entry)
	}
	v.suspects = append(v.suspects, s)
}

// dismiss says of lines that stand where none was written that they do, unless next,
// the record after them, says that a crash left the last of them.
func (v *verifier) dismiss(lines []suspect, next entry) {
	left := v.leftBy(lines, next)
	for i, s := range lines {
		switch {
		case s.place == place{}: // said already
		case !s.parsed && i >= left:
			v.find(s.place, 0, audit.Recovered, recovered(s.piece, next))
		case !s.parsed:
			v.find(s.place, 0, audit.Inserted, "the line is no record")
		case s.Seq > v.head.Seq && len(v.strays) < maxStrays:
			v.strays = append(v.strays, stray{s, 0})
		default:
			v.find(s.place, s.Seq, audit.Inserted, foreign(s.Seq, v.head.Seq))
		}
	}
}

func recovered(p piece, by entry) string {
	if member(by.text, "code") == notChained {
		return fmt.Sprintf("a record of %d bytes that was written while the store was away, and is not chained; record %d describes it", p.size, by.Seq)
	}
	return fmt.Sprintf("a crash cut this line short after %d bytes; record %d says so", p.size, by.Seq)
}

// leftBy is from which of the lines on they are what next says that a crash, or
// writes that failed, have left.
func (v *verifier) leftBy(lines []suspect, next entry) int {
	last := len(lines) - 1
	if last < 0 || lines[last].parsed || next.text == nil || member(next.text, "action") != string(audit.ActionAuditTorn) {
		return len(lines)
	}
	target := member(next.text, "target")
	if all, ok := v.run.piece(); ok && all.String() == target {
		for last > 0 && !lines[last-1].parsed {
			last--
		}
		return last
	}
	if lines[last].piece.String() == target {
		return last
	}
	return len(lines)
}

func foreign(seq, head uint64) string {
	if seq <= head {
		return "a record that stands in the log already, or none of it"
	}
	return "the record was not written there"
}

// resolve says what became of the records between the head and last, of which these
// lines are all there is: the record after last follows the last line of them.
func (v *verifier) resolve(lines []suspect, last uint64) {
	expected, before := v.head.Seq+1, v.head.MAC
	edited := false // the line before
	for i, s := range lines {
		switch {
		case s.place == place{}:
		case !s.parsed:
			if expected <= last && expected < claimed(lines[i+1:], expected, last) {
				v.find(s.place, expected, audit.Edited, "the line is no record any more")
				expected++
				before = audit.MAC{}
			} else {
				v.find(s.place, 0, audit.Inserted, "the line is no record")
			}
		case s.Seq < expected || s.Seq > last:
			v.strayed(s, expected)
		case s.Seq == expected:
			if before != (audit.MAC{}) || expected == 1 {
				edited = v.notWritten(s, before, edited)
			}
			before, expected = s.MAC, expected+1
		default:
			v.missing(s, expected, s.Seq-1, before)
			before, expected = s.MAC, s.Seq+1
		}
	}
	if expected <= last {
		v.missing(suspect{place: v.place}, expected, last, before)
	}
}

// notWritten reports whether the line is not what followed that MAC.
func (v *verifier) notWritten(s suspect, before audit.MAC, afterEdited bool) bool {
	switch {
	case v.chain.follows(before, s.entry):
		return false
	case afterEdited:
		v.find(s.place, s.Seq, audit.Edited, "the record cannot be verified, as the one before it was edited; it may have been, too")
	default:
		v.find(s.place, s.Seq, audit.Edited, "the record is not as it was written")
	}
	return true
}

// claimed is the first number from expected to last that one of the lines has; more
// than last when none has.
func claimed(lines []suspect, expected, last uint64) uint64 {
	first := last + 1
	for _, s := range lines {
		if s.parsed && s.Seq >= expected && s.Seq <= last {
			first = min(first, s.Seq)
		}
	}
	return first
}

func (v *verifier) strayed(s suspect, at uint64) {
	if len(v.strays) < maxStrays {
		v.strays = append(v.strays, stray{s, at})
		return
	}
	v.find(s.place, s.Seq, audit.Inserted, "the record was not written there")
}

// missing notes that the records from and to and those between them are not before
// next.
func (v *verifier) missing(next suspect, from, to uint64, left audit.MAC) {
	g := gap{place: next.place, from: from, to: to, left: left, next: next}
	if len(v.gaps) < maxGaps {
		v.gaps = append(v.gaps, g)
		return
	}
	v.findGap(g)
}

// bringBack goes on with a stray that follows the head, so that e may follow it.
func (v *verifier) bringBack(e entry) bool {
	for i, s := range v.strays {
		if s.Seq == v.head.Seq+1 && s.Seq < e.Seq && v.chain.follows(v.head.MAC, s.entry) {
			v.strays = slices.Delete(v.strays, i, i+1)
			v.find(s.place, s.Seq, audit.Reordered, "the record stands before others that were written first")
			suspects := v.suspects
			v.accept(s.entry)
			v.suspects = suspects
			return true
		}
	}
	return false
}

// fillsGap accepts a record that was missing further up.
func (v *verifier) fillsGap(e entry) bool {
	for i := range v.gaps {
		g := &v.gaps[i]
		if e.Seq != g.from || !v.chain.follows(g.left, e) {
			continue
		}
		v.find(v.place, e.Seq, audit.Reordered, "the record stands behind others that were written later")
		v.report.Records++
		v.inspect(e)
		g.from, g.left = e.Seq+1, e.MAC
		if g.from > g.to {
			v.gaps = slices.Delete(v.gaps, i, i+1)
		}
		return true
	}
	return false
}

// giveUp takes the suspects for what they say they are.
func (v *verifier) giveUp() {
	last := v.head.Seq
	for _, s := range v.suspects {
		if s.parsed && s.Seq == last+1 {
			last = s.Seq
		}
	}
	if last == v.head.Seq { // nothing joins on: the highest number that there is
		for _, s := range v.suspects {
			last = max(last, s.Seq)
		}
	}
	mac := v.head.MAC
	for _, s := range v.suspects {
		if s.parsed && s.Seq == last {
			mac = s.MAC
		}
	}
	v.resolve(v.suspects, last)
	v.suspects = nil
	v.head = audit.Head{Seq: last, MAC: mac}
}

// finish says what is left to say.
func (v *verifier) finish() {
	for more := true; more; {
		more = v.bringBack(entry{Head: audit.Head{Seq: math.MaxUint64}})
	}
	end := v.head.Seq
	if n := len(v.suspects); n > 0 {
		end = v.ending(v.suspects[n-1])
	}
	if v.want.Seq > end {
		v.find(v.place, end+1, audit.Truncated, fmt.Sprintf("the records %d to %d are missing at the end", end+1, v.want.Seq))
	}
	v.settleStrays()
	for _, g := range v.gaps {
		v.findGap(g)
	}
	if v.report.Records == 0 && len(v.report.Findings) > 3 {
		v.report = audit.Report{}
		v.find(place{v.place.file, 0}, 0, audit.Edited, fmt.Sprintf("none of the %d lines was written with this key", v.lines))
	}
	if v.unkept {
		v.find(place{v.place.file, 0}, 0, audit.Unkept, "the store did not keep the key of this log: only the process that wrote it could tell whether it is whole")
	}
	for _, f := range v.intents {
		v.add(f)
	}
	slices.SortStableFunc(v.report.Findings, func(a, b audit.Finding) int {
		return cmp.Or(cmp.Compare(v.order[a.File], v.order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Seq, b.Seq))
	})
}

// ending resolves the suspects at the end of the log, and says up to which record it
// reaches.
func (v *verifier) ending(last suspect) uint64 {
	if !last.whole && !last.parsed {
		v.find(last.place, v.head.Seq+1, audit.Torn, fmt.Sprintf("the last line is cut short after %d bytes", last.piece.size))
		v.suspects = v.suspects[:len(v.suspects)-1]
	}
	head := v.head.Seq
	for _, s := range v.suspects {
		head = max(head, s.Seq)
	}
	// A number that nobody can have written is not taken for one of a record.
	if v.want.Seq > 0 {
		head = min(head, max(v.want.Seq, v.head.Seq+uint64(len(v.suspects))))
	}
	if head == v.head.Seq {
		v.dismiss(v.suspects, entry{})
		return head
	}
	v.resolve(v.suspects, head)
	return head
}

// settleStrays says of records that stand in a wrong place what they are: where the
// record of that place is missing, the line is that record with another number.
func (v *verifier) settleStrays() {
	for _, s := range v.strays {
		i := slices.IndexFunc(v.gaps, func(g gap) bool { return s.at > 0 && g.from <= s.at && s.at <= g.to })
		if i < 0 {
			v.find(s.place, s.Seq, audit.Inserted, "the record was not written there")
			continue
		}
		v.find(s.place, s.at, audit.Edited, "the record is not as it was written")
		g := v.gaps[i]
		v.gaps = slices.Delete(v.gaps, i, i+1)
		if g.from < s.at {
			left := g
			left.to = s.at - 1
			v.gaps = append(v.gaps, left)
		}
		if s.at < g.to {
			g.from = s.at + 1
			v.gaps = append(v.gaps, g)
		}
	}
}

func (v *verifier) findGap(g gap) {
	what := fmt.Sprintf("the records %d to %d are missing before this line", g.from, g.to)
	if g.from == g.to {
		what = fmt.Sprintf("the record %d is missing before this line", g.from)
	}
	v.find(g.place, g.from, audit.Removed, what)
}

func (v *verifier) find(at place, seq uint64, kind audit.Kind, detail string) {
	v.add(audit.Finding{File: at.file, Line: at.line, Seq: seq, Kind: kind, Detail: detail})
}

// add keeps the finding. What is no fault gives way to what is.
func (v *verifier) add(f audit.Finding) {
	if len(v.report.Findings) >= audit.MaxFindings {
		i := slices.IndexFunc(v.report.Findings, func(f audit.Finding) bool { return !f.Kind.Fault() })
		if i < 0 || !f.Kind.Fault() {
			if f.Kind.Fault() {
				v.report.More++
			}
			return
		}
		v.report.Findings = slices.Delete(v.report.Findings, i, i+1)
	}
	v.report.Findings = append(v.report.Findings, f)
}
