package spelling_test

import (
	"strings"
	"testing"

	"embedseal/domain/spelling"
)

func TestTheNearestNameIsFound(t *testing.T) {
	known := []string{"provided_id", "embed_id", "key_id", "expiration", "chart_id", "embed_origin"}
	for _, c := range []struct {
		name, want string
		edits      int
	}{
		{"expiration", "expiration", 0},
		{"expiraton", "expiration", 1},
		{"exipration", "expiration", 1},
		{"EXPIRATION", "expiration", 0},
		{"embedid", "embed_id", 1},
		{"keyid", "key_id", 1},
		{"embed-origin", "embed_origin", 1},
		{"zzz", "", 0},
		{"", "", 0},
		{strings.Repeat("expiration", 10), "", 0},
	} {
		if got, edits := spelling.Nearest(c.name, known); got != c.want || edits != c.edits {
			t.Errorf("%q: got %q after %d edits, want %q after %d", c.name, got, edits, c.want, c.edits)
		}
	}
}
