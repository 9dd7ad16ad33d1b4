package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"embedseal/adapters/httpapi/apispec"
)

// administered is a server in process that is administered over its socket.
type administered struct {
	*site
	dir   string
	first initialised
}

func administer(t *testing.T, store string, args ...string) administered {
	t.Helper()
	dir := filepath.Join(shortDir(t), "data")
	a := administered{dir: dir, first: initialise(t, dir, store)}
	a.site = serve(t, append([]string{"--data-dir", dir, "--store", store}, args...)...)
	return a
}

// documented is a world in which every exchange with the administration API is held
// to its document.
func documented(t *testing.T) world {
	t.Helper()
	spec, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return world{around: func(next http.RoundTripper) http.RoundTripper {
		return spec.RoundTripper(t, apispec.Administration, next)
	}}
}

// does runs a verb that must end with code.
func (a administered) does(t *testing.T, code int, args ...string) outcome {
	t.Helper()
	return documented(t).run(t, append(args, "--data-dir", a.dir)...).want(t, code)
}

// refuses runs a verb that the server must refuse with that code.
func (a administered) refuses(t *testing.T, code string, args ...string) {
	t.Helper()
	p := answerOf[problem](t, a.does(t, exitRefused, append(args, "--output", "json")...))
	if p.Code != code || p.RequestID == "" {
		t.Errorf("%v: refused with %+v, want %s", args, p, code)
	}
}

// asks runs a verb and reads its JSON.
func asks[T any](t *testing.T, a administered, args ...string) T {
	t.Helper()
	return answerOf[T](t, a.does(t, exitOK, append(args, "--output", "json")...))
}

func answerOf[T any](t *testing.T, o outcome) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return v
}

// mint mints with the API token in a file.
func (a administered) mint(t *testing.T, code int, tokenFile string, args ...string) outcome {
	t.Helper()
	return run(t, append([]string{"mint", "--server", "http://" + a.address, "--api-token-file", tokenFile, "--provided-id", "c", "--embed-id", "sales-1"}, args...)...).want(t, code)
}

