package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/strictjson"
)

var sentinels = []error{
	strictjson.ErrSyntax, strictjson.ErrNotObject, strictjson.ErrDuplicate,
	strictjson.ErrTrailing, strictjson.ErrUTF8, strictjson.ErrDepth,
}

func nested(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

func TestARefusalNamesItsReasonAndPlace(t *testing.T) {
	tests := []struct {
		text   string
		want   error
		offset int
	}{
		{``, strictjson.ErrSyntax, 0},
		{" \t\r\n", strictjson.ErrSyntax, 4},
		{`{`, strictjson.ErrSyntax, 1},
		{`}`, strictjson.ErrSyntax, 0},
		{`{"a"`, strictjson.ErrSyntax, 4},
		{`{"a":`, strictjson.ErrSyntax, 5},
		{`{"a":1`, strictjson.ErrSyntax, 6},
		{`{"a":1,`, strictjson.ErrSyntax, 7},
		{`{"a":1,}`, strictjson.ErrSyntax, 7},
		{`{,"a":1}`, strictjson.ErrSyntax, 1},
		{`{"a":1,,"b":2}`, strictjson.ErrSyntax, 7},
		{`{"a":1 "b":2}`, strictjson.ErrSyntax, 7},
		{`{"a" 1}`, strictjson.ErrSyntax, 5},
		{`{"a"::1}`, strictjson.ErrSyntax, 5},
		{`{"a":}`, strictjson.ErrSyntax, 5},
		{`{a:1}`, strictjson.ErrSyntax, 1},
		{`{'a':1}`, strictjson.ErrSyntax, 1},
		{`{"a":'b'}`, strictjson.ErrSyntax, 5},
		{`{1:1}`, strictjson.ErrSyntax, 1},
		{`{null:1}`, strictjson.ErrSyntax, 1},
		{`{"a":[1,]}`, strictjson.ErrSyntax, 8},
		{`{"a":[,1]}`, strictjson.ErrSyntax, 6},
		{`{"a":[1 2]}`, strictjson.ErrSyntax, 8},
		{`{"a":[1}`, strictjson.ErrSyntax, 7},
		{`{"a":[}`, strictjson.ErrSyntax, 6},
		{`{"a":{]}`, strictjson.ErrSyntax, 6},
		{`{"a":01}`, strictjson.ErrSyntax, 6},
		{`{"a":-01}`, strictjson.ErrSyntax, 7},
		{`{"a":00}`, strictjson.ErrSyntax, 6},
		{`{"a":+1}`, strictjson.ErrSyntax, 5},
		{`{"a":-}`, strictjson.ErrSyntax, 6},
		{`{"a":1.}`, strictjson.ErrSyntax, 7},
		{`{"a":.5}`, strictjson.ErrSyntax, 5},
		{`{"a":-.5}`, strictjson.ErrSyntax, 6},
		{`{"a":1e}`, strictjson.ErrSyntax, 7},
		{`{"a":1e+}`, strictjson.ErrSyntax, 8},
		{`{"a":1e+-1}`, strictjson.ErrSyntax, 8},
		{`{"a":1.e1}`, strictjson.ErrSyntax, 7},
		{`{"a":0x10}`, strictjson.ErrSyntax, 6},
		{`{"a":1_000}`, strictjson.ErrSyntax, 6},
		{`{"a":NaN}`, strictjson.ErrSyntax, 5},
		{`{"a":nan}`, strictjson.ErrSyntax, 6},
		{`{"a":Infinity}`, strictjson.ErrSyntax, 5},
		{`{"a":-Infinity}`, strictjson.ErrSyntax, 6},
		{`{"a":True}`, strictjson.ErrSyntax, 5},
		{`{"a":tru}`, strictjson.ErrSyntax, 8},
		{`{"a":truee}`, strictjson.ErrSyntax, 9},
		{`{"a":fals`, strictjson.ErrSyntax, 9},
		{`{"a":nul}`, strictjson.ErrSyntax, 8},
		{`{"a":undefined}`, strictjson.ErrSyntax, 5},
		{"{\"a\":\"\n\"}", strictjson.ErrSyntax, 6},
		{"{\"a\":\"x\ty\"}", strictjson.ErrSyntax, 7},
		{"{\"a\":\"\x00\"}", strictjson.ErrSyntax, 6},
		{"{\"a\x1f\":1}", strictjson.ErrSyntax, 3},
		{"{\"a\":1\x00}", strictjson.ErrSyntax, 6},
		{"{\"a\":\x00}", strictjson.ErrSyntax, 5},
		{"{\v\"a\":1}", strictjson.ErrSyntax, 1},
		{"{\f\"a\":1}", strictjson.ErrSyntax, 1},
		{"{\u00a0\"a\":1}", strictjson.ErrSyntax, 1},
		{"{\ufeff\"a\":1}", strictjson.ErrSyntax, 1},
		{`{"a":"b`, strictjson.ErrSyntax, 7},
		{`{"a":"b\`, strictjson.ErrSyntax, 8},
		{`{"a":"b\"`, strictjson.ErrSyntax, 9},
		{`{"a":"\x41"}`, strictjson.ErrSyntax, 7},
		{`{"a":"\'"}`, strictjson.ErrSyntax, 7},
		{`{"a":"\U0041"}`, strictjson.ErrSyntax, 7},
		{`{"a":"\u004"}`, strictjson.ErrSyntax, 8},
		{`{"a":"\u004g"}`, strictjson.ErrSyntax, 8},
		{`{"a":"\u+041"}`, strictjson.ErrSyntax, 8},
		{`{"a":"\u00`, strictjson.ErrSyntax, 8},
		{`{"a":"\ud83d\u`, strictjson.ErrSyntax, 14},
		{`{/**/"a":1}`, strictjson.ErrSyntax, 1},
		{"{\"a\":1 // b\n}", strictjson.ErrSyntax, 7},
		{"{\"a\":1 # b\n}", strictjson.ErrSyntax, 7},
		{`// b`, strictjson.ErrSyntax, 0},
		{`nul`, strictjson.ErrSyntax, 3},
		{`[1,`, strictjson.ErrSyntax, 3},
		{`"a`, strictjson.ErrSyntax, 2},
		{`\u007b"a":1}`, strictjson.ErrSyntax, 0},

		{`[]`, strictjson.ErrNotObject, 0},
		{` [{"a":1}]`, strictjson.ErrNotObject, 1},
		{`null`, strictjson.ErrNotObject, 0},
		{`true`, strictjson.ErrNotObject, 0},
		{`"{}"`, strictjson.ErrNotObject, 0},
		{`-0.5e1`, strictjson.ErrNotObject, 0},

		{`{}{}`, strictjson.ErrTrailing, 2},
		{`{} {`, strictjson.ErrTrailing, 3},
		{`{}}`, strictjson.ErrTrailing, 2},
		{`{"a":1},`, strictjson.ErrTrailing, 7},
		{`{"a":1};`, strictjson.ErrTrailing, 7},
		{"{}\x00", strictjson.ErrTrailing, 2},
		{"{}\n\n null", strictjson.ErrTrailing, 5},
		{"{}\ufeff", strictjson.ErrTrailing, 2},
		{`{} // done`, strictjson.ErrTrailing, 3},

		{`{"a":1,"a":1}`, strictjson.ErrDuplicate, 7},
		{`{"a":1,"b":2, "a":null}`, strictjson.ErrDuplicate, 14},
		{`{"a":1,"\u0061":2}`, strictjson.ErrDuplicate, 7},
		{`{"\u0061":1,"a":2}`, strictjson.ErrDuplicate, 12},
		{`{"/":1,"\/":2}`, strictjson.ErrDuplicate, 7},
		{`{"":1,"":2}`, strictjson.ErrDuplicate, 6},
		{`{"\ud83d\ude00":1,"😀":2}`, strictjson.ErrDuplicate, 18},
		{`{"x":{"a":1,"a":2}}`, strictjson.ErrDuplicate, 12},
		{`{"x":[0,[{"a":1,"b":{},"a":2}]]}`, strictjson.ErrDuplicate, 23},
		{`{"x":{"y":1},"x":2}`, strictjson.ErrDuplicate, 13},
		{`{"a":1,"a"`, strictjson.ErrDuplicate, 7},

		{"\xef\xbb\xbf{}", strictjson.ErrUTF8, 0},
		{"\xff\xfe{\x00}\x00", strictjson.ErrUTF8, 0},
		{"{\"a\":\"\xff\"}", strictjson.ErrUTF8, 6},
		{"{\"\xc3\":1}", strictjson.ErrUTF8, 2},
		{"{\"a\":\"\xc0\xaf\"}", strictjson.ErrUTF8, 6},
		{"{\"a\":\"\xe0\x80\xaf\"}", strictjson.ErrUTF8, 6},
		{"{\"a\":\"\xed\xa0\x80\"}", strictjson.ErrUTF8, 6},
		{"{\"a\":\"\xf4\x90\x80\x80\"}", strictjson.ErrUTF8, 6},
		{"{\"é\":1}\x80", strictjson.ErrUTF8, 8},
		{"{\x80}", strictjson.ErrUTF8, 1},
		{`{"a":"\ud800"}`, strictjson.ErrUTF8, 6},
		{`{"a":"x\uDFFFy"}`, strictjson.ErrUTF8, 7},
		{`{"a":"\ud800\ud800"}`, strictjson.ErrUTF8, 6},
		{`{"a":"\udc00\ud800"}`, strictjson.ErrUTF8, 6},
		{`{"a":"\ud800\u0041"}`, strictjson.ErrUTF8, 6},
		{`{"a":"\ud800\n"}`, strictjson.ErrUTF8, 6},
		{`{"a":"\ud83dx\ude00"}`, strictjson.ErrUTF8, 6},
		{`{"\udead":1}`, strictjson.ErrUTF8, 2},

		{nested(strictjson.MaxDepth + 1), strictjson.ErrDepth, 5 + strictjson.MaxDepth - 1},
		{strings.Repeat("[", 1_000_000), strictjson.ErrDepth, strictjson.MaxDepth},
		{strings.Repeat(`{"a":`, 1_000_000), strictjson.ErrDepth, 5 * strictjson.MaxDepth},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%.40q", test.text), func(t *testing.T) {
			err := strictjson.Object([]byte(test.text), func(name string, _ strictjson.Value) error {
				t.Errorf("member %q was reported", name)
				return nil
			})
			var refusal *strictjson.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v, want a refusal", err)
			}
			for _, sentinel := range sentinels {
				if got, want := errors.Is(err, sentinel), errors.Is(test.want, sentinel); got != want {
					t.Errorf("%v: is %q: %v, want %v", err, sentinel, got, want)
				}
			}
			if refusal.Offset != test.offset {
				t.Errorf("%v: want byte %d", err, test.offset)
			}
			if (refusal.Name != "") && !errors.Is(test.want, strictjson.ErrDuplicate) {
				t.Errorf("name %q on another refusal than a duplicate", refusal.Name)
			}
		})
	}
}

