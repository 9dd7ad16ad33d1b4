package auditlog_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/domain/token"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// minted is an event with every member of a mint.
func minted() audit.Event {
	return audit.Event{
		Time: noon().Add(123456789), RequestID: "r1", Action: audit.ActionMint, Outcome: audit.Granted, Remote: "192.0.2.7",
		Group: "acme", TokenID: "t1", KeyID: "k1", Customer: "customer_1", Embed: "abcde", Chart: "c1",
		IssuedAt: noon(), ExpiresAt: noon().Add(24 * time.Hour), Fingerprint: token.FingerprintOfSealed([]byte("x")),
	}
}

func TestALineIsExact(t *testing.T) {
	const begin = `{"time":"2026-03-01T12:00:00.000000Z"`
	for _, tt := range []struct {
		sentence string
		event    audit.Event
		want     string
	}{
		{"a mint", minted(), `{"time":"2026-03-01T12:00:00.123456Z","request_id":"r1","action":"mint","outcome":"granted","remote":"192.0.2.7",` +
			`"group":"acme","token_id":"t1","key_id":"k1","customer":"customer_1","embed":"abcde","chart":"c1",` +
			`"issued_at":"2026-03-01T12:00:00Z","expires_at":"2026-03-02T12:00:00Z",` +
			`"fingerprint":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}`},
		{"a refusal", audit.Event{Time: noon(), Action: audit.ActionMint, Outcome: audit.Refused, Code: "invalid_request", Rules: []string{"expiration:malformed", "unknown_member"}},
			begin + `,"action":"mint","outcome":"refused","code":"invalid_request","rules":["expiration:malformed","unknown_member"]}`},
		{"one rule", audit.Event{Time: noon(), Rules: []string{"a"}}, begin + `,"rules":["a"]}`},
		{"no rule", audit.Event{Time: noon(), Rules: []string{}}, begin + `}`},
		{"an empty rule", audit.Event{Time: noon(), Rules: []string{""}}, begin + `,"rules":[""]}`},
		{"a refusal that stands for many", audit.Event{Time: noon(), Alike: 17}, begin + `,"alike":17}`},
		{"a refusal that stands for itself", audit.Event{Time: noon(), Alike: 1}, begin + `}`},
		{"next to nothing", audit.Event{Time: noon()}, begin + `}`},
		{"a time of another zone", audit.Event{Time: noon().In(time.FixedZone("", 19800)), IssuedAt: noon().In(time.FixedZone("", -3600))},
			begin + `,"issued_at":"2026-03-01T12:00:00Z"}`},
		{"what would end the string or the line", audit.Event{Time: noon(), Customer: "a\"b\\c\n\r\t\x00\x1f\x7f", Embed: "\u0085\u009f\u2028\u2029"},
			begin + `,"customer":"a\"b\\c\u000a\u000d\u0009\u0000\u001f\u007f","embed":"\u0085\u009f\u2028\u2029"}`},
		{"what stays as it is", audit.Event{Time: noon(), Customer: "</script>&Zoë\u00a0\u2027\u202a\U0001F4C8"}, begin + `,"customer":"</script>&Zoë` + "\u00a0\u2027\u202a\U0001F4C8" + `"}`},
		{"what is not UTF-8", audit.Event{Time: noon(), Customer: "a\xff\xc3", Embed: "\xed\xa0\x80"}, begin + `,"customer":"a` + "\ufffd\ufffd" + `","embed":"` + "\ufffd\ufffd\ufffd" + `"}`},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			if got := string(auditlog.AppendEvent(nil, tt.event)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := string(auditlog.AppendEvent([]byte("before"), tt.event)); got != "before"+tt.want {
				t.Errorf("appended: %s", got)
			}
		})
	}
}

// line is a line as another reader decodes it.
type line struct {
	Time        time.Time `json:"time"`
	RequestID   string    `json:"request_id,omitempty"`
	Action      string    `json:"action,omitempty"`
	Outcome     string    `json:"outcome,omitempty"`
	Code        string    `json:"code,omitempty"`
	Rules       []string  `json:"rules,omitempty"`
	Alike       int       `json:"alike,omitempty"`
	Remote      string    `json:"remote,omitempty"`
	Group       string    `json:"group,omitempty"`
	TokenID     string    `json:"token_id,omitempty"`
	KeyID       string    `json:"key_id,omitempty"`
	Customer    string    `json:"customer,omitempty"`
	Embed       string    `json:"embed,omitempty"`
	Chart       string    `json:"chart,omitempty"`
	IssuedAt    time.Time `json:"issued_at,omitzero"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"`
}