// tagIn is the ETag that people are shown.
func tagIn(t *testing.T, o outcome) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^ETag +([0-9a-f]{16})$`).FindStringSubmatch(o.stdout)
	if found == nil {
		t.Fatalf("no ETag in:\n%s", o.stdout)
	}
	return found[1]
}

type items[T any] struct {
	Items []T `json:"items"`
}

func TestGroupsAreAdministeredOnARealServer(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			a := administer(t, store)
			status := asks[statusView](t, a, "status")
			if status.Store != store || status.Groups != 1 || status.Version != "v1.2.3" || !status.Audit.OK || status.Audit.Log != "local" || len(status.Listeners) != 2 {
				t.Errorf("status %+v", status)
			}
			if o := a.does(t, exitOK, "status"); !strings.Contains(o.stdout, "Data directory         "+a.dir+"\n") {
				t.Errorf("status says\n%s", o.stdout)
			}
			create := []string{"group", "create", "acme", "--name", "=1+1 Größe", "--rotate-every", "P90D", "--embeds", "sales-*", "--max-lifetime", "P7D", "--idempotency-key", "once"}
			made := asks[groupView](t, a, create...)
			if made.Name != "=1+1 Größe" || *made.RotateEvery != "P90D" || made.Policy.Embeds[0] != "sales-*" || made.Policy.MaxLifetime != "P7D" {
				t.Errorf("made %+v", made)
			}
			if again := asks[groupView](t, a, create...); again.CreatedAt != made.CreatedAt {
				t.Errorf("made again %+v", again)
			}
			a.refuses(t, "idempotency_conflict", append(create, "--mode", "clamp")...)
			a.refuses(t, "group_exists", "group", "create", "acme")
			a.refuses(t, "invalid_request", "group", "create", "no such id")
			a.refuses(t, "invalid_request", "group", "create", "other", "--name", "a\x1b[2J")
			a.refuses(t, "not_found", "group", "show", "../groups")
			if list := asks[items[groupView]](t, a, "group", "list"); len(list.Items) != 2 || list.Items[0].ID != "acme" {
				t.Errorf("list %+v", list)
			}
			if page := asks[items[groupView]](t, a, "group", "list", "--limit", "1", "--after", "acme"); len(page.Items) != 1 || page.Items[0].ID != "default" {
				t.Errorf("page %+v", page)
			}
			before := tagIn(t, a.does(t, exitOK, "group", "show", "acme"))
			if v := asks[groupView](t, a, "group", "update", "acme", "--name", "Acme", "--rotate-every", "", "--if-match", before); v.Name != "Acme" || v.RotateEvery != nil {
				t.Errorf("updated %+v", v)
			}
			a.refuses(t, "precondition_failed", "group", "update", "acme", "--name", "x", "--if-match", before)

			v := asks[policyView](t, a, "group", "policy", "set", "--group", "acme", "--features", "flt,srt", "--origins", "https://app.example/", "--origin-required", "--chart-embedding", "--mode", "clamp")
			if len(*v.Features) != 2 || v.Mode != "clamp" || !v.OriginRequired || !v.ChartEmbedding || v.Embeds[0] != "sales-*" {
				t.Errorf("policy %+v", v)
			}
			text := a.does(t, exitOK, "group", "policy", "show", "--group", "acme", "--output", "json").stdout
			world{stdin: text}.run(t, "group", "policy", "set", "--policy-file", "-", "--data-dir", a.dir).want(t, exitOK)
			if other := a.does(t, exitOK, "group", "policy", "show", "--output", "json").stdout; other != text {
				t.Errorf("a copy of the policy is another:\n%s%s", text, other)
			}
			if v := asks[policyView](t, a, "group", "policy", "set", "--group", "acme", "--features", "", "--origins", "", "--origin-required=false", "--mode", "", "--embeds", ""); v.Features != nil || len(v.Origins) != 0 || v.Mode != "reject" || len(v.Embeds) != 0 {
				t.Errorf("taken back %+v", v)
			}
			a.refuses(t, "invalid_request", "group", "policy", "set", "--max-lifetime", "yesterday")

			token := filepath.Join(a.dir, "acme-token")
			a.does(t, exitOK, "token", "create", "--group", "acme", "--name", "n", "--scopes", "mint", "--secret-out", token)
			a.mint(t, exitOK, token)
			a.refuses(t, "group_in_use", "group", "delete", "acme", "--yes")
			if gone := answerOf[map[string]any](t, a.does(t, exitOK, "group", "delete", "acme", "--yes", "--force", "--output", "json")); gone["id"] != "acme" || gone["deleted"] != true {
				t.Errorf("deleted %v", gone)
			}
			a.mint(t, exitRefused, token)
			a.refuses(t, "not_found", "group", "show", "acme")
		})
	}
}

func TestEmbedSecretsAreAdministeredOnARealServer(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			a := administer(t, store)
			token, out := filepath.Join(a.dir, "api-token"), filepath.Join(a.dir, "value")
			made := asks[keyView](t, a, "key", "create", "--id", "prod", "--label", "portal", "--note", "two\nlines", "--default", "--secret-out", out)
			if !made.Default || made.State != "active" || made.Value != "" || made.Note != "two\nlines" {
				t.Errorf("made %+v", made)
			}
			value := strings.TrimSpace(contents(t, out))
			if found := inspected(t, a.mint(t, exitOK, token).stdout, value); !found.OK || found.Header.Kid != "prod" {
				t.Errorf("minted %+v", found)
			}
			if v := asks[keyView](t, a, "key", "reveal", "prod", "--yes"); v.Value != value {
				t.Error("another value is revealed")
			}
			if o := a.does(t, exitOK, "key", "reveal", "prod", "--yes"); o.stdout != value+"\n" {
				t.Error("another value is revealed to people")
			}
			jwk := asks[map[string]string](t, a, "key", "export", "prod", "--yes")
			if jwk["kty"] != "oct" || jwk["kid"] != "prod" || len(jwk["k"]) != 43 || len(jwk) != 3 {
				t.Errorf("exported %d members, kid %s", len(jwk), jwk["kid"])
			}
			const imported = "abcdefghijklmnopqrstuvwxyz012345"
			world{stdin: "  " + imported + "\t\n"}.run(t, "key", "import", "theirs", "--value-file", "-", "--data-dir", a.dir).want(t, exitOK, "warning: value: ")
			if found := inspected(t, a.mint(t, exitOK, token, "--key-id", "theirs").stdout, imported); !found.OK {
				t.Errorf("minted %+v", found)
			}
			a.refuses(t, "key_exists", "key", "create", "--id", "prod")
			if v := asks[keyView](t, a, "key", "update", "theirs", "--label", "l", "--note", "n"); v.Label != "l" || v.Note != "n" {
				t.Errorf("updated %+v", v)
			}
			if v := asks[keyView](t, a, "key", "update", "theirs", "--note", "", "--if-match", tagIn(t, a.does(t, exitOK, "key", "show", "theirs"))); v.Label != "l" || v.Note != "" {
				t.Errorf("updated %+v", v)
			}
			if v := asks[keyView](t, a, "key", "set-default", "theirs"); !v.Default {
				t.Errorf("the default is %+v", v)
			}
			a.refuses(t, "key_is_default", "key", "retire", "theirs")
			turned := asks[rotation](t, a, "key", "rotate", "--overlap", "PT0S", "--label", "next", "--secret-out", out+"2")
			if turned.Previous == nil || turned.Previous.ID != "theirs" || turned.SafeToDestroyAt == nil || !turned.Key.Default || turned.Key.Value != "" {
				t.Errorf("rotated %+v", turned)
			}
			if found := inspected(t, a.mint(t, exitOK, token).stdout, strings.TrimSpace(contents(t, out+"2"))); !found.OK {
				t.Errorf("minted %+v", found)
			}
			if p := answerOf[mintAnswer](t, a.mint(t, exitRefused, token, "--key-id", "theirs", "--output", "json")); p.Code != "key_not_active" {
				t.Errorf("minted with a replaced key: %+v", p)
			}
			if v := asks[keyView](t, a, "key", "retire", "prod"); v.State != "retiring" || v.SafeToDestroyAt == nil {
				t.Errorf("retired %+v", v)
			}
			if v := asks[keyView](t, a, "key", "disable", "prod", "--yes"); v.State != "disabled" {
				t.Errorf("disabled %+v", v)
			}
			if v := asks[keyView](t, a, "key", "enable", "prod"); v.State != "retiring" {
				t.Errorf("enabled %+v", v)
			}
			a.refuses(t, "not_safe_to_destroy", "key", "destroy", "prod", "--yes")
			if v := asks[keyView](t, a, "key", "destroy", "prod", "--yes", "--force"); v.State != "destroyed" {
				t.Errorf("destroyed %+v", v)
			}
			a.refuses(t, "key_state", "key", "reveal", "prod", "--yes")
			a.refuses(t, "not_found", "key", "show", "nowhere")
			o := a.does(t, exitOK, "key", "list")
			for _, row := range []string{`(?m)^prod +destroyed +material .*portal$`, `(?m)^theirs +retiring +material .* \(in 3[0-9]d\) +l$`, `(?m)^` + turned.Key.ID + ` +active, default +material .* next$`} {
				if !regexp.MustCompile(row).MatchString(o.stdout) {
					t.Errorf("no row %s in\n%s", row, o.stdout)
				}
			}
		})
	}
}

func TestAPITokensAreAdministeredOnARealServer(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			a := administer(t, store)
			a.does(t, exitOK, "group", "create", "acme")
			text := filepath.Join(a.dir, "text")
			made := asks[tokenView](t, a, "token", "create", "--group", "acme", "--name", "web shop", "--scopes", "mint", "--expires-in", "P90D", "--networks", "127.0.0.0/8",
				"--embeds", "sales-*", "--max-lifetime", "PT1H", "--secret-out", text)
			if made.Token != "" || made.ExpiresAt == nil || made.Restriction == nil || made.Restriction.Embeds[0] != "sales-*" || made.Networks[0] != "127.0.0.0/8" {
				t.Errorf("made %+v", made)
			}
			a.mint(t, exitOK, text)
			a.mint(t, exitRefused, text, "--expiration", "PT2H")
			a.mint(t, exitRefused, text, "--embed-id", "other")
			a.refuses(t, "invalid_request", "token", "create", "--group", "acme", "--name", "wide", "--scopes", "mint", "--max-lifetime", "P31D")
			a.refuses(t, "invalid_request", "token", "create", "--group", "acme", "--name", "n", "--scopes", "everything")
			o := a.does(t, exitOK, "token", "show", made.ID, "--group", "acme")
			for _, line := range []string{"Name         web shop\n", "Comes from   127.0.0.0/8\n", "lifetime at most PT1H", "embeds sales-*"} {
				if !strings.Contains(o.stdout, line) {
					t.Errorf("no %q in\n%s", line, o.stdout)
				}
			}
			if v := asks[tokenView](t, a, "token", "update", made.ID, "--group", "acme", "--name", "x", "--scopes", "mint,read", "--expires-at", "", "--networks", "", "--no-restriction", "--if-match", tagIn(t, o)); v.Name != "x" || len(v.Scopes) != 2 || v.ExpiresAt != nil || len(v.Networks) != 0 || v.Restriction != nil {
				t.Errorf("updated %+v", v)
			}
			a.mint(t, exitOK, text, "--expiration", "PT2H")
			next := text + "2"
			if v := asks[tokenView](t, a, "token", "refresh", made.ID, "--group", "acme", "--overlap", "PT1H", "--secret-out", next); v.PreviousUntil == nil {
				t.Errorf("refreshed %+v", v)
			}
			a.mint(t, exitOK, text)
			a.mint(t, exitOK, next)
			last := text + "3"
			a.does(t, exitOK, "token", "refresh", made.ID, "--group", "acme", "--overlap", "PT0S", "--secret-out", last)
			a.mint(t, exitOK, last)
			a.mint(t, exitRefused, next)
			if list := asks[items[tokenView]](t, a, "token", "list", "--group", "acme"); len(list.Items) != 1 || list.Items[0].LastUsedAt == nil {
				t.Errorf("list %+v", list)
			}
			a.does(t, exitOK, "token", "revoke", made.ID, "--group", "acme", "--yes")
			a.mint(t, exitRefused, last)
			a.refuses(t, "not_found", "token", "show", made.ID, "--group", "acme")
			a.refuses(t, "not_found", "token", "revoke", made.ID, "--group", "acme", "--yes")
		})
	}
}

func TestTheAuditLogIsLookedIntoOnARealServer(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			a := administer(t, store)
			token := filepath.Join(a.dir, "api-token")
			a.does(t, exitOK, "group", "create", "acme")
			a.mint(t, exitOK, token)
			a.refuses(t, "group_exists", "group", "create", "acme")
			lines := strings.Split(strings.TrimSpace(a.does(t, exitOK, "audit", "tail", "-n", "5", "--output", "json").stdout), "\n")
			if len(lines) != 5 || !strings.HasSuffix(contents(t, filepath.Join(a.dir, "audit.log")), strings.Join(lines, "\n")+"\n") {
				t.Errorf("tail printed\n%s", strings.Join(lines, "\n"))
			}
			found := asks[items[map[string]any]](t, a, "audit", "search", "--group", "acme", "--action", "create_group", "--since", "PT1H")
			var outcomes []string
			for _, record := range found.Items {
				outcomes = append(outcomes, record["outcome"].(string))
				if operator, _ := record["operator"].(string); !strings.HasPrefix(operator, "socket:uid=") {
					t.Errorf("operator %v", record)
				}
			}
			if got := strings.Join(outcomes, " "); got != "intent granted intent refused" && got != "intent granted refused" {
				t.Errorf("outcomes %s", got)
			}
			if found := asks[items[map[string]any]](t, a, "audit", "search", "--customer", "c", "--outcome", "granted"); len(found.Items) != 1 {
				t.Errorf("mints %v", found)
			}
			if o := a.does(t, exitOK, "audit", "search", "--until", "PT1H"); o.stdout != "" {
				t.Errorf("an hour ago there was\n%s", o.stdout)
			}
			if o := a.does(t, exitOK, "audit", "tail", "-n", "1"); !regexp.MustCompile(`^20\S+Z  #\d+ +refused  create_group   .*code=group_exists.* operator=socket:uid=\d+`).MatchString(o.stdout) {
				t.Errorf("tail says %s", o.stdout)
			}
			if o := a.does(t, exitOK, "audit", "verify"); !strings.Contains(o.stdout, "The audit log is what was written: ") {
				t.Errorf("verify says %s", o.stdout)
			}
			keyFile := filepath.Join(a.dir, "audit-key")
			a.does(t, exitOK, "audit", "key", "--yes", "--secret-out", keyFile)
			archived := filepath.Join(t.TempDir(), "audit.log")
			data := contents(t, filepath.Join(a.dir, "audit.log"))
			write(t, archived, data)
			offline := []string{"audit", "verify", "--file", archived, "--key-file", keyFile}
			run(t, offline...).want(t, exitOK)
			write(t, archived, strings.Replace(data, `"customer":"c"`, `"customer":"d"`, 1))
			o := run(t, offline...).want(t, exitFailure)
			if !regexp.MustCompile(`(?m)^audit\.log:\d+ \(record \d+\): edited: `).MatchString(o.stdout) || !strings.Contains(o.stdout, "NOT what was written") || o.stderr != "" {
				t.Errorf("offline it says %+v", o)
			}
			if v := answerOf[verified](t, run(t, append(offline, "--output", "json")...).want(t, exitFailure)); v.OK || len(v.Findings) == 0 || v.Findings[0].Kind != "edited" {
				t.Errorf("offline as JSON %+v", v)
			}
			a.stop(t)
			write(t, filepath.Join(a.dir, "audit.log"), strings.Replace(contents(t, filepath.Join(a.dir, "audit.log")), `"customer":"c"`, `"customer":"d"`, 1))
			again := serve(t, "--data-dir", a.dir, "--store", store)
			run(t, "audit", "verify", "--data-dir", a.dir).want(t, exitFailure)
			again.stop(t)
		})
	}
}

