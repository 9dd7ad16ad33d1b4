package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fieldRefusals are requests with something wrong in a member.
func fieldRefusals() []refusal {
	with := func(member string) string { return `{"provided_id":"a","embed_id":"b",` + member + `}` }
	long := strings.Repeat("x", 513)
	words := `"flt",` + strings.Repeat(`"srt",`, 15) + `"flt"`
	rows := []struct {
		name, body string
		fields     []string
		says       string
	}{
		{"an empty object", `{}`, []string{"provided_id:required", "embed_id:required"}, "a string is required"},
		{"no embed_id", `{"provided_id":"a"}`, []string{"embed_id:required"}, ""},
		{"null for required ids", `{"provided_id":null,"embed_id":null}`, []string{"provided_id:required", "embed_id:required"}, ""},
		{"empty required ids", `{"provided_id":"","embed_id":""}`, []string{"provided_id:required", "embed_id:required"}, "must not be empty"},
		{"a number as provided_id", `{"provided_id":1,"embed_id":"b"}`, []string{"provided_id:wrong_type"}, "is a number, must be a string"},
		{"an object as embed_id", `{"provided_id":"a","embed_id":{}}`, []string{"embed_id:wrong_type"}, "is an object, must be a string"},
		{"an array as key_id", with(`"key_id":[]`), []string{"key_id:wrong_type"}, ""},
		{"a boolean as expiration", with(`"expiration":false`), []string{"expiration:wrong_type"}, ""},
		{"seconds as expiration", with(`"expiration":3600`), []string{"expiration:wrong_type"}, "is a number, must be a string"},
		{"a number as chart_id", with(`"chart_id":7`), []string{"chart_id:wrong_type"}, ""},
		{"an array as embed_origin", with(`"embed_origin":["https://a.example"]`), []string{"embed_origin:wrong_type"}, ""},
		{"a text as switch", with(`"disable_editable_section_editing":"true"`), []string{"disable_editable_section_editing:wrong_type"}, ""},
		{"a number as switch", with(`"disable_editable_section_editing":0`), []string{"disable_editable_section_editing:wrong_type"}, "true, false or null"},
		{"a text as features", with(`"rb_allowed_features":"flt"`), []string{"rb_allowed_features:wrong_type"}, ""},
		{"null among features", with(`"rb_allowed_features":[null]`), []string{"rb_allowed_features:wrong_type"}, "is null"},
		{"an object as features", with(`"rb_allowed_features":{}`), []string{"rb_allowed_features:wrong_type"}, ""},

		{"an id of 513 bytes", `{"provided_id":"` + long + `","embed_id":"b"}`, []string{"provided_id:too_long"}, "has 513 bytes, at most 512"},
		{"257 umlauts", `{"provided_id":"a","embed_id":"` + strings.Repeat("ü", 257) + `"}`, []string{"embed_id:too_long"}, "514"},
		{"an id of 60 000 bytes", `{"provided_id":"` + strings.Repeat("x", 60000) + `","embed_id":"b"}`, []string{"provided_id:too_long"}, ""},
		{"a long chart_id", with(`"chart_id":"` + long + `"`), []string{"chart_id:too_long"}, ""},
		{"an empty chart_id", with(`"chart_id":""`), []string{"chart_id:malformed"}, "leave it out or send null"},
		{"a line break in an id", `{"provided_id":"a\nb","embed_id":"b"}`, []string{"provided_id:malformed"}, ""},
		{"an escaped NUL in an id", `{"provided_id":"a","embed_id":"\u0000"}`, []string{"embed_id:malformed"}, ""},
		{"an API token as provided_id", `{"provided_id":"` + apiToken("acme", "ro") + `","embed_id":"b"}`, []string{"provided_id:malformed"}, "is an API token"},
		{"an API token with a space as chart_id", with(`"chart_id":" ` + apiToken("other", "rw") + `"`), []string{"chart_id:malformed"}, "is an API token"},
		{"an embed token as embed_id", `{"provided_id":"a","embed_id":"` + vector + `"}`, []string{"embed_id:malformed"}, "is an embed token"},

		{"an empty key_id", with(`"key_id":""`), []string{"key_id:malformed"}, "1 to 128 characters"},
		{"a key_id of 129 characters", with(`"key_id":"` + long[:129] + `"`), []string{"key_id:malformed"}, ""},
		{"a path as key_id", with(`"key_id":"../other/foreign-key"`), []string{"key_id:malformed"}, ""},
		{"two dots as key_id", with(`"key_id":".."`), []string{"key_id:malformed"}, ""},
		{"an empty expiration", with(`"expiration":""`), []string{"expiration:malformed"}, ""},
		{"an expiration of 65 bytes", with(`"expiration":"P` + strings.Repeat("0", 62) + `1D"`), []string{"expiration:malformed"}, "longer than 64 bytes"},
		{"no unit", with(`"expiration":"PT"`), []string{"expiration:malformed"}, ""},
		{"a date", with(`"expiration":"2026-02-01T00:00:00Z"`), []string{"expiration:malformed"}, ""},
		{"a fraction that is not last", with(`"expiration":"PT1.5H1M"`), []string{"expiration:malformed"}, ""},
		{"a unit twice", with(`"expiration":"PT1H1H"`), []string{"expiration:malformed"}, ""},
		{"lower case", with(`"expiration":"pt1h"`), []string{"expiration:malformed"}, ""},
		{"zero", with(`"expiration":"PT0S"`), []string{"expiration:not_positive"}, ""},
		{"a negative duration", with(`"expiration":"-PT1H"`), []string{"expiration:not_positive"}, ""},
		{"a negative number", with(`"expiration":"PT-1H"`), []string{"expiration:not_positive"}, ""},
		{"more than any duration", with(`"expiration":"PT9223372036854775807S"`), []string{"expiration:overflow"}, ""},
		{"an unknown feature", with(`"rb_allowed_features":["flt","admin"]`), []string{"rb_allowed_features:unknown_value"}, "flt, srt, core, crt-view, fork"},
		{"a feature of another case", with(`"rb_allowed_features":["FLT"]`), []string{"rb_allowed_features:unknown_value"}, ""},
		{"an empty feature", with(`"rb_allowed_features":[""]`), []string{"rb_allowed_features:unknown_value"}, ""},
		{"everything and more", with(`"rb_allowed_features":["*","flt"]`), []string{"rb_allowed_features:unknown_value"}, "cannot stand beside others"},
		{"17 features", with(`"rb_allowed_features":[` + words + `]`), []string{"rb_allowed_features:unknown_value"}, "17 words are more than 16"},
		{"an empty origin", with(`"embed_origin":""`), []string{"embed_origin:malformed"}, ""},
		{"an origin with a path", with(`"embed_origin":"https://a.example/x"`), []string{"embed_origin:malformed"}, "path"},
		{"an origin with a query", with(`"embed_origin":"https://a.example?x"`), []string{"embed_origin:malformed"}, "query"},
		{"an origin with a user", with(`"embed_origin":"https://u:p@a.example"`), []string{"embed_origin:malformed"}, "user"},
		{"a wildcard", with(`"embed_origin":"https://*.example"`), []string{"embed_origin:malformed"}, "wildcard"},
		{"another scheme", with(`"embed_origin":"ftp://a.example"`), []string{"embed_origin:malformed"}, "http or https"},
		{"no scheme", with(`"embed_origin":"a.example"`), []string{"embed_origin:malformed"}, ""},
		{"the word null", with(`"embed_origin":"null"`), []string{"embed_origin:malformed"}, ""},
		{"an origin of 513 bytes", with(`"embed_origin":"https://` + long[:505] + `"`), []string{"embed_origin:malformed"}, "512"},

		{"a mistyped member", with(`"expiraton":"PT1H"`), []string{"expiraton:unknown_member"}, "did you mean expiration?"},
		{"a member of another case", with(`"Key_Id":"x"`), []string{"Key_Id:unknown_member"}, "did you mean key_id?"},
		{"camel case", `{"providedId":"a","embed_id":"b"}`, []string{"provided_id:required", "providedId:unknown_member"}, "did you mean provided_id?"},
		{"a member that is like no other", with(`"zzz":1`), []string{"zzz:unknown_member"}, `"no such member"`},
		{"an empty name", with(`"":1`), []string{"(not shown):unknown_member"}, ""},
		{"a name that is no word", with(`"<script>":1`), []string{"(not shown):unknown_member"}, ""},
		{"a long name", with(`"` + long + `":1`), []string{"(not shown):unknown_member"}, ""},
		{"everything at once", everythingWrong, []string{
			"provided_id:wrong_type", "embed_id:required", "key_id:malformed", "expiration:not_positive", "chart_id:malformed",
			"rb_allowed_features:wrong_type", "disable_editable_section_editing:wrong_type", "embed_origin:malformed", "expires:unknown_member",
		}, ""},
	}
	var all []refusal
	for _, r := range rows {
		all = append(all, refusal{
			name: r.name, request: request{body: r.body}, status: http.StatusBadRequest, code: "invalid_request", fields: r.fields, says: r.says,
		})
	}
	forbidden := func(name, member string, says string, fields ...string) {
		all = append(all, refusal{
			name: name, request: request{body: with(member)}, status: http.StatusForbidden, code: "policy_refused", fields: fields, says: says,
		})
	}
	forbidden("a chart", `"chart_id":"c"`, "not enabled", "chart_id:chart_embedding_disabled")
	forbidden("a second beyond the longest life", `"expiration":"PT2592001S"`, "P30D", "expiration:lifetime_too_long")
	forbidden("a year", `"expiration":"P1Y"`, "", "expiration:lifetime_too_long")
	forbidden("beyond the year 9999", `"expiration":"P9000Y"`, "", "expiration:lifetime_too_long")
	forbidden("both rules", `"chart_id":"c","expiration":"P31D"`, "", "expiration:lifetime_too_long", "chart_id:chart_embedding_disabled")
	return all
}

