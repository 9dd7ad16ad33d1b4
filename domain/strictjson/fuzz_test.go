package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"embedseal/domain/strictjson"
)

// FuzzObject holds the package against encoding/json: what is accepted decodes to the same there, and what encoding/json holds for a
// valid object is refused for exactly the dangers that are found here by other means.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, ` {"a":1} `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1},{"b":1,"c":{"b":0,"b":1}}]}`,
		`{"a":"\ud800"}`, `{"a":"\\ud800"}`, `{"a":"\\\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud800\ud83d\ude00"}`, `{"\udc00":1,"\udc01":1}`,
		`{"a":"\ud800\UDC00"}`, `{"a":"\uD800\udC00"}`, `{"a":[1e9999,{"b":1,"b":2}]}`, `{"a":-1E99999,"b":{"c":[[[1]]],"c":0}}`,
		"\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", "{\"\xff\":1,\"\xfe\":2}", `{"a":"\ufffd","\uFFFD":1}`, `{"a":01}`, `{"a":-0.0E+00}`, `{"a":1e999}`,
		`{"a":[1,2,]}`, `{"a":[[[],{}],"],",{"b":"}"}]}`, `{"a":nul}`, `{}{}`, `{} []`, `[]`, `"{}"`, `null`, "{\"a\":\"\t\"}", `{"a":"\x"}`,
		`{/*c*/}`, `{'a':1}`, `{"":{"":{"":""}}}`, "{\"a\u2028\":\"\u2029\"}", nested(32), nested(33), strings.Repeat("[", 40), strings.Repeat(`{"":`, 40),
		`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"\u0030":0}`,
		`{"success":1,"jwt":"a.b.c"}`, `{"alg":"dir","enc":"A256GCM","kid":"k"}`, `{"exp":4102444800.123456,"cst":"customer_1","rbc":["*"],"des":false}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, reported := map[string]any{}, 0
		var order []string
		given := bytes.Clone(data)
		err := strictjson.Object(data, func(name string, v strictjson.Value) error {
			reported++
			order = append(order, name)
			got[name] = decoded(t, v)
			return nil
		})
		if !bytes.Equal(given, data) {
			t.Fatal("the data was changed")
		}
		if err != nil {
			checkRefusal(t, data, err, reported)
			return
		}
		if danger := dangerOf(data); danger != nil {
			t.Fatalf("accepted in spite of: %v", danger)
		}
		if !json.Valid(data) {
			t.Fatal("accepted what is not JSON")
		}
		var want map[string]any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want, got) { // go-cmp takes exponential time on nested arrays
			t.Fatalf("got %v, want %v", got, want)
		}
		if want := namesOf(t, data); !slices.Equal(want, order) {
			t.Fatalf("got the order %q, want %q", order, want)
		}
	})
}

func checkRefusal(t *testing.T, data []byte, err error, reported int) {
	t.Helper()
	if reported > 0 {
		t.Fatalf("%d members were reported before: %v", reported, err)
	}
	var refusal *strictjson.Error
	if !errors.As(err, &refusal) || refusal.Offset < 0 || refusal.Offset > len(data) || len(refusal.Name) > 64 {
		t.Fatalf("refused by %#v", err)
	}
	matching := 0
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			matching++
		}
	}
	if matching != 1 {
		t.Fatalf("%v wraps %d sentinels", err, matching)
	}
	if errors.Is(err, strictjson.ErrUTF8) && utf8.Valid(data) && !bytes.HasPrefix(data, []byte("\ufeff")) && !loneSurrogate(string(data)) {
		t.Fatalf("%v, but the text is Unicode", err)
	}
	if !json.Valid(data) {
		return
	}
	if first := bytes.TrimLeft(data, " \t\r\n")[0]; first != '{' && utf8.Valid(data) && dangerOf(data) == nil {
		if !errors.Is(err, strictjson.ErrNotObject) {
			t.Fatalf("%v, but it is another value", err)
		}
		return
	} else if first != '{' {
		return
	}
	found := dangers(data)
	for sentinel, present := range found {
		if errors.Is(err, sentinel) && present {
			return
		}
	}
	t.Fatalf("encoding/json accepts it, and %v is not confirmed by %v", err, found)
}

// dangers finds by slower and independent means why valid JSON is to be refused.
func dangers(data []byte) map[error]bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // the walk would end at a number that no float holds
	duplicate, deepest := walk(decoder)
	return map[error]bool{
		strictjson.ErrUTF8:      !utf8.Valid(data) || loneSurrogate(string(data)),
		strictjson.ErrDuplicate: duplicate,
		strictjson.ErrDepth:     deepest > strictjson.MaxDepth,
	}
}

func dangerOf(data []byte) error {
	for sentinel, present := range dangers(data) {
		if present {
			return sentinel
		}
	}
	return nil
}

// The digits of an escape have no case, its u has: \U begins no escape (RFC 8259 section 7), so \ud800\UDC00 is half a pair.
var (
	surrogatePair = regexp.MustCompile(`\\u(?i:d[89ab][0-9a-f]{2})\\u(?i:d[c-f][0-9a-f]{2})`)
	surrogate     = regexp.MustCompile(`\\u(?i:d[89a-f][0-9a-f]{2})`)
)

func loneSurrogate(text string) bool {
	text = strings.ReplaceAll(text, `\\`, `__`)
	return surrogate.MatchString(surrogatePair.ReplaceAllString(text, "_"))
}

// walk says whether any object repeats a name, and how deep the text goes, by the tokens of encoding/json.
func walk(decoder *json.Decoder) (duplicate bool, deepest int) {
	type level struct {
		names  map[string]bool // nil in an array
		isName bool
	}
	var open []level
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return duplicate, deepest
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			top := &open[n-1]
			if top.isName = !top.isName; top.isName {
				name := token.(string)
				duplicate = duplicate || top.names[name]
				top.names[name] = true
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		}
		deepest = max(deepest, len(open))
	}
}

func namesOf(t *testing.T, data []byte) (names []string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// decoded turns a value into what encoding/json makes of it.
func decoded(t *testing.T, v strictjson.Value) any {
	t.Helper()
	switch v.Kind() {
	case strictjson.Bool:
		value, _ := v.Bool()
		return value
	case strictjson.Number:
		return json.Number(v.Raw())
	case strictjson.String:
		text, _ := v.Text()
		return text
	case strictjson.Array:
		values := []any{}
		for _, element := range v.Elements() {
			values = append(values, decoded(t, element))
		}
		return values
	case strictjson.Map:
		values := map[string]any{}
		err := strictjson.Object(v.Raw(), func(name string, v strictjson.Value) error {
			values[name] = decoded(t, v)
			return nil
		})
		if err != nil {
			t.Fatalf("a nested object that was proved: %v", err)
		}
		return values
	}
	return nil
}
