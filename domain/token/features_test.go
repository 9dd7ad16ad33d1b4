package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/token"
)

func allFeatures() []token.Feature {
	return []token.Feature{token.FeatureFilter, token.FeatureSort, token.FeatureCore, token.FeatureCreateView, token.FeatureFork}
}

func TestParseFeaturesKeepsWordsOnceAndInOrder(t *testing.T) {
	const everything = "flt srt core crt-view fork"
	tests := []struct {
		words    []string
		emitted  string
		expanded string
	}{
		{[]string{}, `[]`, ""},
		{[]string{"*"}, `["*"]`, everything},
		{[]string{"*", "*", "*"}, `["*"]`, everything},
		{[]string{"flt"}, `["flt"]`, "flt"},
		{[]string{"srt"}, `["srt"]`, "srt"},
		{[]string{"core"}, `["core"]`, "core crt-view fork"},
		{[]string{"crt-view"}, `["crt-view"]`, "crt-view"},
		{[]string{"fork"}, `["fork"]`, "fork"},
		{[]string{"flt", "srt"}, `["flt","srt"]`, "flt srt"},
		{[]string{"srt", "flt"}, `["srt","flt"]`, "flt srt"},
		{[]string{"srt", "flt", "srt", "srt", "flt"}, `["srt","flt"]`, "flt srt"},
		{[]string{"core", "flt"}, `["core","flt"]`, "flt core crt-view fork"},
		{[]string{"fork", "core"}, `["fork","core"]`, "core crt-view fork"},
		{[]string{"fork", "crt-view"}, `["fork","crt-view"]`, "crt-view fork"},
		{[]string{"fork", "crt-view", "core", "srt", "flt"}, `["fork","crt-view","core","srt","flt"]`, everything},
		{slices.Repeat([]string{"flt"}, 16), `["flt"]`, "flt"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.words), func(t *testing.T) {
			f, err := token.ParseFeatures(tt.words)
			if err != nil {
				t.Fatal(err)
			}
			if !f.Given() {
				t.Error("a list that was given is not")
			}
			if got := string(f.AppendJSON(nil)); got != tt.emitted {
				t.Errorf("AppendJSON = %s, want %s", got, tt.emitted)
			}
			if diff := cmp.Diff(features(tt.expanded), f.Expanded()); diff != "" {
				t.Errorf("Expanded (-want +got):\n%s", diff)
			}
			consistentFeatures(t, f)
		})
	}
}