// expected is what encoding/json makes of e, there and back.
func expected(t *testing.T, e audit.Event) line {
	t.Helper()
	l := line{
		Time: e.Time.Truncate(time.Microsecond), RequestID: e.RequestID, Action: string(e.Action), Outcome: string(e.Outcome), Code: e.Code,
		Rules: e.Rules, Remote: e.Remote, Group: e.Group, TokenID: e.TokenID, KeyID: e.KeyID, Customer: e.Customer, Embed: e.Embed, Chart: e.Chart,
		IssuedAt: e.IssuedAt.Truncate(time.Second), ExpiresAt: e.ExpiresAt.Truncate(time.Second),
	}
	if e.Alike > 1 {
		l.Alike = e.Alike
	}
	if !e.Fingerprint.IsZero() {
		l.Fingerprint = e.Fingerprint.String()
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var back line
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// wantLine checks that e is one line of JSON that says what encoding/json says.
func wantLine(t *testing.T, e audit.Event) {
	t.Helper()
	text := auditlog.AppendEvent(nil, e)
	if i := bytes.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }); i >= 0 {
		t.Fatalf("a control character stands at byte %d: %q", i, text)
	}
	var got line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if d.More() {
		t.Fatalf("there is more than one value: %q", text)
	}
	if diff := cmp.Diff(expected(t, e), got); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", text, diff)
	}
}

func TestHostileTextsStayOnTheirLine(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		return rapid.OneOf(
			rapid.String(),
			rapid.StringOf(rapid.RuneFrom([]rune("\x00\n\r\t\"\\\x7f\u0085\u2028\u2029/<>{}[],:"))),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		).Draw(t, "text")
	})
	rapid.Check(t, func(rt *rapid.T) {
		e := audit.Event{
			Time:      time.Unix(rapid.Int64Range(0, 253402300799).Draw(rt, "time"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).UTC(),
			RequestID: text.Draw(rt, "request"), Action: audit.Action(text.Draw(rt, "action")), Outcome: audit.Outcome(text.Draw(rt, "outcome")),
			Code: text.Draw(rt, "code"), Rules: rapid.SliceOfN(text, 0, 3).Draw(rt, "rules"), Alike: rapid.Int().Draw(rt, "alike"),
			Remote: text.Draw(rt, "remote"), Group: text.Draw(rt, "group"), TokenID: text.Draw(rt, "token"), KeyID: text.Draw(rt, "key"),
			Customer: text.Draw(rt, "customer"), Embed: text.Draw(rt, "embed"), Chart: text.Draw(rt, "chart"),
		}
		if rapid.Bool().Draw(rt, "has times") {
			e.IssuedAt, e.ExpiresAt = e.Time.Add(-time.Hour), e.Time
		}
		wantLine(t, e)
	})
}

func FuzzAppendEvent(f *testing.F) {
	f.Add("customer_1", "abcde", "expiration:malformed", int64(1772366400), 2)
	f.Add("\n{\"time\":\"2026-03-01T12:00:00Z\",\"outcome\":\"granted\"}\n", "\r\n", "\"}", int64(0), 0)
	f.Add("\u2028\u2029\u0085", "\x00\x1f\x7f", "\\", int64(253402300799), -1)
	f.Add("\xff\xfe\xed\xa0\x80", "\xc2", "\xe2\x80", int64(1), 1<<62)
	f.Add(strings.Repeat("\\\"", 300), "\U0010ffff\ufffe", "\\u0000", int64(4102444800), 1)
	f.Fuzz(func(t *testing.T, customer, embed, rule string, seconds int64, alike int) {
		e := minted()
		e.Time = time.Unix(seconds&(1<<37-1), 999_999_999).UTC()
		e.Customer, e.Embed, e.Rules, e.Alike = customer, embed, []string{rule, customer}, alike
		wantLine(t, e)
	})
}
