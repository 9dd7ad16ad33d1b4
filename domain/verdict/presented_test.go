package verdict_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

func TestWhatIsGivenIsComparedOrRefused(t *testing.T) {
	got, err := verdict.Present(new("HTTPS://A.example:443"), new("e"), new("c"))
	if want := (verdict.Presented{Origin: origin(t, "https://a.example"), Embed: "e", Chart: "c"}); err != nil || got != want {
		t.Errorf("got %+v and %v", got, err)
	}
	if got, err := verdict.Present(nil, nil, nil); err != nil || got != (verdict.Presented{}) {
		t.Errorf("nothing given: %+v and %v", got, err)
	}
	for _, tt := range []struct {
		sentence             string
		origin, embed, chart *string
		want                 []string
	}{
		{"an origin that is none", new("null"), nil, nil, []string{"embed_origin:malformed"}},
		{"an empty origin", new(""), nil, nil, []string{"embed_origin:malformed"}},
		{"an empty embed", nil, new(""), nil, []string{"embed_id:malformed"}},
		{"an empty chart", nil, nil, new(""), []string{"chart_id:malformed"}},
		{"too long", nil, new(strings.Repeat("e", token.MaxID+1)), nil, []string{"embed_id:too_long"}},
		{"control characters", nil, new("a\x00"), new("b\n"), []string{"embed_id:malformed", "chart_id:malformed"}},
		{"all at once", new("x"), new(""), new(""), []string{"embed_origin:malformed", "embed_id:malformed", "chart_id:malformed"}},
	} {
		got, err := verdict.Present(tt.origin, tt.embed, tt.chart)
		var invalid *token.Invalid
		if !errors.As(err, &invalid) || got != (verdict.Presented{}) {
			t.Errorf("%s: %+v and %v", tt.sentence, got, err)
			continue
		}
		var codes []string
		for _, f := range invalid.Faults {
			codes = append(codes, f.Field+":"+f.Code)
		}
		if diff := cmp.Diff(tt.want, codes); diff != "" {
			t.Errorf("%s:\n%s", tt.sentence, diff)
		}
	}
}