func TestTheOperatorTokenAdministersOverTCP(t *testing.T) {
	t.Parallel()
	operator := write(t, filepath.Join(t.TempDir(), "operator"), strings.Repeat("o", 40)+"\n")
	if err := os.Chmod(operator, 0o600); err != nil {
		t.Fatal(err)
	}
	listen := "127.0.0.1:" + freePort(t)
	a := administer(t, storeBbolt, "--admin-listen", listen, "--admin-operator-token-file", operator)
	tcp := []string{"--admin-server", "http://" + listen, "--operator-token-file", operator}
	documented(t).run(t, append([]string{"group", "create", "acme"}, tcp...)...).want(t, exitOK)
	documented(t).run(t, append([]string{"key", "reveal", a.first.KeyID, "--yes"}, tcp...)...).want(t, exitRefused, "403 insufficient_scope")
	own := []string{"--admin-server", "http://" + listen, "--operator-token-file", filepath.Join(a.dir, "api-token")}
	documented(t).run(t, append([]string{"key", "show", a.first.KeyID}, own...)...).want(t, exitOK)
	documented(t).run(t, append([]string{"group", "show", "acme"}, own...)...).want(t, exitRefused, "404 not_found")
	wrong := write(t, filepath.Join(t.TempDir(), "wrong"), strings.Repeat("x", 40)+"\n")
	if err := os.Chmod(wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	documented(t).run(t, "status", "--admin-server", "http://"+listen, "--operator-token-file", wrong).want(t, exitRefused, "401 unauthenticated")
}
