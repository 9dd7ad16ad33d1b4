package auditlog

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"embedseal/domain/audit"
)

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
