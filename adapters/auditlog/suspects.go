package auditlog

import (
	"fmt"
	"slices"

	"embedseal/domain/audit"
)

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
