package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is what is wanted beside what was seen.
type table struct{ rows []row }

type row struct{ what, wanted, seen, verdict string }

func (t *table) add(what, wanted, seen string, good bool) {
	verdict := "no"
	if good {
		verdict = "yes"
	}
	t.rows = append(t.rows, row{what, wanted, seen, verdict})
}

// missing is a row that could not be measured.
func (t *table) missing(what, wanted, why string) {
	t.rows = append(t.rows, row{what, wanted, "not measured: " + why, "-"})
}

func (t *table) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tWANTED\tSEEN (median, min to max)\tREACHED")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.wanted, r.seen, r.verdict)
	}
	_ = w.Flush()
	return out.String()
}

// series are the values of the rounds.
type series []float64

func (s series) sorted() series { return slices.Sorted(slices.Values(s)) }

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	all := s.sorted()
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// over divides round by round: what slows a round slows both sides of it.
func (s series) over(other series) series {
	var out series
	for i := range min(len(s), len(other)) {
		out = append(out, s[i]/other[i])
	}
	return out
}

func (s series) String() string { return s.format("%.3g") }

func (s series) format(verb string) string {
	if len(s) == 0 {
		return "nothing"
	}
	all := s.sorted()
	return fmt.Sprintf(verb+" ("+verb+" to "+verb+")", s.median(), all[0], all[len(all)-1])
}
