package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
)

// secrets is every text that nothing may repeat, by what it is.
func secrets() map[string]string {
	all := map[string]string{"the public vector": vector}
	for kid, value := range values() {
		all["the value of "+kid] = value
	}
	for _, g := range []group.ID{"acme", "other", "bare"} {
		for _, name := range []string{"rw", "ro", "mint", "late"} {
			text := apiToken(g, name)
			all[fmt.Sprintf("the API token %s of %s", name, g)] = text
			// without its prefix, too, and without its checksum
			all[fmt.Sprintf("the random part of %s of %s", name, g)] = text[len(text)-36 : len(text)-6]
		}
	}
	return all
}

// misplacedSecrets are requests with secret wherever one can be pasted by
// mistake. An embed secret as an id is not among them: no text tells it from
// one, and the id of a customer is recorded as it was sent.
func misplacedSecrets(secret string) []request {
	body := func(text string) request { return request{body: text} }
	with := func(member string) request { return body(`{"provided_id":"a","embed_id":"b",` + member + `}`) }
	auth := authorized()
	return []request{
		with(`"key_id":"` + secret + `"`), with(`"expiration":"` + secret + `"`), with(`"embed_origin":"` + secret + `"`),
		with(`"embed_origin":"https://u:` + secret + `@a.example"`),
		with(`"rb_allowed_features":["` + secret + `"]`), with(`"rb_allowed_features":"` + secret + `"`),
		with(`"disable_editable_section_editing":"` + secret + `"`), with(`"chart_id":["` + secret + `"]`),
		with(`"` + secret + `":1`), with(`"token":"` + secret + `"`), with(`"` + secret + `":1,"` + secret + `":2`),
		with(`"key_value":{"` + secret + `":1,"` + secret + `":2}`), body(secret), body(`"` + secret + `"`), body(minimal + secret),
		body(`{"provided_id":` + secret + `}`), body(`{"provided_id":{"` + secret + `":"` + secret + `"}}`), body("{\"" + secret + "\xff\":1}"),
		{path: "/" + secret, body: minimal}, {path: route + secret, body: minimal}, {path: route + "?token=" + secret, body: "{"},
		{method: http.MethodGet, path: route + "?" + secret}, {path: "/healthz?" + secret}, {path: "/iframe/" + secret + "/production"},
		{headers: []string{jsonIs, "Explo-Authorization: " + secret}, body: minimal},
		{headers: []string{jsonIs, "Explo-Authorization: Token " + secret + "x"}, body: minimal},
		{headers: []string{jsonIs, "Authorization: Basic " + secret}, body: minimal},
		{headers: []string{jsonIs, "Authorization: Bearer " + secret, auth}, body: "{"},
		{headers: []string{"Content-Type: " + secret, auth}, body: minimal},
		{headers: []string{"Content-Type: application/json; charset=" + secret, auth}, body: minimal},
		{headers: []string{jsonIs, auth, "Content-Encoding: " + secret}, body: minimal},
		{headers: []string{jsonIs, auth, "Origin: https://" + secret + ".example"}, body: minimal},
		{headers: []string{jsonIs, auth, "Sec-Fetch-Site: " + secret}, body: minimal},
		{headers: []string{jsonIs, auth, "X-Request-Id: " + secret, "X-Forwarded-For: " + secret, "User-Agent: " + secret, "Referer: " + secret}, body: "{"},
	}
}

func TestNothingRepeatsASecret(t *testing.T) {
	s := open(t, func(s *setup) { s.config.TrustedProxies = []string{"127.0.0.1"} })
	never := secrets()
	var answers []string
	for _, r := range refusals() {
		answers = append(answers, s.refused(t, r.request))
	}
	for name, secret := range secrets() {
		if strings.HasPrefix(name, "the random part") {
			continue
		}
		for _, r := range misplacedSecrets(secret) {
			answers = append(answers, s.refused(t, r))
		}
	}
	for _, kid := range []string{defaultKey, namedKey} { // a mint after all that, whose token nothing but its answer has
		token := s.send(t, keyRequest(kid)).jwt(t)
		never["the token minted with "+kid], never["its ciphertext"] = token, strings.Split(token, ".")[3]
	}
	events := s.audit.take()
	if len(answers) < 800 || len(events) < 600 {
		t.Fatalf("only %d answers and %d records were looked at", len(answers), len(events))
	}
	places := map[string]string{"the answers": strings.Join(answers, "\n"), "the log": s.logs.String(), "the audit records": printed(events)}
	for place, text := range places {
		for name, secret := range never {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s repeat %s: %q", place, name, text[max(0, i-300):i+len(secret)])
			}
		}
	}
	if !strings.Contains(places["the log"], "unknown_key") || !strings.Contains(places["the audit records"], "unknown_key") {
		t.Error("the scan looks at nothing")
	}
}

// refused is the answer to r, status line and headers included, unless it grants
// a token.
func (s *site) refused(t *testing.T, r request) string {
	t.Helper()
	s.clock.advance(time.Second) // strangers are recorded once in each
	a := s.send(t, r)
	if a.status == http.StatusOK {
		t.Fatalf("%s is granted", r)
	}
	var lines []string
	for name, value := range a.header {
		lines = append(lines, name+": "+strings.Join(value, ", "))
	}
	return strings.Join(lines, "\n") + "\n" + a.body
}

func printed(events []audit.Event) string {
	var lines []string
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%+v", e))
	}
	return strings.Join(lines, "\n")
}

func TestTheLogHasNeitherQueryNorHeaders(t *testing.T) {
	s := open(t)
	s.send(t, request{path: route + "?canary=1", headers: []string{jsonIs, authorized(), "X-Canary: canary", "User-Agent: canary"}, body: minimal}).jwt(t)
	s.send(t, request{path: "/canary"}).problem(t)
	log := s.logs.String()
	if strings.Contains(log, "canary") {
		t.Errorf("the log is %s", log)
	}
	for _, want := range []string{"method=POST", "route=/api/generate_jwt/", "status=200", "status=404", "remote=127.0.0.1", "request_id="} {
		if !slices.Contains(strings.Fields(log), want) && !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}
