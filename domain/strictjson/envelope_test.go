package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/strictjson"
)

// envelope reads data, and returns the elements of "list" and the names of the
// other members.
func envelope(data string) (elements, others []string, err error) {
	raw, err := strictjson.Envelope([]byte(data), "list", func(name string, v strictjson.Value) error {
		others = append(others, name+" "+v.Kind().String())
		return nil
	})
	if raw != nil {
		elements = []string{}
	}
	for _, e := range raw {
		elements = append(elements, string(e))
	}
	return elements, others, err
}

func TestTheElementsOfAListAreForOthersToJudge(t *testing.T) {
	for data, want := range map[string][]string{
		`{}`:                     nil,
		`{"list":null}`:          nil,
		`{"list":{}}`:            nil,
		`{"list":"[]"}`:          nil,
		`{"a":[1]}`:              nil,
		`{"a":{"list":[1]}}`:     nil,
		`{"list":[]}`:            {},
		`{"list":[ ]}`:           {},
		`{ "l\u0069st" : [ 1 ]}`: {`1`},
		`{"list":[{"a":1,"a":2}, {"a":[{"b":1,"b":2}]} ]}`: {`{"a":1,"a":2}`, `{"a":[{"b":1,"b":2}]}`},
		`{"list":["\ud800",{"\udc00":"\ud800x"},null,{}]}`: {`"\ud800"`, `{"\udc00":"\ud800x"}`, `null`, `{}`},
		`{"list":[` + nested(32) + `]}`:                    {nested(32)},
	} {
		got, _, err := envelope(data)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", data, err, diff)
		}
	}
	if _, others, err := envelope(`{"list":{},"a":1,"b":{"list":[]}}`); err != nil || !cmp.Equal(others, []string{"list an object", "a a number", "b an object"}) {
		t.Errorf("got %q, %v", others, err)
	}
}

func TestWhatIsAroundTheElementsIsProved(t *testing.T) {
	for data, want := range map[string]error{
		`[]`: strictjson.ErrNotObject, `{"list":[]}x`: strictjson.ErrTrailing, `{"list":[],"list":[]}`: strictjson.ErrDuplicate,
		`{"list":[1],"a":{"b":1,"b":2}}`: strictjson.ErrDuplicate, `{"a":{"b":1,"b":2},"list":[1]}`: strictjson.ErrDuplicate,
		`{"list":{"b":1,"b":2}}`: strictjson.ErrDuplicate, `{"a":{"list":[{"b":1,"b":2}]}}`: strictjson.ErrDuplicate,
		`{"list":[],"a":"\ud800"}`: strictjson.ErrUTF8, `{"list":"\ud800"}`: strictjson.ErrUTF8, "{\"list\":[\"\xff\"]}": strictjson.ErrUTF8,
		`{"list":[1,]}`: strictjson.ErrSyntax, `{"list":[{"a" 1}]}`: strictjson.ErrSyntax, `{"list":[{"a":1,}]}`: strictjson.ErrSyntax,
		`{"list":[{1:1}]}`: strictjson.ErrSyntax, `{"list":[{"a":1]}`: strictjson.ErrSyntax, `{"list":[{"a":1}`: strictjson.ErrSyntax,
		`{"list":["\u00"]}`: strictjson.ErrSyntax, `{"list":["\x"]}`: strictjson.ErrSyntax, `{"list":[{"a":tru}]}`: strictjson.ErrSyntax,
		`{"list":[` + nested(33) + `]}`:              strictjson.ErrDepth,
		`{"list":[` + strings.Repeat("[", 1<<20):     strictjson.ErrDepth,
		`{"list":[` + strings.Repeat(`{"":`, 1<<20):  strictjson.ErrDepth,
		`{"list":[1],"a":` + nested(32) + `}`:        strictjson.ErrDepth,
		`{"a":` + nested(32) + `,"list":[1]}`:        strictjson.ErrDepth,
		`{"b":{"list":[` + nested(31) + `]},"a":[]}`: strictjson.ErrDepth,
	} {
		var refusal *strictjson.Error
		got, others, err := envelope(data)
		if !errors.Is(err, want) || !errors.As(err, &refusal) || got != nil || others != nil {
			t.Errorf("%.60s: %q %q, %v, want %v", data, got, others, err, want)
		}
	}
	mine := errors.New("of the caller")
	if got, err := strictjson.Envelope([]byte(`{"list":[1],"a":1}`), "list", func(string, strictjson.Value) error { return mine }); !errors.Is(err, mine) || got != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzEnvelope holds Envelope against encoding/json and against Object: it accepts
// whatever Object accepts, and what it accepts beyond that is refused by Object for
// one of its elements alone.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"list":[]}`, `{"list":[{"a":1,"a":2},{}],"a":null}`, `{"list":["\ud800",{"\udc00":{}}]}`, `{"a":{"list":[1]},"list":"x"}`,
		`{"list":[[[]],{"b":[1,{"c":"]"}]}, "," ,-1.5e3]}`, `{"l\u0069st":[1]}`, `{"list":[1],"list":[2]}`, `{"list":[` + nested(32) + `]}`,
		`{"list":[` + nested(33) + `]}`, `{"list":[1,]}`, `{"list":[1`, "{\"list\":[\"\xff\"]}", `{"list":["\ud83d\ude00","\ude00\ud83d","\\ud800"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		given := bytes.Clone(data)
		names := 0
		elements, err := strictjson.Envelope(data, "list", func(string, strictjson.Value) error { names++; return nil })
		if !bytes.Equal(given, data) {
			t.Fatal("the data was changed")
		}
		strict := strictjson.Object(data, func(string, strictjson.Value) error { return nil })
		if err != nil {
			if checkRefusalKind(t, err); strict == nil || names > 0 || elements != nil {
				t.Fatalf("refused by %v, and accepted by Object", err)
			}
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		var list []json.RawMessage
		if text := want["list"]; len(text) > 0 && text[0] == '[' {
			if err := json.Unmarshal(text, &list); err != nil {
				t.Fatal(err)
			}
			names++
		}
		if len(want) != names || len(list) != len(elements) || (list == nil) != (elements == nil) {
			t.Fatalf("%d members and %d elements, want %d and %d", names, len(elements), len(want), len(list))
		}
		blame := strict == nil
		for i, e := range elements {
			if !bytes.Equal(bytes.TrimSpace(list[i]), e) {
				t.Fatalf("element %d is %q, want %q", i, e, list[i])
			}
			inner := strictjson.Object([]byte(`{"e":`+string(e)+`}`), func(string, strictjson.Value) error { return nil })
			blame = blame || inner != nil || errors.Is(strict, strictjson.ErrDepth)
		}
		if !blame {
			t.Fatalf("Object refuses it by %v, and none of its elements", strict)
		}
	})
}

func checkRefusalKind(t *testing.T, err error) {
	t.Helper()
	matching := 0
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			matching++
		}
	}
	if matching != 1 {
		t.Fatalf("%v wraps %d sentinels", err, matching)
	}
}
