package httpapi

import (
	"fmt"
	"slices"

	"embedseal/domain/token"
)

// maxTypo is how many edits apart two names may be and still be taken for one
// another.
const maxTypo = 4

// maxUnknown is how many unknown members are named one by one, so that neither
// the answer nor the audit record grows with the body.
const maxUnknown = 16

const notShown = "(not shown)"

func known(name string) bool { return slices.Contains(token.Fields(), name) }

// unknownMember is the fault of a member that no request has. Its name is
// repeated only when it is short and plain, or a known name mistyped: it may be
// a secret that was pasted into the wrong place.
func unknownMember(name string) token.Fault {
	near, edits := nearest(name)
	shown := name
	if edits > maxTypo && (len(name) > 20 || !word(name)) || len(name) > 40 || !word(name) {
		shown = notShown
	}
	detail := "no such member"
	if edits <= maxTypo {
		detail += fmt.Sprintf("; did you mean %s?", near)
	}
	return token.Fault{Field: shown, Code: token.FaultMember, Detail: detail}
}

func moreUnknown(n int) token.Fault {
	return token.Fault{Field: notShown, Code: token.FaultMember, Detail: fmt.Sprintf("%d more members that no request has", n)}
}

func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

// nearest returns the known name that is the fewest edits away from name.
func nearest(name string) (near string, edits int) {
	edits = maxTypo + 1
	if len(name) > 40 {
		return "", edits
	}
	for _, candidate := range token.Fields() {
		if d := distance(name, candidate); d < edits && d < len(candidate)/2+1 {
			near, edits = candidate, d
		}
	}
	return near, edits
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