func TestNullAndTheEmptyListAreOpposites(t *testing.T) {
	var zero token.Features
	empty, err := token.ParseFeatures([]string{})
	if err != nil {
		t.Fatal(err)
	}
	unset := token.UnsetFeatures()
	if empty != zero || empty == unset {
		t.Error("the zero value is not the empty list, or is the absent one")
	}
	if !zero.Given() || unset.Given() {
		t.Errorf("Given: empty %t, unset %t", zero.Given(), unset.Given())
	}
	if words := zero.Words(); words == nil || len(words) != 0 {
		t.Errorf("the words of the empty list are %#v", words)
	}
	if words := unset.Words(); words != nil {
		t.Errorf("the words of the absent list are %#v", words)
	}
	if got := string(zero.AppendJSON(nil)); got != "[]" {
		t.Errorf("the empty list is written %s", got)
	}
	if got := string(unset.AppendJSON(nil)); got != "null" {
		t.Errorf("the absent list is written %s", got)
	}
	for _, x := range allFeatures() {
		if zero.Allows(x) || !unset.Allows(x) {
			t.Errorf("%s: empty list %t, absent list %t", x, zero.Allows(x), unset.Allows(x))
		}
	}
	if diff := cmp.Diff([]token.Feature{}, zero.Expanded()); diff != "" {
		t.Errorf("Expanded of the empty list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(allFeatures(), unset.Expanded()); diff != "" {
		t.Errorf("Expanded of the absent list (-want +got):\n%s", diff)
	}
}

func TestANilListOfWordsIsTheStrictOne(t *testing.T) {
	f, err := token.ParseFeatures(nil)
	if err != nil || f != (token.Features{}) {
		t.Errorf("ParseFeatures(nil) = %v, %v", f.Words(), err)
	}
}

func TestEverythingGivenIsNotTheSameAsNothingGiven(t *testing.T) {
	given, err := token.ParseFeatures([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	if given == token.UnsetFeatures() || !given.Given() {
		t.Error("a list that was given would be left out")
	}
	if diff := cmp.Diff([]string{"*"}, given.Words()); diff != "" {
		t.Errorf("Words (-want +got):\n%s", diff)
	}
}

func TestAllowsNothingThatIsNotAFeature(t *testing.T) {
	everything, err := token.ParseFeatures([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []token.Feature{"", "*", "FLT", "flt ", "admin"} {
		if everything.Allows(x) || token.UnsetFeatures().Allows(x) || (token.Features{}).Allows(x) {
			t.Errorf("%q is allowed", x)
		}
	}
}

func TestParseFeaturesRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, words := range [][]string{
		{""}, {" "}, {"Flt"}, {"FLT"}, {"flt "}, {" flt"}, {"flt,srt"}, {"flt", "sort"}, {"crt_view"}, {"crtview"}, {"**"}, {"*flt"},
		{"view"}, {"null"}, {"all"}, {"none"}, {"flt\x00"}, {"f\u200blt"}, {"ｆｌｔ"}, {"\xff"}, {strings.Repeat("flt", 1<<16)},
		{"*", "flt"}, {"flt", "*"}, {"*", "*", "srt"}, {"flt", "srt", "core", "crt-view", "fork", "*"}, {"*", "nope"},
		slices.Repeat([]string{"flt"}, 17), slices.Repeat([]string{"*"}, 17), make([]string, 1<<16),
	} {
		f, err := token.ParseFeatures(words)
		if !errors.Is(err, token.ErrFeatures) {
			t.Errorf("ParseFeatures(%.60q) = %v, %v, want %v", words, f.Words(), err, token.ErrFeatures)
		}
		if f != (token.Features{}) {
			t.Errorf("a refused list still answers %v", f.Words())
		}
	}
}

func TestAnUnknownWordIsNamedByItsPlaceBesideTheKnownOnes(t *testing.T) {
	for _, word := range []string{"hunter2", "hunter2\nlevel=info", strings.Repeat("hunter2", 1<<14)} {
		_, err := token.ParseFeatures([]string{"flt", word})
		if err == nil {
			t.Fatal("an unknown word is accepted")
		}
		message := err.Error()
		for _, want := range []string{"word 2 ", "flt, srt, core, crt-view, fork", "*"} {
			if !strings.Contains(message, want) {
				t.Errorf("the error has no %s: %s", want, message)
			}
		}
		if strings.Contains(message, "hunter") {
			t.Errorf("the error repeats the word, which may be a secret: %.200q", message)
		}
	}
}

func TestEveryOrderOfEveryChoiceIsKept(t *testing.T) {
	seen := map[token.Features][]string{}
	var extend func(chosen []string)
	extend = func(chosen []string) {
		f, err := token.ParseFeatures(chosen)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[f]; ok {
			t.Errorf("%v and %v are one value", other, chosen)
		}
		seen[f] = chosen
		if diff := cmp.Diff(chosen, f.Words()); diff != "" {
			t.Errorf("Words (-want +got):\n%s", diff)
		}
		consistentFeatures(t, f)
		for _, x := range allFeatures() {
			if !slices.Contains(chosen, string(x)) {
				extend(append(slices.Clone(chosen), string(x)))
			}
		}
	}
	extend([]string{})
	if len(seen) != 326 {
		t.Errorf("%d lists, want 1+5+20+60+120+120", len(seen))
	}
}

// everyFeatures is every value there is.
func everyFeatures(t *testing.T) []token.Features {
	t.Helper()
	all := []token.Features{token.UnsetFeatures()}
	var extend func(chosen []string)
	extend = func(chosen []string) {
		f, err := token.ParseFeatures(chosen)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
		for _, x := range allFeatures() {
			if !slices.Contains(chosen, string(x)) {
				extend(append(slices.Clone(chosen), string(x)))
			}
		}
	}
	extend([]string{})
	everything, err := token.ParseFeatures([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, everything)
}

func TestACeilingHoldsWhatIsWithinIt(t *testing.T) {
	list := func(words ...string) token.Features {
		f, err := token.ParseFeatures(words)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	unset := token.UnsetFeatures()
	for _, tt := range []struct {
		f, ceiling token.Features
		want       bool
	}{
		{list(), list(), true}, {list("flt"), list(), false}, {list(), list("flt"), true},
		{list("fork"), list("core"), true}, {list("core"), list("crt-view", "fork"), false}, {list("core", "fork"), list("core"), true},
		{list("core"), list("core", "crt-view", "fork"), true},
		{unset, unset, true}, {unset, list("*"), true}, {list("*"), unset, true}, {list("*"), list("*"), true}, {list("core"), unset, true},
		// What is invented later is in no list of today.
		{list("*"), list("flt", "srt", "core"), false}, {unset, list("flt", "srt", "core", "crt-view", "fork"), false},
		{token.Features{}, unset, true}, {unset, token.Features{}, false},
	} {
		if got := tt.f.Within(tt.ceiling); got != tt.want {
			t.Errorf("%q within %q: %t", tt.f.Words(), tt.ceiling.Words(), got)
		}
	}
}

func TestWhatBothAllowIsAllThatBothAllow(t *testing.T) {
	all := everyFeatures(t)
	if len(all) != 328 {
		t.Fatalf("%d values, want 326 lists and two", len(all))
	}
	for _, a := range all {
		for _, b := range all {
			both := a.Intersect(b)
			if !both.Within(a) || !both.Within(b) {
				t.Fatalf("%q and %q give %q, which is more than one of them", a.Words(), b.Words(), both.Words())
			}
			for _, x := range allFeatures() {
				if both.Allows(x) != (a.Allows(x) && b.Allows(x)) {
					t.Fatalf("%q and %q give %q: %s is allowed %t", a.Words(), b.Words(), both.Words(), x, both.Allows(x))
				}
			}
			if both.Given() != (a.Given() || b.Given()) {
				t.Fatalf("%q and %q: given %t", a.Words(), b.Words(), both.Given())
			}
			if a.Given() && a.Within(b) && both != a {
				t.Fatalf("%q is within %q and becomes %q", a.Words(), b.Words(), both.Words())
			}
		}
	}
}

func FuzzFeatures(f *testing.F) {
	for _, list := range []string{
		`[]`, `null`, `["*"]`, `["*","*"]`, `["*","flt"]`, `["flt","srt"]`, `["core"]`, `["core","fork","crt-view","srt","flt","flt"]`,
		`[""]`, `["FLT"]`, `["\u0066lt"]`, `["flt\u0000"]`, `["\ud800"]`, `["flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt","flt"]`,
		`["crt-view"]`, `["crt_view"]`, `["\"],[\""]`,
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var words []string
		if json.Unmarshal(text, &words) != nil {
			return
		}
		got, err := token.ParseFeatures(words)
		if err != nil {
			if !errors.Is(err, token.ErrFeatures) || got != (token.Features{}) || len(words) == 0 {
				t.Fatalf("ParseFeatures(%q) = %v, %v", words, got.Words(), err)
			}
			return
		}
		if len(words) > token.MaxFeatureWords || !got.Given() {
			t.Fatalf("ParseFeatures(%q) = %v, given %t", words, got.Words(), got.Given())
		}
		var once []string
		for _, word := range words {
			if !slices.Contains(once, word) {
				once = append(once, word)
			}
		}
		if !slices.Equal(once, got.Words()) {
			t.Fatalf("ParseFeatures(%q) emits %q", words, got.Words())
		}
		consistentFeatures(t, got)
	})
}

// consistentFeatures checks the views of one given list against one another
// and against a second, plainer reading of its words.
func consistentFeatures(t *testing.T, f token.Features) {
	t.Helper()
	again, err := token.ParseFeatures(f.Words())
	if err != nil || again != f {
		t.Fatalf("%q is read back as %q, %v", f.Words(), again.Words(), err)
	}
	var words []string
	if err := json.Unmarshal(f.AppendJSON(nil), &words); err != nil || words == nil || !slices.Equal(words, f.Words()) {
		t.Fatalf("AppendJSON = %s, want %q: %v", f.AppendJSON(nil), f.Words(), err)
	}
	if got := string(f.AppendJSON([]byte("rbc:"))); got != "rbc:"+string(f.AppendJSON(nil)) {
		t.Fatalf("AppendJSON loses what stood before it: %s", got)
	}
	var allowed []token.Feature
	for _, x := range allFeatures() {
		listed := slices.Contains(words, "*") || slices.Contains(words, string(x))
		implied := slices.Contains(words, "core") && (x == "crt-view" || x == "fork")
		if f.Allows(x) != (listed || implied) {
			t.Fatalf("%q allows %s: %t", words, x, f.Allows(x))
		}
		if listed || implied {
			allowed = append(allowed, x)
		}
	}
	if !slices.Equal(allowed, f.Expanded()) {
		t.Fatalf("%q expands to %q, want %q", words, f.Expanded(), allowed)
	}
}

// features splits the documented notation of this test.
func features(text string) []token.Feature {
	list := []token.Feature{}
	for word := range strings.FieldsSeq(text) {
		list = append(list, token.Feature(word))
	}
	return list
}
