package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/ports"
)

// Every secret, wherever one can be pasted by mistake, is repeated by no refusal,
// no log and no record.
func TestNoRefusalOfTheAdministrationRepeatsASecret(t *testing.T) {
	s := govern(t)
	s.allow(t, "acme", "rw", apitoken.All)
	never := secrets()
	never["the operator token"] = operatorToken
	var answers []string
	count := 0
	ask := func(method, path, body string, headers ...string) {
		got := s.operate(t, method, path, body, headers...)
		if got.status < 400 {
			t.Errorf("%s %s with %q is granted", method, path, body)
		}
		answers = append(answers, got.body, fmt.Sprint(got.header))
		count++
	}
	for name, secret := range never {
		if strings.HasPrefix(name, "the random part") {
			continue
		}
		escaped := url.PathEscape(secret)
		for _, r := range s.admin.Routes() {
			method, template := r[0], r[1]
			for _, param := range []string{"{group}", "{key}", "{token}"} {
				if strings.Contains(template, param) {
					path := strings.Replace(template, param, escaped, 1)
					ask(method, strings.NewReplacer("{group}", "acme", "{key}", namedKey, "{token}", "id-of-rw").Replace(path), acceptable(method, template))
				}
			}
			path := strings.NewReplacer("{group}", "acme", "{key}", namedKey, "{token}", "id-of-rw").Replace(template)
			ask(method, path+"?"+url.QueryEscape(secret)+"=1", acceptable(method, template))
			if strings.Contains(template, "{group}") && method != "GET" && method != "DELETE" {
				ask(method, path, `{"`+secret+`":1}`)
				ask(method, path, secret)
			}
		}
		if _, err := group.ParseID(secret); err != nil { // an id is no secret
			ask("POST", "/admin/v1/groups", `{"id":"`+secret+`"}`)
		}
		for _, body := range []string{
			`{"id":"x","policy":{"max_lifetime":"` + secret + `"}}`, `{"id":"x","policy":{"mode":"` + secret + `"}}`,
			`{"id":"x","policy":{"features":["` + secret + `"]}}`, `{"id":"x","policy":{"origins":["` + secret + `"]}}`, `{"id":"x","policy":{"pinned_key":"` + secret + `"}}`,
			`{"id":"x","policy":{"` + secret + `":1}}`, `{"id":"x","rotate_every":"` + secret + `"}`, `{"id":"x","` + secret + `":1,"` + secret + `":1}`,
		} {
			ask("POST", "/admin/v1/groups", body)
		}
		for _, body := range []string{
			`{"name":"x","scopes":["` + secret + `"]}`, `{"name":"x","scopes":["mint"],"expires_at":"` + secret + `"}`, `{"name":"x","scopes":["mint"],"networks":["` + secret + `"]}`,
			`{"name":"x","scopes":["mint"],"restriction":{"pinned_key":"` + secret + `"}}`,
		} {
			ask("POST", acme+"/tokens", body)
		}
		ask("POST", revocations, `{"kind":"token","subject":"`+secret+`"}`)
		ask("POST", revocations, `{"kind":"token","token":"`+secret+`x"}`)
		ask("POST", revocations, `{"kind":"`+secret+`","token":"`+secret+`"}`)
		ask("POST", revocations, `{"kind":"token","token":{"`+secret+`":1}}`)
		ask("POST", "/admin/v1/groups/other/revocations", `{"kind":"token","token":"`+secret+`"}`)
		ask("POST", acmeKeys, `{"id":"k","value":"`+secret+`x"}`)
		ask("POST", acmeKeys, `{"value":"`+secret+`"}`)
		for _, param := range []string{"limit", "after"} {
			ask("GET", acmeKeys+"?"+param+"="+escaped, "")
		}
		for _, param := range []string{"since", "until", "action", "outcome", "last", "after"} {
			ask("GET", auditPath+"records?"+param+"="+escaped, "")
		}
		ask("DELETE", acme, "", "If-Match: "+secret)
		ask("POST", acme+"/rotate", `{"nope":1}`, "Idempotency-Key: "+secret, "X-Request-Id: "+secret)
		ask("GET", statusPath, "", "Authorization: Basic "+secret)
		ask("GET", statusPath, "", "Authorization: Bearer "+secret+"x")
		ask("GET", statusPath, "", "Origin: https://"+secret+".example")
		if strings.HasPrefix(name, "the API token") {
			for _, member := range []string{"label", "note"} {
				ask("PATCH", acmeKeys+"/"+namedKey, `{"`+member+`":"`+secret+`"}`)
			}
			ask("PATCH", acme, `{"name":"`+secret+`"}`)
			ask("POST", acmeKeys, `{"id":"`+secret+`"}`)
		}
	}
	places := map[string]string{"the answers": strings.Join(answers, "\n"), "the log": s.logs.String(), "the records": printed(s.audit.all()), "the meter": fmt.Sprint(s.meter.administered)}
	for place, text := range places {
		for name, secret := range never {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s repeat %s: %q", place, name, text[max(0, i-300):i+len(secret)])
			}
		}
	}
	if count < 1500 {
		t.Errorf("only %d answers were looked at", count)
	}
}

