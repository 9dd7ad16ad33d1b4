package configs

import "strings"

// nearest is the known path that name was probably meant to be, or "". A name
// that is a key's without its section comes first. The dot of a path counts as
// the underscore that an environment variable has in its place.
func nearest(name string, known []string) string {
	const longest = 64 // beyond it nothing is near, and comparing costs
	if len(name) > longest {
		return ""
	}
	for _, path := range known {
		if _, leaf, ok := strings.Cut(path, "."); ok && leaf == name[strings.LastIndexByte(name, '.')+1:] {
			return path
		}
	}
	same := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), ".", "_") }
	best, least := "", len(name)/3+2
	for _, path := range known {
		if d := distance(same(name), same(path)); d < least {
			best, least = path, d
		}
	}
	return best
}

// distance is how many bytes have to be put in, left out or replaced, two
// neighbours that changed places counting once.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, above, here := rows[0], rows[1], rows[2]
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

// suggestion ends a sentence about an unknown name; spell writes a path as the
// name is written.
func suggestion(name string, known []string, spell func(path string) string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean " + spell(near) + "?"
	}
	return ""
}

func asPath(path string) string { return path }
