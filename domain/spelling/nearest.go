// Package spelling answers: which known name did somebody mean who wrote
// another?
package spelling

import "strings"

// maxName is the longest name that is compared, in bytes: beyond it nothing is
// near, and comparing costs.
const maxName = 64

// Nearest returns the known name that is the fewest edits away from name
// without regard to case, and how many: at most a third of name's length and
// one. It returns "" when none is that near; of several the first counts.
func Nearest(name string, known []string) (near string, edits int) {
	if len(name) > maxName {
		return "", 0
	}
	edits = len(name)/3 + 2
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < edits {
			near, edits = k, d
		}
	}
	if near == "" {
		return "", 0
	}
	return near, edits
}

// distance is how many bytes have to be put in, left out or replaced, two
// neighbours that changed places counting once.
func distance(a, b string) int {
	before, above, here := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		here[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			here[j] = min(above[j]+1, here[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				here[j] = min(here[j], before[j-2]+1)
			}
		}
		before, above, here = above, here, before
	}
	return above[len(b)]
}
