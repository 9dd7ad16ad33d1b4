package token_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/token"
)

// with is a draft that can be granted, changed by change.
func with(change func(*token.Draft)) token.Draft {
	d := token.Draft{ProvidedID: new("customer_1"), EmbedID: new("abcde")}
	change(&d)
	return d
}

// codes says which faults err holds, as field:code, and checks that no detail
// is missing or repeats any of secrets.
func codes(t *testing.T, err error, secrets ...string) []string {
	t.Helper()
	var invalid *token.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("got the error %v, want a *token.Invalid", err)
	}
	var codes []string
	for _, f := range invalid.Faults {
		codes = append(codes, f.Field+":"+f.Code)
		if f.Detail == "" || len(f.Detail) > 250 {
			t.Errorf("%s: the detail is %.300q", f.Field, f.Detail)
		}
		for _, secret := range secrets {
			if strings.Contains(f.Detail, secret) {
				t.Errorf("%s: the detail repeats the value: %q", f.Field, f.Detail)
			}
		}
		if !strings.Contains(err.Error(), f.Field+": "+f.Detail) {
			t.Errorf("the error does not tell of %s: %v", f.Field, err)
		}
	}
	return codes
}

func TestAFullRequestIsReadWhole(t *testing.T) {
	r, err := token.NewRequest(token.Draft{
		ProvidedID: new("customer_1"), EmbedID: new("abcde"), KeyID: new("aa111111-1a11-111a-aa11-1aaaa11a1a11"), Expiration: new("PT01H"),
		ChartID: new("chart 1"), Features: []string{"srt", "flt", "srt"}, DisableEditing: new(true), EmbedOrigin: new("HTTPS://Your-Domain.com:443"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Customer() != "customer_1" || r.Embed() != "abcde" || r.Chart() != "chart 1" || r.KeyID() != "aa111111-1a11-111a-aa11-1aaaa11a1a11" {
		t.Errorf("got %q, %q, %q, %q", r.Customer(), r.Embed(), r.Chart(), r.KeyID())
	}
	if r.Expiration().String() != "PT1H" || r.Origin().String() != "https://your-domain.com/" || r.DisableEditing() != token.Yes {
		t.Errorf("got %s, %s, %d", r.Expiration(), r.Origin(), r.DisableEditing())
	}
	if diff := cmp.Diff([]string{"srt", "flt"}, r.Features().Words()); diff != "" {
		t.Errorf("the features (-want +got):\n%s", diff)
	}
}

func TestWhatIsLeftOutStaysUnset(t *testing.T) {
	r, err := token.NewRequest(with(func(*token.Draft) {}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Chart() != "" || r.KeyID() != "" || !r.Expiration().IsZero() || r.Features().Given() || r.DisableEditing() != token.Unset || !r.Origin().IsZero() {
		t.Errorf("something is set: %+v", r)
	}
}

func TestNoFeaturesAndAnEmptyListAreOpposites(t *testing.T) {
	for _, tt := range []struct {
		words []string
		given bool
		fork  bool
	}{
		{nil, false, true},
		{[]string{}, true, false},
		{[]string{"*"}, true, true},
	} {
		r, err := token.NewRequest(with(func(d *token.Draft) { d.Features = tt.words }))
		if err != nil {
			t.Fatal(err)
		}
		if r.Features().Given() != tt.given || r.Features().Allows(token.FeatureFork) != tt.fork {
			t.Errorf("%#v: given %t, allows fork %t", tt.words, r.Features().Given(), r.Features().Allows(token.FeatureFork))
		}
	}
}

func TestNoAndLeftOutAreDifferent(t *testing.T) {
	for want, value := range map[token.Flag]*bool{token.Unset: nil, token.No: new(false), token.Yes: new(true)} {
		r, err := token.NewRequest(with(func(d *token.Draft) { d.DisableEditing = value }))
		if err != nil || r.DisableEditing() != want {
			t.Errorf("got %d and %v, want %d", r.DisableEditing(), err, want)
		}
	}
}

func TestAnIDIsAnyTextUpToItsCap(t *testing.T) {
	for _, id := range []string{
		"a", " ", "0", "null", "customer 1", `"quoted" \ and </script>`, "Ünïcödé \U0001F4C8", "\u2028", "\ufffd", "\ufeff", "\u00a0",
		"a\u0301", strings.Repeat("x", 256), strings.Repeat("x", 511), strings.Repeat("x", 512), strings.Repeat("ä", 256),
	} {
		d := token.Draft{ProvidedID: &id, EmbedID: &id, ChartID: &id}
		r, err := token.NewRequest(d)
		if err != nil || r.Customer() != id || r.Embed() != id || r.Chart() != id {
			t.Errorf("%.40q: got %.20q and %v", id, r.Customer(), err)
		}
	}
}

func TestAnIDThatIsNoneIsRefused(t *testing.T) {
	for _, tt := range []struct{ id, code string }{
		{strings.Repeat("x", 513), token.FaultTooLong},
		{strings.Repeat("ä", 257), token.FaultTooLong},
		{strings.Repeat("\x00", 1<<20), token.FaultTooLong},
		{"hunter2\x00", token.FaultMalformed},
		{"\x1fhunter2", token.FaultMalformed},
		{"hunter2\n", token.FaultMalformed},
		{"hunter2\r\n", token.FaultMalformed},
		{"\thunter2", token.FaultMalformed},
		{"hunter2\x1b[31m", token.FaultMalformed},
		{"hunter2\x7f", token.FaultMalformed},
		{"hunter2\u0080", token.FaultMalformed},
		{"hunter2\u009f", token.FaultMalformed},
		{"hunter2\xff", token.FaultMalformed},
		{"\xc3", token.FaultMalformed},
		{"\xed\xa0\x80", token.FaultMalformed},
		{"\xc0\x80", token.FaultMalformed},
	} {
		_, err := token.NewRequest(token.Draft{ProvidedID: &tt.id, EmbedID: &tt.id, ChartID: &tt.id})
		want := []string{"provided_id:" + tt.code, "embed_id:" + tt.code, "chart_id:" + tt.code}
		if diff := cmp.Diff(want, codes(t, err, "hunter2")); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", tt.id, diff)
		}
	}
}

func TestEachFieldIsJudged(t *testing.T) {
	for _, tt := range []struct {
		sentence string
		draft    token.Draft
		want     []string
	}{
		{"nothing at all", token.Draft{}, []string{"provided_id:required", "embed_id:required"}},
		{"empty ids", token.Draft{ProvidedID: new(""), EmbedID: new("")}, []string{"provided_id:required", "embed_id:required"}},
		{"no customer", token.Draft{EmbedID: new("e")}, []string{"provided_id:required"}},
		{"no embed", token.Draft{ProvidedID: new("c")}, []string{"embed_id:required"}},
		{"an empty chart is not no chart", with(func(d *token.Draft) { d.ChartID = new("") }), []string{"chart_id:malformed"}},
		{"an empty key is not no key", with(func(d *token.Draft) { d.KeyID = new("") }), []string{"key_id:malformed"}},
		{"a path as key", with(func(d *token.Draft) { d.KeyID = new("../x") }), []string{"key_id:malformed"}},
		{"a long key id", with(func(d *token.Draft) { d.KeyID = new(strings.Repeat("k", 129)) }), []string{"key_id:malformed"}},
		{"an empty expiration", with(func(d *token.Draft) { d.Expiration = new("") }), []string{"expiration:malformed"}},
		{"an instant as expiration", with(func(d *token.Draft) { d.Expiration = new("2026-03-01T00:00:00Z") }), []string{"expiration:malformed"}},
		{"seconds as expiration", with(func(d *token.Draft) { d.Expiration = new("3600") }), []string{"expiration:malformed"}},
		{"no time", with(func(d *token.Draft) { d.Expiration = new("PT0S") }), []string{"expiration:not_positive"}},
		{"a time before", with(func(d *token.Draft) { d.Expiration = new("-PT1H") }), []string{"expiration:not_positive"}},
		{"an endless time", with(func(d *token.Draft) { d.Expiration = new("P9999999999999Y") }), []string{"expiration:overflow"}},
		{"an empty origin", with(func(d *token.Draft) { d.EmbedOrigin = new("") }), []string{"embed_origin:malformed"}},
		{"a wildcard origin", with(func(d *token.Draft) { d.EmbedOrigin = new("https://*.example.com") }), []string{"embed_origin:malformed"}},
		{"an origin with a path", with(func(d *token.Draft) { d.EmbedOrigin = new("https://example.com/a") }), []string{"embed_origin:malformed"}},
		{"an unknown feature", with(func(d *token.Draft) { d.Features = []string{"flt", "sort"} }), []string{"rb_allowed_features:unknown_value"}},
		{"an empty feature", with(func(d *token.Draft) { d.Features = []string{""} }), []string{"rb_allowed_features:unknown_value"}},
		{"everything and more", with(func(d *token.Draft) { d.Features = []string{"*", "flt"} }), []string{"rb_allowed_features:unknown_value"}},
		{"more words than there are", with(func(d *token.Draft) { d.Features = slices.Repeat([]string{"flt"}, 17) }), []string{"rb_allowed_features:unknown_value"}},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			r, err := token.NewRequest(tt.draft)
			if diff := cmp.Diff(tt.want, codes(t, err)); diff != "" {
				t.Errorf("the faults (-want +got):\n%s", diff)
			}
			if r != (token.Request{}) {
				t.Errorf("a refused draft gives a request: %+v", r)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnceInTheOrderOfTheFields(t *testing.T) {
	secret := "hunter2hunter2hunter2hunter2hunt/" // one byte too long for a value, and no id of a key
	d := token.Draft{
		ProvidedID: new(secret + "\x00"), EmbedID: new(secret + "\x00"), KeyID: &secret, Expiration: &secret,
		ChartID: new(secret + "\x00"), Features: []string{secret}, EmbedOrigin: &secret,
	}
	_, err := token.NewRequest(d)
	want := []string{
		"provided_id:malformed", "embed_id:malformed", "key_id:malformed", "expiration:malformed", "chart_id:malformed",
		"rb_allowed_features:unknown_value", "embed_origin:malformed",
	}
	if diff := cmp.Diff(want, codes(t, err, "hunter2")); diff != "" {
		t.Errorf("the faults (-want +got):\n%s", diff)
	}
}

func TestWhatTheTransportRefusedIsNotJudgedAgain(t *testing.T) {
	wrong := func(field string) token.Fault {
		return token.Fault{Field: field, Code: token.FaultWrongType, Detail: "is a number, must be a string"}
	}
	var d token.Draft
	var want []string
	for _, field := range token.Fields() {
		d.Faults = append(d.Faults, wrong(field))
		want = append(want, field+":wrong_type")
	}
	for what, d := range map[string]token.Draft{
		"absent": d,
		"there": {
			ProvidedID: new(""), EmbedID: new(""), KeyID: new(""), Expiration: new(""), ChartID: new(""), EmbedOrigin: new(""),
			Features: []string{"nope"}, DisableEditing: new(true), Faults: d.Faults,
		},
	} {
		_, err := token.NewRequest(d)
		if diff := cmp.Diff(want, codes(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestFaultsOfTheTransportStandAmongTheOthersAndUnknownMembersLast(t *testing.T) {
	given := []token.Fault{
		{Field: "zzz", Code: token.FaultMember, Detail: "no such member"},
		{Field: token.FieldEmbedOrigin, Code: token.FaultWrongType, Detail: "is a number"},
		{Field: "aaa", Code: token.FaultMember, Detail: "no such member"},
		{Field: token.FieldEmbedID, Code: token.FaultWrongType, Detail: "is a number"},
	}
	faults := append(make([]token.Fault, 0, 16), given...) // room that nobody may write into
	d := token.Draft{KeyID: new("/"), Features: []string{"nope"}, Faults: faults}
	_, err := token.NewRequest(d)
	want := []string{
		"provided_id:required", "embed_id:wrong_type", "key_id:malformed", "rb_allowed_features:unknown_value", "embed_origin:wrong_type",
		"zzz:unknown_member", "aaa:unknown_member",
	}
	if diff := cmp.Diff(want, codes(t, err)); diff != "" {
		t.Errorf("the faults (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(given, d.Faults); diff != "" {
		t.Errorf("the draft was changed (-want +got):\n%s", diff)
	}
	if spare := faults[:cap(faults)][len(given)]; spare != (token.Fault{}) {
		t.Errorf("%+v was written behind the draft's faults", spare)
	}
}

func TestADraftTakesWhatItLeavesOutFromItsDefaults(t *testing.T) {
	yes, no := true, false
	full := token.Draft{
		ProvidedID: new("a"), EmbedID: new("b"), KeyID: new("c"), Expiration: new("PT1H"), ChartID: new("d"), EmbedOrigin: new("https://a.example"),
		Features: []string{}, DisableEditing: &yes,
	}
	other := token.Draft{
		ProvidedID: new("1"), EmbedID: new("2"), KeyID: new("3"), Expiration: new("PT2H"), ChartID: new("4"), EmbedOrigin: new("https://b.example"),
		Features: []string{"*"}, DisableEditing: &no,
	}
	mine := []token.Fault{{Field: "key_id", Code: token.FaultWrongType}}
	for _, tt := range []struct{ draft, defaults, want token.Draft }{
		{token.Draft{}, full, full},
		{full, token.Draft{}, full},
		{other, full, other},
		{full, other, full}, // an empty list is not left out
		{token.Draft{Faults: mine}, token.Draft{Faults: []token.Fault{{Field: "x"}}}, token.Draft{Faults: mine}},
	} {
		if diff := cmp.Diff(tt.want, tt.draft.Or(tt.defaults)); diff != "" {
			t.Error(diff)
		}
	}
}