// vector is a token of a public document, with an IV of 12 bytes.
const vector = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"

const everythingWrong = `{"provided_id":1,"key_id":"a b","expiration":"PT0S","chart_id":"","rb_allowed_features":[1],` +
	`"disable_editable_section_editing":"yes","embed_origin":"x","expires":1}`

func TestOnlySoManyUnknownMembersAreNamed(t *testing.T) {
	s := open(t)
	var body strings.Builder
	for i := range 9000 {
		body.WriteString(`,"` + string(rune('a'+i%26)) + strings.Repeat("b", i/26%10) + strings.Repeat("c", i/260) + `":1`)
		if body.Len() > 60000 {
			break
		}
	}
	got := s.send(t, request{body: `{"provided_id":"a","embed_id":"b"` + body.String() + `}`})
	p := got.problem(t)
	if p.Code != "invalid_request" || len(p.Errors) != 17 || !strings.Contains(p.Errors[16].Detail, "more members") {
		t.Errorf("%d faults in %d bytes: %.200s", len(p.Errors), len(got.body), got.body)
	}
	if e := s.audit.take(); len(e) != 1 || len(e[0].Rules) != 17 {
		t.Errorf("recorded as %+v", e)
	}
	p = s.send(t, request{body: `{"provided_id":"a","embed_id":"b","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1}`}).problem(t)
	if len(p.Errors) != 16 || slices.Contains(p.fields(), "(not shown):unknown_member") {
		t.Errorf("16 unknown members give %q", p.fields())
	}
}

func TestTheNearestNameIsNotSuggestedForWhatIsFarFromAll(t *testing.T) {
	s := open(t)
	for member, want := range map[string]string{
		"rb_allowed_feature": "rb_allowed_features", "disable_editable_section_edit": "disable_editable_section_editing",
		"embedid": "embed_id", "chartId": "chart_id", "embed_orgin": "embed_origin", "providedid": "provided_id",
		"id": "", "key": "", "exp": "", "customer": "",
	} {
		p := s.send(t, request{body: `{"provided_id":"a","embed_id":"b","` + member + `":1}`}).problem(t)
		detail := "no such member"
		if want != "" {
			detail += "; did you mean " + want + "?"
		}
		if len(p.Errors) != 1 || p.Errors[0].Detail != detail {
			t.Errorf("%s: %+v, want %q", member, p.Errors, detail)
		}
	}
}