// What is granted shows a secret in its answer and nowhere else.
func TestWhatIsShownOnceIsInItsAnswerOnly(t *testing.T) {
	s := govern(t)
	var made shownKey
	s.operate(t, "POST", acmeKeys, `{}`).granted(t, http.StatusCreated, &made)
	s.operate(t, "POST", acmeKeys+"/"+made.ID+"/reveal", "").granted(t, http.StatusOK, nil)
	var issued, refreshed shownToken
	s.operate(t, "POST", acme+"/tokens", `{"name":"x","scopes":["read"]}`).granted(t, http.StatusCreated, &issued)
	s.operate(t, "POST", acme+"/tokens/"+issued.ID+"/refresh", `{}`).granted(t, http.StatusOK, &refreshed)
	s.present(t, refreshed.Token, "GET", acme, "").granted(t, http.StatusOK, nil)
	everything := s.logs.String() + printed(s.audit.all()) + s.state(t)
	for _, path := range []string{"/admin/v1/groups", acme, acmeKeys, acme + "/tokens", acmeKeys + "/" + made.ID, acme + "/tokens/" + issued.ID, statusPath} {
		everything += s.operate(t, "GET", path, "").body
	}
	for what, secret := range map[string]string{"a key's value": made.Value, "a token": issued.Token, "a refreshed token": refreshed.Token} {
		if secret == "" || strings.Contains(everything, secret) {
			t.Errorf("%s %q stands somewhere else", what, secret)
		}
	}
}

// Names are kept byte for byte, whatever a spreadsheet or a page would make of
// them.
func TestHostileWordsAreKeptAsTheyAre(t *testing.T) {
	s := govern(t)
	for _, words := range []string{
		`=1+1`, `=cmd|'/c calc'!A1`, `+SUM(A1)`, `@x`, `-2+3`, `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'; DROP TABLE keys;--`, `{{7*7}}`, `${jndi:ldap://x}`,
		`%s%n`, `\`, `%00`, `..`, "e\u0301", "\u00e9", "日本語", "🔑", strings.Repeat("x", 100), " ", "",
	} {
		var k shownKey
		body := string(appended(t, map[string]string{"label": words, "note": words + "\n" + words}))
		s.operate(t, "PATCH", acmeKeys+"/"+namedKey, body).granted(t, http.StatusOK, &k)
		if k.Label != words || k.Note != words+"\n"+words {
			t.Errorf("%q is kept as %q and %q", words, k.Label, k.Note)
		}
		var g shownGroup
		s.operate(t, "PATCH", acme, string(appended(t, map[string]string{"name": words}))).granted(t, http.StatusOK, &g)
		if want := words; g.Name != want && (words != "" || g.Name != "acme") {
			t.Errorf("%q is kept as %q", words, g.Name)
		}
	}
	for _, words := range []string{"a\x00b", "a\nb", "a\x1b[31mb", "a\u202eb", "a\u2066b", "a\u2028b", "a\u009bb", strings.Repeat("x", 101), strings.Repeat("é", 51)} {
		if p := s.operate(t, "PATCH", acmeKeys+"/"+namedKey, string(appended(t, map[string]string{"label": words}))).problem(t); p.Code != "invalid_request" {
			t.Errorf("%q: %s", words, p.Code)
		}
	}
}

func TestOneRequestSentManyTimesAtOnceMakesOneThing(t *testing.T) {
	s := govern(t)
	const header = "Idempotency-Key: once"
	for _, path := range []string{acme + "/rotate", acmeKeys, acme + "/tokens", "/admin/v1/groups"} {
		body := map[string]string{acme + "/tokens": `{"name":"x","scopes":["mint"]}`, "/admin/v1/groups": `{"id":"x"}`}[path]
		if body == "" {
			body = `{"label":"a"}`
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 12 {
			all.Go(func() {
				got := s.operate(t, "POST", path, body, header)
				mu.Lock()
				defer mu.Unlock()
				statuses[got.status]++
			})
		}
		all.Wait()
		if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != 11 {
			t.Errorf("%s is answered %v", path, statuses)
		}
	}
}

func TestAStoreThatFailsIsAnsweredAsOne(t *testing.T) {
	for code, sentinel := range map[string]error{
		"store_unavailable": ports.ErrUnavailable, "store_sealed": ports.ErrSealed, "store_denied": ports.ErrDenied,
		"store_unreadable": ports.ErrCorrupt, "outcome_unknown": ports.ErrUnknownOutcome, "conflict": ports.ErrConflict,
	} {
		s := govern(t, func(s *governed) { s.keys = faultyKeys{KeyStore: s.keys, failUpdate: broken(sentinel)} })
		got := s.operate(t, "POST", acme+"/rotate", `{}`)
		if p := got.problem(t); p.Code != code || strings.Contains(got.body, "canary") {
			t.Errorf("%v: %s", sentinel, got.body)
		}
		if events := s.audit.take(); len(events) != 2 || events[1].Code != code {
			t.Errorf("%v is recorded as %+v", sentinel, events)
		}
	}
}

func TestAPanicEndsOneRequest(t *testing.T) {
	s := govern(t, func(s *governed) { s.keys = faultyKeys{KeyStore: s.keys, panics: "canary " + operatorToken} })
	got := s.operate(t, "GET", acmeKeys, "")
	if p := got.problem(t); p.Code != "internal_error" || strings.Contains(got.body, "canary") || strings.Contains(s.logs.String(), "canary") {
		t.Errorf("got %s", got.body)
	}
	s.operate(t, "GET", acme+"/policy", "").granted(t, http.StatusOK, nil)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if s.meter.administered["/admin/v1/groups/{group}/keys 500"] != 1 {
		t.Errorf("counted as %v", s.meter.administered)
	}
}

func appended(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
