package configs

import (
	"strings"

	"embedseal/domain/spelling"
)

// nearest is the known name that name was probably meant to be, or "". A name
// without its section counts as near to the one with it.
func nearest(name string, known []string) string {
	if near, _ := spelling.Nearest(name, known); near != "" {
		return near
	}
	for _, k := range known {
		if _, leaf, ok := strings.Cut(k, "."); ok && leaf == name[strings.LastIndexByte(name, '.')+1:] {
			return k
		}
	}
	return ""
}

// suggestion ends a sentence about an unknown name.
func suggestion(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}
