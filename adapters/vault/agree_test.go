package vault_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/vault/vaultfake"
)

// exchange is one call and what a comparison looks at in its answer.
type exchange struct {
	// as is whose token is sent: root, none, bad, weak (reads svc/ only), bare
	// (the same without the policy "default") or expired.
	as, method, path, body string
	// shape compares which members there are, instead of what they hold.
	shape bool
}

// script is every call that this project depends on, with each outcome that it
// tells from another. Later calls see what earlier ones did.
func script() []exchange {
	get, put, del, list := http.MethodGet, http.MethodPut, http.MethodDelete, "LIST"
	return slices.Concat([]exchange{
		// KV v2
		{"root", get, "secret/data/svc/never", "", false},
		{"root", list, "secret/metadata/svc", "", false},
		{"root", get, "secret/metadata/svc?list=true", "", false},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":0},"data":{"n":1}}`, true},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":0},"data":{"n":1}}`, false},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":7},"data":{"n":1}}`, false},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":1},"data":{"n":2}}`, true},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":0}}`, false},
		{"root", put, "secret/data/svc/b", `{"options":{"cas":3},"data":{"n":1}}`, false},
		{"root", get, "secret/data/svc/a", "", true},
		{"root", get, "secret/data/svc/a?version=1", "", true},
		{"root", get, "secret/data/svc/a?version=9", "", false},
		{"root", put, "secret/destroy/svc/a", `{"versions":[1]}`, false},
		{"root", put, "secret/destroy/svc/a", `{"versions":[1]}`, false},
		{"root", put, "secret/destroy/svc/never", `{"versions":[1]}`, false},
		{"root", put, "secret/destroy/svc/a", `{"versions":[]}`, false},
		{"root", get, "secret/data/svc/a?version=1", "", true},
		{"root", get, "secret/metadata/svc/a", "", true},
		{"root", get, "secret/metadata/svc/never", "", false},
		{"root", del, "secret/data/svc/a", "", false},
		{"root", get, "secret/data/svc/a", "", true},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":0},"data":{"n":1}}`, false},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":2},"data":{"n":3}}`, true},
		{"root", get, "secret/metadata/svc?list=true", "", false},
		{"root", del, "secret/metadata/svc/a", "", false},
		{"root", del, "secret/metadata/svc/a", "", false},
		{"root", get, "secret/data/svc/a", "", false},
		{"root", put, "secret/data/svc/a", `{"options":{"cas":0},"data":{"n":1}}`, true},
		// mounts
		{"root", get, "sys/internal/ui/mounts/secret", "", true},
		{"root", get, "sys/internal/ui/mounts/nowhere", "", false},
		{"root", put, "sys/mounts/old", `{"type":"kv"}`, false},
		{"root", get, "sys/internal/ui/mounts/old", "", true},
		{"root", get, "old/data/svc/a", "", false},
		{"root", get, "nowhere/data/svc/a", "", false},
		{"root", put, "nowhere/data/svc/a", `{"options":{"cas":0},"data":{}}`, false},
		{"root", del, "nowhere/metadata/svc/a", "", false},
		{"root", get, "nowhere/metadata/svc?list=true", "", false},
		{"root", get, "sys/health", "", true},
	}, tokenScript(), transitScript())
}

// tokenScript is who may do what.
func tokenScript() []exchange {
	get, put := http.MethodGet, http.MethodPut
	all := []exchange{
		{"root", get, "auth/token/lookup-self", "", true},
		{"root", put, "auth/token/renew-self", `{}`, false},
		{"none", get, "secret/data/svc/a", "", false},
		{"none", put, "auth/nowhere/login", `{}`, false},
		{"none", put, "auth/approle/login", `{"role_id":"nobody","secret_id":"x"}`, false},
		{"none", put, "auth/cert/login", `{}`, false},
	}
	for _, as := range []string{"bad", "expired", "weak", "bare"} {
		all = append(all,
			exchange{as, get, "secret/data/svc/a", "", true},
			exchange{as, get, "secret/data/svc/never", "", false},
			exchange{as, get, "secret/data/other/a", "", false},
			exchange{as, get, "nowhere/data/svc/a", "", false},
			exchange{as, put, "secret/data/svc/a", `{"options":{"cas":1},"data":{}}`, false},
			exchange{as, http.MethodDelete, "secret/metadata/svc/a", "", false},
			exchange{as, put, "secret/destroy/svc/a", `{"versions":[1]}`, false},
			exchange{as, get, "secret/metadata/svc?list=true", "", false},
			exchange{as, get, "sys/internal/ui/mounts/secret", "", true},
			exchange{as, get, "sys/internal/ui/mounts/transit", "", true},
			exchange{as, get, "sys/internal/ui/mounts/old", "", false},
			exchange{as, get, "auth/token/lookup-self", "", true},
			exchange{as, put, "auth/token/renew-self", `{}`, true},
			exchange{as, put, "sys/capabilities-self", `{"paths":["secret/data/svc/a","secret/data/x","transit/encrypt/k"]}`, false},
			exchange{as, put, "transit/encrypt/svc-new", `{"plaintext":"aGk="}`, false},
		)
	}
	return all
}

