package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every creation, sent again with its idempotency key, answers what it made and
// makes nothing more.
func TestACreationThatIsSentAgainMakesNothing(t *testing.T) {
	for what, tt := range map[string]struct {
		path, body, reordered string
		// secret is the member that is shown once, in the answer or in its member "key".
		secret string
		status int
	}{
		"a group":       {"/admin/v1/groups", `{"id":"x","name":"X"}`, `{ "name" : "X", "id":"x" }`, "", 201},
		"a key":         {acmeKeys, `{"label":"a","note":"b"}`, `{"note":"b","label":"\u0061"}`, "value", 201},
		"an import":     {acmeKeys, `{"id":"k","value":"0123456789abcdef0123456789abcdef"}`, `{"value":"0123456789abcdef0123456789abcdef","id":"k"}`, "value", 201},
		"a rotation":    {acme + "/rotate", `{"overlap":"P1D"}`, "{\n\"overlap\": \"P1D\"}", "value", 201},
		"a token":       {acme + "/tokens", `{"name":"x","scopes":["mint"]}`, `{"scopes":["mint"],"name":"x"}`, "token", 201},
		"a revocation":  {acme + "/revocations", `{"kind":"customer","subject":"x"}`, `{"subject":"\u0078","kind":"customer"}`, "", 201},
		"a token's end": {acme + "/revocations", `{"kind":"token","token":"` + vector + `"}`, `{"token":"\u0065` + vector[1:] + `","kind":"token"}`, "", 201},
		"a refresh":     {acmeToken + "/refresh", `{"overlap":"PT1H"}`, `{"overlap":"PT1H" }`, "token", 200},
	} {
		t.Run(what, func(t *testing.T) {
			s := govern(t)
			const header = "Idempotency-Key: 0b0c5f0e 6a55"
			first := s.operate(t, "POST", tt.path, tt.body, header)
			first.granted(t, tt.status, nil)
			before := s.state(t)
			s.audit.take()
			again := s.operate(t, "POST", tt.path, tt.reordered, header)
			again.granted(t, http.StatusOK, nil)
			if again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Location") != "" {
				t.Errorf("the headers are %v", again.header)
			}
			if again.header.Get("ETag") != first.header.Get("ETag") {
				t.Errorf("the tags are %s and %s", first.header.Get("ETag"), again.header.Get("ETag"))
			}
			if after := s.state(t); after != before {
				t.Errorf("it made something:\n%s\n%s", before, after)
			}
			if events := s.audit.take(); len(events) != 0 {
				t.Errorf("it is recorded as a change: %+v", events)
			}
			want, secret := parted(t, first.body, tt.secret)
			got, _ := parted(t, again.body, "")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-first +again:\n%s", diff)
			}
			if tt.secret != "" && (secret == "" || strings.Contains(again.body, secret)) {
				t.Errorf("the secret %q is shown again: %s", secret, again.body)
			}
			other := s.operate(t, "POST", tt.path, strings.Replace(tt.body, "{", `{"`+map[string]string{"a group": `overlap":"P1D`, "a key": `id":"z`, "an import": `label":"z`, "a rotation": `label":"z`, "a token": `expires_in":"P1D`, "a revocation": `note":"z`, "a token's end": `note":"z`}[what]+`",`, 1), header)
			if what == "a refresh" {
				other = s.operate(t, "POST", tt.path, `{"overlap":"PT2H"}`, header)
			}
			if other.problem(t).Code != "idempotency_conflict" {
				t.Errorf("the same key with another request: %s", other.body)
			}
		})
	}
}

// parted is an answer without the secret.
func parted(t *testing.T, body, secret string) (members map[string]any, value string) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatal(err)
	}
	for _, in := range []any{members, members["key"]} {
		if m, is := in.(map[string]any); is && m[secret] != nil {
			value = m[secret].(string)
			maps.DeleteFunc(m, func(name string, _ any) bool { return name == secret })
		}
	}
	return members, value
}

func TestWithoutAnIdempotencyKeyTwoAreMade(t *testing.T) {
	s := govern(t)
	var one, two shownKey
	s.operate(t, "POST", acmeKeys, `{}`).granted(t, http.StatusCreated, &one)
	s.operate(t, "POST", acmeKeys, `{}`).granted(t, http.StatusCreated, &two)
	if one.ID == two.ID {
		t.Error("they are one")
	}
}
