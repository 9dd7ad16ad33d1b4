package strictjson_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/strictjson"
)

// member is the value of the only member of text.
func member(t *testing.T, text string) (value strictjson.Value) {
	t.Helper()
	err := strictjson.Object([]byte(text), func(_ string, v strictjson.Value) error {
		value = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAValueAnswersForItsOwnKindOnly(t *testing.T) {
	for text, want := range map[string]strictjson.Kind{
		`null`: strictjson.Null, `true`: strictjson.Bool, `false`: strictjson.Bool, `0`: strictjson.Number, `-1e5`: strictjson.Number,
		`""`: strictjson.String, `"true"`: strictjson.String, `"[1]"`: strictjson.String, `[]`: strictjson.Array, `[null]`: strictjson.Array,
		`{}`: strictjson.Map, `{"a":[]}`: strictjson.Map,
	} {
		v := member(t, `{"a": `+text+` }`)
		if v.Kind() != want {
			t.Errorf("%s is %v, want %v", text, v.Kind(), want)
		}
		if got, ok := v.Text(); ok != (want == strictjson.String) || (!ok && got != "") {
			t.Errorf("%s: Text gives %q, %v", text, got, ok)
		}
		if got, ok := v.Bool(); ok != (want == strictjson.Bool) || got != (text == "true") {
			t.Errorf("%s: Bool gives %v, %v", text, got, ok)
		}
		if got := v.Elements(); (got != nil) != (want == strictjson.Array) {
			t.Errorf("%s: Elements gives %v", text, got)
		}
		if got := string(v.Raw()); got != text {
			t.Errorf("%s: Raw gives %s", text, got)
		}
	}
}

func TestTheZeroValueIsNull(t *testing.T) {
	var v strictjson.Value
	text, isText := v.Text()
	_, isBool := v.Bool()
	if v.Kind() != strictjson.Null || isText || text != "" || isBool || v.Elements() != nil || v.Raw() != nil {
		t.Errorf("got %v", v.Kind())
	}
}

func TestTextIsDecoded(t *testing.T) {
	for quoted, want := range map[string]string{
		`""`:                           "",
		`"plain é 😀"`:                  "plain é 😀",
		`"\"\\\/\b\f\n\r\t"`:           "\"\\/\b\f\n\r\t",
		`"\u0000\u0041\u00e9\u20AC"`:   "\x00Aé€",
		`"a\ud83d\ude00b\uD83D\uDE01"`: "a😀b😁",
		`"\\u0041"`:                    `\u0041`,
		`"\\\\n"`:                      `\\n`,
		`"\ufffd\uffff\udbff\udfff"`:   "\ufffd\uffff\U0010ffff",
	} {
		if got, ok := member(t, `{"a":`+quoted+`}`).Text(); !ok || got != want {
			t.Errorf("%s gives %q, %v, want %q", quoted, got, ok, want)
		}
	}
}

func TestElementsAreSplitAtTheirOwnCommas(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`:                    {},
		`[ ]`:                   {},
		`[1]`:                   {`1`},
		`[ 1 , 2,3 ]`:           {`1`, `2`, `3`},
		`["a,b","]","\"","\\"]`: {`"a,b"`, `"]"`, `"\""`, `"\\"`},
		"[true,\n\tfalse\r,null]": {
			`true`, `false`, `null`,
		},
		`[[1,2],[],{"a":[1,"]"],"b":{}} , [[["}"]]]]`: {`[1,2]`, `[]`, `{"a":[1,"]"],"b":{}}`, `[[["}"]]]`},
		`["","",-1.5e+3]`: {`""`, `""`, `-1.5e+3`},
	} {
		got := []string{}
		elements := member(t, `{"a":`+text+`}`).Elements()
		for _, element := range elements {
			got = append(got, string(element.Raw()))
		}
		if diff := cmp.Diff(want, got); diff != "" || elements == nil {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestAViewCannotGrowIntoWhatFollows(t *testing.T) {
	data := []byte(`{"a":[1,2],"b":3}`)
	err := strictjson.Object(data, func(_ string, v strictjson.Value) error {
		_ = append(v.Raw(), 'X')
		for _, element := range v.Elements() {
			_ = append(element.Raw(), 'X')
		}
		return nil
	})
	if err != nil || string(data) != `{"a":[1,2],"b":3}` {
		t.Errorf("%v: data is now %s", err, data)
	}
}

func TestKindsReadAsWords(t *testing.T) {
	var got []string
	for k := strictjson.Null; k <= strictjson.Map+1; k++ {
		got = append(got, k.String())
	}
	want := []string{"null", "a boolean", "a number", "a string", "an array", "an object", "an unknown kind"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