func transitScript() []exchange {
	get, put, del := http.MethodGet, http.MethodPut, http.MethodDelete
	return []exchange{
		{"root", get, "transit/keys/svc-k", "", false},
		{"root", put, "transit/keys/svc-k", `{"type":"aes256-gcm96"}`, true},
		{"root", put, "transit/keys/svc-k", `{"type":"aes256-gcm96"}`, true},
		{"root", get, "transit/keys/svc-k", "", true},
		{"root", get, "transit/keys?list=true", "", false},
		{"root", put, "transit/encrypt/svc-k", `{"plaintext":"aGk=","associated_data":"aGk=","key_version":1}`, true},
		{"root", put, "transit/encrypt/svc-k", `{"plaintext":"aGk=","associated_data":"aGk=","key_version":2}`, false},
		{"root", put, "transit/encrypt/svc-k", `{"plaintext":"aGk=","associated_data":"aGk=","key_version":1,"type":"none"}`, true},
		{"root", put, "transit/encrypt/svc-never", `{"plaintext":"aGk=","key_version":1,"type":"none"}`, false},
		{"root", get, "transit/keys/svc-never", "", false},
		{"root", get, "sys/internal/ui/mounts/secret/data", "", true},
		{"root", get, "sys/internal/ui/mounts/transit/keys", "", true},
		{"weak", put, "transit/encrypt/svc-k", `{"plaintext":"aGk=","associated_data":"aGk=","key_version":1}`, true},
		{"root", put, "transit/decrypt/svc-k", `{"ciphertext":"vault:v1:aaaa","associated_data":"aGk="}`, false},
		{"root", put, "transit/decrypt/svc-k", `{"ciphertext":"vault:v1:` + strings.Repeat("A", 80) + `","associated_data":"aGk="}`, false},
		{"root", put, "transit/decrypt/never", `{"ciphertext":"vault:v1:aaaa","associated_data":"aGk="}`, false},
		{"root", get, "transit/export/encryption-key/svc-k", "", false},
		{"root", del, "transit/keys/svc-k", "", false},
		{"root", put, "transit/keys/svc-k/config", `{"deletion_allowed":true}`, true},
		{"root", del, "transit/keys/svc-k", "", false},
		{"root", del, "transit/keys/svc-k", "", false},
		{"root", put, "transit/keys/svc-k/config", `{"deletion_allowed":true}`, false},
		{"root", put, "transit/keys/svc-e", `{"type":"aes256-gcm96","exportable":true}`, true},
		{"root", get, "transit/export/encryption-key/svc-e", "", true},
	}
}

// prepared gives the site what the script needs, and returns the tokens.
func prepared(t *testing.T, s *site) map[string]string {
	t.Helper()
	s.do(t, http.MethodPut, "sys/auth/approle", `{"type":"approle"}`)
	s.do(t, http.MethodPut, "sys/auth/cert", `{"type":"cert"}`)
	s.do(t, http.MethodPut, "sys/policies/acl/weak", `{"policy":"path \"secret/data/svc/*\" { capabilities = [\"read\"] } path \"transit/encrypt/svc-*\" { capabilities = [\"update\"] }"}`)
	tokens := map[string]string{
		"root": s.token, "none": "", "bad": "hvs.nobody",
		"weak":    s.newToken(t, `{"policies":["weak"],"ttl":"1h"}`),
		"bare":    s.newToken(t, `{"policies":["weak"],"ttl":"1h","no_default_policy":true}`),
		"expired": s.newToken(t, `{"policies":["weak"],"ttl":"1s"}`),
	}
	time.Sleep(1500 * time.Millisecond)
	return tokens
}

