package configs

import (
	"strings"

	"embedseal/domain/spelling"
)

// nearest is the known path that name was probably meant to be, or "". A name
// that is a key's without its section comes first. The dot of a path counts as
// the underscore that an environment variable has in its place.
func nearest(name string, known []string) string {
	alike := make([]string, len(known))
	byAlike := make(map[string]string, len(known))
	for i, path := range known {
		if _, leaf, ok := strings.Cut(path, "."); ok && leaf == name[strings.LastIndexByte(name, '.')+1:] {
			return path
		}
		alike[i] = underscored(path)
		byAlike[alike[i]] = path
	}
	near, _ := spelling.Nearest(underscored(name), alike)
	return byAlike[near]
}

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

// suggestion ends a sentence about an unknown name; spell writes a path as the
// name is written.
func suggestion(name string, known []string, spell func(path string) string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean " + spell(near) + "?"
	}
	return ""
}

func asPath(path string) string { return path }