func TestOddButValidTextIsAccepted(t *testing.T) {
	for _, text := range []string{
		`{}`, "\r\n\t {\r\n\t } \r\n\t ", `{"":""}`, `{"a":0}`, `{"a":-0}`, `{"a":-0.0e-0}`, `{"a":1E+400}`, `{"a":123456789012345678901234567890}`,
		`{"a":1,"A":2}`, `{"a":{"a":{"a":1}}}`, `{"a":[{"b":1},{"b":2}]}`, `{"a":{"x":1},"b":{"x":1}}`, `{"a":{},"b":[],"c":[[],{}]}`,
		"{\"a\":\"\u2028\u2029\ufffe\ufeff\x7f\"}", `{"a":"\u0000\ufffd\"\\\/\b\f\n\r\t"}`, "{\"\u00e9\":1,\"e\u0301\":2}", nested(strictjson.MaxDepth),
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("the test itself is wrong about %s", text)
		}
		if err := strictjson.Object([]byte(text), ignore); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMembersComeInOrderWithDecodedNames(t *testing.T) {
	data := []byte(` {"z": null, "\u0061\n": true ,"m":-1.50e3,"s":"x\ud83d\ude00\/y","l":[1, "a,]" ,[2,{"q":[]}],{}],"o":{"k":"v"}, "" :false}`)
	var got [][3]string
	err := strictjson.Object(data, func(name string, v strictjson.Value) error {
		got = append(got, [3]string{name, v.Kind().String(), string(v.Raw())})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][3]string{
		{"z", "null", "null"},
		{"a\n", "a boolean", "true"},
		{"m", "a number", "-1.50e3"},
		{"s", "a string", `"x\ud83d\ude00\/y"`},
		{"l", "an array", `[1, "a,]" ,[2,{"q":[]}],{}]`},
		{"o", "an object", `{"k":"v"}`},
		{"", "a boolean", "false"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnErrorOfTheCallerEndsTheWalkAndIsReturnedAsItIs(t *testing.T) {
	own, calls := errors.New("enough"), 0
	err := strictjson.Object([]byte(`{"a":1,"b":2,"c":3}`), func(name string, _ strictjson.Value) error {
		if calls++; name == "b" {
			return own
		}
		return nil
	})
	if err != own || calls != 2 { //nolint:errorlint // this very value is promised
		t.Errorf("got %v after %d calls, want %v after 2", err, calls, own)
	}
}

func TestAHostileNameIsCappedAndQuoted(t *testing.T) {
	name := strings.Repeat("é\x1b[31m", 1000)
	quoted, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	err = strictjson.Object(fmt.Appendf(nil, `{%s:1,%s:2}`, quoted, quoted), ignore)
	var refusal *strictjson.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if len(refusal.Name) > 64 || len(refusal.Name) < 60 || !strings.HasPrefix(name, refusal.Name) {
		t.Errorf("name is %q", refusal.Name)
	}
	for _, c := range []byte(err.Error()) {
		if c < ' ' || c > '~' {
			t.Fatalf("byte %#x in %q", c, err.Error())
		}
	}

	long := "x" + strings.Repeat("é", 40) // its 64th byte is half a character
	err = strictjson.Object(fmt.Appendf(nil, `{"%s":1,"%s":2}`, long, long), ignore)
	if !errors.As(err, &refusal) || refusal.Name != "x"+strings.Repeat("é", 31) {
		t.Errorf("got %v, want 31 whole characters after the x", err)
	}
}

func TestADuplicateIsFoundHoweverManyNamesThereAre(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 18, 31, 32, 33, 70} {
		for twice := range n {
			for _, format := range []string{`{%s}`, `{"outer":[{%s}]}`} {
				var names []string
				for i := range n {
					names = append(names, fmt.Sprintf(`"n%d":{"n%d":0}`, i, i))
				}
				once := fmt.Appendf(nil, format, strings.Join(names, ","))
				if err := strictjson.Object(once, ignore); err != nil {
					t.Fatalf("%d different names: %v", n, err)
				}
				names = append(names, fmt.Sprintf(`"n%d":0`, twice))
				again := fmt.Appendf(nil, format, strings.Join(names, ","))
				if err := strictjson.Object(again, ignore); !errors.Is(err, strictjson.ErrDuplicate) {
					t.Fatalf("%d names, the %dth again: %v", n, twice, err)
				}
			}
		}
	}
}

// Thirty-two times the names take about thirty-two times as long; if each were compared with each, a thousand times. The best of several
// runs is taken, and the bound lies far from both, so that a busy machine makes no difference.
func TestAHundredThousandNamesTakeLinearTime(t *testing.T) {
	const more, bound = 32, 200
	for _, format := range []string{`{%s}`, `{"a":[{%s}]}`} {
		few, many := best(t, 20, manyMembers(format, 100_000/more)), best(t, 3, manyMembers(format, 100_000))
		if many > bound*few {
			t.Errorf("%s: %d times the names take %v instead of %v", format, more, many, few)
		}
	}
}

func manyMembers(format string, n int) []byte {
	var members bytes.Buffer
	for i := range n {
		if i > 0 {
			members.WriteByte(',')
		}
		fmt.Fprintf(&members, `"name%d":%d`, i, i)
	}
	return fmt.Appendf(nil, format, members.Bytes())
}

// best is the shortest of several times that reading data takes.
func best(t *testing.T, runs int, data []byte) time.Duration {
	t.Helper()
	shortest := time.Duration(math.MaxInt64)
	for range runs {
		start := time.Now()
		if err := strictjson.Object(data, ignore); err != nil {
			t.Fatal(err)
		}
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}

func TestDeepNestingUsesLittleMemory(t *testing.T) {
	data := bytes.Repeat([]byte("["), 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := strictjson.Object(data, ignore)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, strictjson.ErrDepth) {
		t.Fatalf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2*uint64(len(data)) {
		t.Errorf("allocated %d bytes for a text of %d", used, len(data))
	}
}

func TestAFlatObjectNeedsTwoAllocationsAtMost(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		if err := strictjson.Object(request, readText); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations", got)
	}
}

func TestTextOutlivesTheData(t *testing.T) {
	data := []byte(`{"name":"text","list":["one"]}`)
	var got []string
	err := strictjson.Object(data, func(name string, v strictjson.Value) error {
		got = append(got, name)
		if text, ok := v.Text(); ok {
			got = append(got, text)
		}
		for _, element := range v.Elements() {
			text, _ := element.Text()
			got = append(got, text)
		}
		return nil
	})
	clear(data)
	if diff := cmp.Diff([]string{"name", "text", "list", "one"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func ignore(string, strictjson.Value) error { return nil }