// compared is what is left of an answer when all that may differ is taken out.
func compared(t *testing.T, e exchange, r reply) string {
	t.Helper()
	if r.body == "" || !e.shape || strings.HasPrefix(r.body, `{"errors"`) {
		body := regexp.MustCompile(`"request_id":"[^"]*"`).ReplaceAllString(strings.TrimSpace(r.body), `"request_id":""`)
		if strings.Contains(body, `"request_id"`) { // a success: the data counts
			data := r.member(t, "data")
			text, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		return fmt.Sprintf("%d %s", r.status, body)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%s %s: %v", e.method, e.path, err)
	}
	return fmt.Sprintf("%d %s", r.status, strings.Join(used("", v), " "))
}

// used are the members that the adapter or its doctor reads, with their values
// where those do not depend on time or chance.
func used(prefix string, v map[string]any) []string {
	names := regexp.MustCompile(`^(data|metadata|auth|versions|errors|n|version|path|current_version|destroyed|deletion_time|options|type|name|` +
		`initialized|sealed|standby|client_token|renewable|lease_duration|ttl|policies|ciphertext|key_version|plaintext|keys|` +
		`latest_version|exportable|deletion_allowed|[0-9]+)$`)
	chance := regexp.MustCompile(`^(client_token|deletion_time|ttl|lease_duration|ciphertext|[0-9]+)$`)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		path := prefix + "." + name
		if !names.MatchString(name) {
			continue
		}
		switch value := v[name].(type) {
		case map[string]any:
			all = append(all, path)
			all = append(all, used(path, value)...)
		default:
			if chance.MatchString(name) {
				all = append(all, fmt.Sprintf("%s=%T,%t", path, value, value == nil || value == "" || value == 0.0))
			} else {
				all = append(all, fmt.Sprintf("%s=%v", path, value))
			}
		}
	}
	return all
}

func TestTheFakeAnswersAsARealServerDoes(t *testing.T) {
	fake, genuine := fakeSite(vaultfake.Start(t)), realSite(t)
	asFake, asReal := prepared(t, fake), prepared(t, genuine)
	for i, e := range script() {
		method, path := e.method, e.path
		want := compared(t, e, genuine.ask(t, asReal[e.as], method, path, e.body))
		got := compared(t, e, fake.ask(t, asFake[e.as], method, path, e.body))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("call %d, as %s: %s %s %s (-real +fake):\n%s", i, e.as, method, path, e.body, diff)
		}
	}
}

func TestTheFakeIsRateLimitedAndSealedAsARealServerIs(t *testing.T) {
	fake, genuine := fakeSite(vaultfake.Start(t)), realSite(t)
	both := func(what string, e exchange) {
		t.Helper()
		want := compared(t, e, genuine.ask(t, genuine.token, e.method, e.path, e.body))
		got := compared(t, e, fake.ask(t, fake.token, e.method, e.path, e.body))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s %s (-real +fake):\n%s", what, e.method, e.path, diff)
		}
	}
	quota := exchange{method: http.MethodPut, path: "sys/quotas/rate-limit/q", body: `{"rate":1,"path":"secret/"}`}
	both("making a quota", quota)
	read := exchange{method: http.MethodGet, path: "secret/data/svc/a"}
	both("the first", read)
	both("the second", read)
	both("ending the quota", exchange{method: http.MethodDelete, path: quota.path})
	both("after the quota", read)
	both("sealing", exchange{method: http.MethodPut, path: "sys/seal"})
	for _, e := range []exchange{
		read, {method: http.MethodPut, path: read.path, body: `{"data":{}}`}, {method: http.MethodPut, path: "auth/approle/login", body: `{}`},
		{method: http.MethodGet, path: "sys/internal/ui/mounts/secret"}, {method: http.MethodGet, path: "auth/token/lookup-self"},
		{method: http.MethodGet, path: "sys/health", shape: true},
	} {
		both("sealed", e)
	}
}
