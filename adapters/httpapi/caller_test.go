package httpapi_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
)

// callerRefusals are requests of somebody who may not make them.
func callerRefusals() []refusal {
	rw, ro, other := apiToken("acme", "rw"), apiToken("acme", "ro"), apiToken("other", "rw")
	flipped := rw[:len(rw)-1] + string(rw[len(rw)-1]^1)
	stranger := apitoken.New("acme", [apitoken.Entropy]byte{9, 9}).Reveal()
	nowhere := apitoken.New("nowhere", [apitoken.Entropy]byte{9, 9}).Reveal()
	rows := []struct {
		name    string
		headers []string
	}{
		{"no token", []string{}},
		{"an empty header", []string{"Explo-Authorization:"}},
		{"a scheme without a token", []string{"Explo-Authorization: Token"}},
		{"a token without a scheme", []string{"Explo-Authorization: " + rw}},
		{"Bearer in the documented header", []string{"Explo-Authorization: Bearer " + rw}},
		{"Token in Authorization", []string{"Authorization: Token " + rw}},
		{"Basic", []string{"Authorization: Basic dTpw"}},
		{"a good header beside Basic", []string{"Explo-Authorization: Token " + rw, "Authorization: Basic dTpw"}},
		{"a tab after the scheme", []string{"Explo-Authorization: Token\t" + rw}},
		{"the header twice", []string{"Explo-Authorization: Token " + rw, "Explo-Authorization: Token " + rw}},
		{"Authorization twice", []string{"Authorization: Bearer " + rw, "Authorization: Bearer " + rw}},
		{"two headers that differ", []string{"Explo-Authorization: Token " + rw, "Authorization: Bearer " + ro}},
		{"two tokens in one header", []string{"Explo-Authorization: Token " + rw + " " + rw}},
		{"a quoted token", []string{`Explo-Authorization: Token "` + rw + `"`}},
		{"a mistyped token", []string{"Explo-Authorization: Token " + flipped}},
		{"a token cut short", []string{"Explo-Authorization: Token " + rw[:20]}},
		{"a token with more behind it", []string{"Explo-Authorization: Token " + rw + "x"}},
		{"a long text", []string{"Explo-Authorization: Token " + everythingWrong}},
		{"an unknown token", []string{"Explo-Authorization: Token " + stranger}},
		{"a token of a group that is not there", []string{"Explo-Authorization: Token " + nowhere}},
		{"an expired token, at the very instant", []string{"Explo-Authorization: Token " + apiToken("acme", "late")}},
		{"an embed token", []string{"Explo-Authorization: Token " + vector}},
		{"the secret of another group's token in ours", []string{"Explo-Authorization: Token ems_acme" + other[len("ems_other"):]}},
		{"a token in another header", []string{"X-Api-Key: " + rw}},
		{"a cookie", []string{"Cookie: Explo-Authorization=" + rw}},
	}
	var all []refusal
	for _, r := range rows {
		all = append(all, refusal{
			name: r.name, request: request{headers: append([]string{jsonIs}, r.headers...), body: minimal},
			status: http.StatusUnauthorized, code: "unauthenticated",
			header: http.Header{"Www-Authenticate": {`Bearer realm="embedseal"`}},
		})
	}
	all = append(all,
		refusal{name: "a token in the query", request: request{path: route + "?token=" + rw, headers: []string{jsonIs}, body: minimal},
			status: http.StatusUnauthorized, code: "unauthenticated"},
		refusal{name: "who is not known learns nothing of the body", request: request{headers: []string{"Content-Type: text/plain"}, body: "{"},
			status: http.StatusUnauthorized, code: "unauthenticated"},
		refusal{name: "no scope to mint", request: request{headers: []string{jsonIs, "Explo-Authorization: Token " + ro}, body: minimal},
			status: http.StatusForbidden, code: "insufficient_scope"},
		refusal{name: "no scope to mint, whatever the body", request: request{headers: []string{jsonIs, "Authorization: Bearer " + ro}, body: "{"},
			status: http.StatusForbidden, code: "insufficient_scope"},
	)
	for name, header := range map[string]string{
		"Origin": "Origin: https://a.example", "an opaque origin": "Origin: null", "an empty origin": "Origin:",
		"Sec-Fetch-Site alone": "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site none": "Sec-Fetch-Site: none",
	} {
		all = append(all, refusal{name: "a browser with " + name, request: request{headers: []string{jsonIs, authorized(), header}, body: minimal},
			status: http.StatusForbidden, code: "browser_refused", header: http.Header{"Access-Control-Allow-Origin": nil}})
	}
	return all
}

// keyRefusals are requests for a key that they cannot have.
func keyRefusals() []refusal {
	var all []refusal
	for kid, status := range map[string]int{
		unknownKey: http.StatusNotFound, foreignKey: http.StatusNotFound, "UNKNOWN.key_1": http.StatusNotFound,
		retiringKey: http.StatusConflict, disabledKey: http.StatusConflict, destroyedKey: http.StatusConflict,
	} {
		code := "unknown_key"
		if status == http.StatusConflict {
			code = "key_not_active"
		}
		all = append(all, refusal{name: "the key " + kid, request: keyRequest(kid), status: status, code: code})
	}
	return all
}

func keyRequest(kid string) request {
	return request{body: `{"provided_id":"a","embed_id":"b","key_id":"` + kid + `"}`}
}

func TestAnUnknownKeyAndAForeignKeyAreTheSameToTheCaller(t *testing.T) {
	s := open(t)
	ids := regexp.MustCompile(`[a-z2-7]{16}`)
	dates := regexp.MustCompile(`Date: [^\r]*`)
	bytesOf := func(kid string) string {
		text := s.whole(t, keyRequest(kid).String())
		return dates.ReplaceAllString(ids.ReplaceAllString(text, "<id>"), "Date: <now>")
	}
	unknown := bytesOf(unknownKey)
	if diff := cmp.Diff(unknown, bytesOf(foreignKey)); diff != "" {
		t.Errorf("they differ (-unknown +foreign):\n%s", diff)
	}
	if diff := cmp.Diff(unknown, bytesOf("a-much-longer-"+unknownKey)); diff != "" {
		t.Errorf("the length of the id shows:\n%s", diff)
	}
	if cmp.Diff(unknown, bytesOf(disabledKey)) == "" {
		t.Error("the comparison sees no difference where there is one")
	}
	events := s.audit.take()
	if events[0].Code != events[1].Code || events[0].KeyID != events[1].KeyID || events[0].Outcome != events[1].Outcome {
		t.Errorf("the records differ: %+v, %+v", events[0], events[1])
	}
}

func TestATokenActsInItsOwnGroupOnly(t *testing.T) {
	s := open(t)
	body := `{"provided_id":"a","embed_id":"b","key_id":"` + foreignKey + `"}`
	got := s.send(t, request{body: body, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("other", "rw")}})
	unseal(t, got.jwt(t), values()[foreignKey])
	got = s.send(t, request{body: minimal, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("other", "rw")}})
	unseal(t, got.jwt(t), values()[foreignKey])
}
