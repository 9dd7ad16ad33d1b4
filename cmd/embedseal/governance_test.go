package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/docs/api"
)

// operation is one thing that administration does, by the API in one group and
// by the command line in another, which must answer alike.
//
// {g} is the group, and other names in braces what an earlier operation kept.
type operation struct {
	// id is the operationId of docs/api/openapi.yaml.
	id           string
	method, path string
	header       map[string]string
	body         string
	status       int

	// verb is the same on the command line, stdin what it reads.
	verb  []string
	stdin string

	// keep names members of the answer (a.b is b in a) that later operations use.
	keep map[string]string
	// then looks at what follows from it, in each of the two groups.
	then func(t *testing.T, in *actingIn)
}

// exampleJWT is the token of the public vector, whose key no group of the tests has.
const exampleJWT = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"

// importedKey is the value that operations import.
const importedKey = "imported-0123456789abcdef-canary"

// operations is the life of a group, from its creation to its deletion. Every
// operation of the administration API and every verb of the command line is in
// it: TestEveryOperationIsExercised counts.
func operations() []operation {
	return []operation{
		{
			id: "createGroup", method: "POST", path: "/groups", status: 201,
			body: `{"id": "{g}", "name": "Acme", "policy": {"max_lifetime": "P7D"}}`,
			verb: []string{"group", "create", "{g}", "--name", "Acme", "--max-lifetime", "P7D"},
		},
		{
			id: "showGroup", method: "GET", path: "/groups/{g}", status: 200,
			verb: []string{"group", "show", "{g}"},
		},
		{
			id: "listGroups", method: "GET", path: "/groups?limit=1", status: 200,
			verb: []string{"group", "list", "--limit", "1"},
		},
		{
			id: "updateGroup", method: "PATCH", path: "/groups/{g}", status: 200,
			body: `{"name": "Acme Inc.", "rotate_every": "P90D", "overlap": "P1D"}`,
			verb: []string{"group", "update", "{g}", "--name", "Acme Inc.", "--rotate-every", "P90D", "--overlap", "P1D"},
		},
		{
			id: "showPolicy", method: "GET", path: "/groups/{g}/policy", status: 200,
			verb: []string{"group", "policy", "show", "--group", "{g}"},
		},
		{
			id: "replacePolicy", method: "PUT", path: "/groups/{g}/policy", status: 200,
			body:  `{"max_lifetime": "P10D", "embeds": ["dash-*"], "customers": ["customer_?"], "mode": "clamp"}`,
			verb:  []string{"group", "policy", "set", "--group", "{g}", "--policy-file", "-"},
			stdin: `{"max_lifetime": "P10D", "embeds": ["dash-*"], "customers": ["customer_?"], "mode": "clamp"}`,
		},
		{
			id: "updatePolicy", method: "PATCH", path: "/groups/{g}/policy", status: 200,
			body: `{"mode": null, "features": ["flt", "srt"]}`,
			verb: []string{"group", "policy", "set", "--group", "{g}", "--mode", "", "--features", "flt,srt"},
		},
		{
			id: "createToken", method: "POST", path: "/groups/{g}/tokens", status: 201,
			body: `{"name": "checkout", "scopes": ["mint", "read"], "networks": ["127.0.0.0/8"], "restriction": {"max_lifetime": "PT1H"}}`,
			verb: []string{"token", "create", "--group", "{g}", "--name", "checkout", "--scopes", "mint,read",
				"--networks", "127.0.0.0/8", "--max-lifetime", "PT1H"},
			keep: map[string]string{"token": "id", "text": "token"},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1", "expiration": "PT1H"}`, http.StatusOK, "")
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1", "expiration": "PT2H"}`, http.StatusForbidden, "policy_refused")
				in.mints(t, `{"provided_id": "customer_10", "embed_id": "dash-1"}`, http.StatusForbidden, "policy_refused")
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "other"}`, http.StatusForbidden, "policy_refused")
			},
		},
		{
			id: "listTokens", method: "GET", path: "/groups/{g}/tokens", status: 200,
			verb: []string{"token", "list", "--group", "{g}"},
		},
		{
			id: "showToken", method: "GET", path: "/groups/{g}/tokens/{token}", status: 200,
			verb: []string{"token", "show", "{token}", "--group", "{g}"},
		},
		{
			id: "updateToken", method: "PATCH", path: "/groups/{g}/tokens/{token}", status: 200,
			body: `{"name": "web shop", "restriction": null, "networks": null}`,
			verb: []string{"token", "update", "{token}", "--group", "{g}", "--name", "web shop", "--no-restriction", "--networks", ""},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1", "expiration": "PT2H"}`, http.StatusOK, "")
			},
		},
		{
			id: "refreshToken", method: "POST", path: "/groups/{g}/tokens/{token}/refresh", status: 200,
			body: `{"overlap": "PT0S"}`,
			verb: []string{"token", "refresh", "{token}", "--group", "{g}", "--overlap", "PT0S"},
			keep: map[string]string{"text": "token"},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1"}`, http.StatusOK, "")
				in.with("text", in.before["text"]).mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1"}`, http.StatusUnauthorized, "unauthenticated")
			},
		},
		{
			id: "createKey", method: "POST", path: "/groups/{g}/keys", status: 201,
			body: `{"label": "portal", "note": "for the partner portal", "default": true}`,
			verb: []string{"key", "create", "--group", "{g}", "--label", "portal", "--note", "for the partner portal", "--default"},
			keep: map[string]string{"key": "id", "value": "value"},
			then: func(t *testing.T, in *actingIn) {
				in.mintsWith(t, "", in.names["key"])
			},
		},
		{
			id: "createKey", method: "POST", path: "/groups/{g}/keys", status: 201,
			body:  `{"id": "imported-{g}", "value": "` + importedKey + `"}`,
			verb:  []string{"key", "import", "imported-{g}", "--group", "{g}", "--value-file", "-"},
			stdin: importedKey + "\n",
			keep:  map[string]string{"imported": "id"},
			then: func(t *testing.T, in *actingIn) {
				in.mintsWith(t, in.names["imported"], in.names["imported"])
			},
		},
		{
			id: "listKeys", method: "GET", path: "/groups/{g}/keys", status: 200,
			verb: []string{"key", "list", "--group", "{g}"},
		},
		{
			id: "showKey", method: "GET", path: "/groups/{g}/keys/{key}", status: 200,
			verb: []string{"key", "show", "{key}", "--group", "{g}"},
		},
		{
			id: "updateKey", method: "PATCH", path: "/groups/{g}/keys/{key}", status: 200,
			body: `{"label": "=cmd|' /C calc'!A0", "note": null}`,
			verb: []string{"key", "update", "{key}", "--group", "{g}", "--label", "=cmd|' /C calc'!A0", "--note", ""},
		},
		{
			id: "revealKey", method: "POST", path: "/groups/{g}/keys/{imported}/reveal", status: 200,
			verb: []string{"key", "reveal", "{imported}", "--group", "{g}", "--yes"},
		},
		{
			id: "exportKey", method: "GET", path: "/groups/{g}/keys/{imported}/jwk", status: 200,
			verb: []string{"key", "export", "{imported}", "--group", "{g}", "--yes"},
		},
		{
			id: "setDefaultKey", method: "POST", path: "/groups/{g}/keys/{imported}/default", status: 200,
			verb: []string{"key", "set-default", "{imported}", "--group", "{g}"},
			then: func(t *testing.T, in *actingIn) { in.mintsWith(t, "", in.names["imported"]) },
		},
		{
			id: "rotate", method: "POST", path: "/groups/{g}/rotate", status: 201,
			body: `{"overlap": "P2D", "label": "next"}`,
			verb: []string{"key", "rotate", "--group", "{g}", "--overlap", "P2D", "--label", "next"},
			keep: map[string]string{"next": "key.id", "nextvalue": "key.value"},
			then: func(t *testing.T, in *actingIn) {
				in.mintsWith(t, "", in.names["next"])
				in.mintsWith(t, in.names["imported"], in.names["imported"])
			},
		},
		{
			id: "retireKey", method: "POST", path: "/groups/{g}/keys/{imported}/retire", status: 200,
			verb: []string{"key", "retire", "{imported}", "--group", "{g}"},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1", "key_id": "{imported}"}`, http.StatusConflict, "key_not_active")
			},
		},
		{
			id: "disableKey", method: "POST", path: "/groups/{g}/keys/{key}/disable", status: 200,
			verb: []string{"key", "disable", "{key}", "--group", "{g}", "--yes"},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1", "key_id": "{key}"}`, http.StatusConflict, "key_not_active")
			},
		},
		{
			id: "enableKey", method: "POST", path: "/groups/{g}/keys/{key}/enable", status: 200,
			verb: []string{"key", "enable", "{key}", "--group", "{g}"},
			then: func(t *testing.T, in *actingIn) { in.mintsWith(t, in.names["key"], in.names["key"]) },
		},
		{ // not yet safe
			id: "destroyKey", method: "DELETE", path: "/groups/{g}/keys/{imported}", status: 409,
			verb: []string{"key", "destroy", "{imported}", "--group", "{g}", "--yes"},
		},
		{
			id: "destroyKey", method: "DELETE", path: "/groups/{g}/keys/{imported}?force=true", status: 200,
			verb: []string{"key", "destroy", "{imported}", "--group", "{g}", "--yes", "--force"},
		},
		{
			id: "searchAudit", method: "GET", path: "/audit/records?group={g}&action=rotate_key", status: 200,
			verb: []string{"audit", "search", "--group", "{g}", "--action", "rotate_key"},
		},
		{
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 201,
			body: `{"kind": "customer", "subject": "customer_1", "before": "2026-01-31T10:00:00Z", "note": "has left"}`,
			keep: map[string]string{"revocation": "id"},
			verb: []string{"revoke", "customer", "customer_1", "--group", "{g}", "--before", "2026-01-31T10:00:00Z", "--note", "has left", "--yes"},
		},
		{
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 201,
			body: `{"kind": "token", "subject": "` + fingerprintID + `"}`,
			keep: map[string]string{"second": "id"},
			verb: []string{"revoke", "token", fingerprintID, "--group", "{g}", "--yes"},
			then: func(t *testing.T, in *actingIn) {
				in.names["jwt"] = in.mints(t, `{"provided_id": "customer_2", "embed_id": "dash-1"}`, http.StatusOK, "").JWT
			},
		},
		{
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 201,
			body: `{"kind": "token", "token": "{jwt}", "note": "in a public issue"}`,
			keep: map[string]string{"given": "id", "fingerprint": "subject"},
			verb: []string{"revoke", "token", "--token-file", "-", "--group", "{g}", "--note", "in a public issue", "--yes"}, stdin: "{jwt}",
		},
		{ // a key that the group has not
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 400,
			body: `{"kind": "token", "token": "` + exampleJWT + `"}`,
			verb: []string{"revoke", "token", "--token-file", "-", "--group", "{g}", "--yes"}, stdin: exampleJWT,
		},
		{
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 201,
			body: `{"kind": "embed", "subject": "dash-1", "before": "2026-01-31T10:00:00Z"}`,
			keep: map[string]string{"third": "id"},
			verb: []string{"revoke", "embed", "dash-1", "--group", "{g}", "--before", "2026-01-31T10:00:00Z", "--yes"},
		},
		{
			id: "revoke", method: "POST", path: "/groups/{g}/revocations", status: 400,
			body: `{"kind": "key", "subject": "nobody"}`,
			verb: []string{"revoke", "key", "nobody", "--group", "{g}", "--yes"},
		},
		{
			id: "listRevocations", method: "GET", path: "/groups/{g}/revocations", status: 200,
			verb: []string{"revoke", "list", "--group", "{g}"},
		},
		{
			id: "revokeToken", method: "DELETE", path: "/groups/{g}/tokens/{token}", status: 204,
			verb: []string{"token", "revoke", "{token}", "--group", "{g}", "--yes"},
			then: func(t *testing.T, in *actingIn) {
				in.mints(t, `{"provided_id": "customer_1", "embed_id": "dash-1"}`, http.StatusUnauthorized, "unauthenticated")
			},
		},
		{ // its keys can still open tokens
			id: "deleteGroup", method: "DELETE", path: "/groups/{g}", status: 409,
			verb: []string{"group", "delete", "{g}", "--yes"},
		},
		{
			id: "deleteGroup", method: "DELETE", path: "/groups/{g}?force=true", status: 204,
			verb: []string{"group", "delete", "{g}", "--yes", "--force"},
		},
		{
			id: "showGroup", method: "GET", path: "/groups/{g}", status: 404,
			verb: []string{"group", "show", "{g}"},
		},
		{
			id: "verifyAudit", method: "POST", path: "/audit/verify", status: 200,
			verb: []string{"audit", "verify"},
		},
		{
			id: "status", method: "GET", path: "/status", status: 200,
			verb: []string{"status"},
		},
		{
			id: "auditKey", method: "GET", path: "/audit/key", status: 200,
			verb: []string{"audit", "key", "--yes"},
		},
	}
}

// governed is a server of one store, and how it is reached.
type governed struct {
	w      world
	socket string
	client *http.Client
	// files is where what the server writes is looked for.
	files string
	// args are those of serve.
	args    []string
	address string
	stderr  *lockedBuffer
	stop    func(t *testing.T)
}

// actingIn is one of the two groups.
type actingIn struct {
	server *governed
	// names are what stands for the words in braces; before is what they were.
	names, before map[string]string
}

func (in *actingIn) fill(text string) string {
	for name, value := range in.names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

func (in *actingIn) with(name, value string) *actingIn {
	names := maps.Clone(in.names)
	names[name] = value
	return &actingIn{server: in.server, names: names}
}

// mints asks for a token with the API token that was kept as "text".
func (in *actingIn) mints(t *testing.T, body string, status int, code string) answer {
	t.Helper()
	a := post(t, in.server.address, in.names["text"], in.fill(body))
	if a.status != status || a.Code != code {
		t.Errorf("group %s: minting with %s: %d %s, want %d %s: %s", in.names["g"], in.fill(body), a.status, a.Code, status, code, a.text)
	}
	return a
}

// mintsWith asks for a token of key asked, and looks at which key sealed it.
func (in *actingIn) mintsWith(t *testing.T, asked, sealed string) {
	t.Helper()
	body := `{"provided_id": "customer_1", "embed_id": "dash-1"`
	if asked != "" {
		body += `, "key_id": "` + asked + `"`
	}
	a := in.mints(t, body+"}", http.StatusOK, "")
	if found := decode[inspection](t, world{stdin: a.JWT}.run(t, "inspect", "--token-file", "-", "--output", "json")); found.Header.Kid != sealed {
		t.Errorf("group %s: a token of %q was sealed with %s, want %s", in.names["g"], asked, found.Header.Kid, sealed)
	}
}

func TestEveryOperationAnswersAlikeThroughTheAPIAndTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, store := range []string{storeMemory, storeBbolt, storeFile, storeVault} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			server := govern(t, store)
			byAPI := &actingIn{server: server, names: map[string]string{"g": "by-api"}}
			byVerb := &actingIn{server: server, names: map[string]string{"g": "by-cli"}}
			for _, op := range operations() {
				answered, printed := byAPI.ask(t, op), byVerb.say(t, op)
				if a, b := likeness(t, byAPI, answered), likeness(t, byVerb, printed); op.status < 300 && op.status != http.StatusNoContent && a != b {
					t.Errorf("%s: the API answers\n%s\nand %s prints\n%s", op.id, a, strings.Join(op.verb, " "), b)
				}
				for _, in := range []*actingIn{byAPI, byVerb} {
					if op.then != nil {
						op.then(t, in)
					}
				}
				if t.Failed() {
					t.Fatalf("%s was the last", op.id)
				}
			}
		})
	}
}

// govern starts a server of that store, in process, whose administration is held
// to the document.
func govern(t *testing.T, store string, args ...string) *governed {
	t.Helper()
	s := prepare(t, store, args...)
	s.serve(t)
	return s
}

// serve starts the server, again where it has been stopped.
func (s *governed) serve(t *testing.T) {
	t.Helper()
	in := s.w.serve(t, s.args...)
	s.address, s.stderr, s.stop = in.address, &in.stderr, in.stop
}

// prepare makes the store.
func prepare(t *testing.T, store string, args ...string) *governed {
	t.Helper()
	dir, err := os.MkdirTemp("", "es-") // a short one: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &governed{socket: filepath.Join(dir, "admin.sock"), files: dir}
	s.args = append([]string{"--admin-socket", s.socket}, args...)
	switch store {
	case storeMemory:
		s.args = append(s.args, "--dev", "--audit-path", filepath.Join(dir, "audit.log"))
	case storeVault:
		server := vaulttest.Dev(t)
		site := vaultSite{server.Address, server.Token, dir}
		s.w = site.world()
		site.init(t, s.w)
	default:
		data := filepath.Join(dir, "data")
		initialise(t, data, store)
		s.w = world{environ: []string{"EMBEDSEAL_DATA_DIR=" + data, "EMBEDSEAL_STORE=" + store}}
	}
	spec, err := document()
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Transport: spec.RoundTripper(t, apispec.Administration, &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
		},
	})}
	return s
}

// ask does the operation by the API.
func (in *actingIn) ask(t *testing.T, op operation) string {
	t.Helper()
	status, _, text := in.server.request(t, op.method, in.fill(op.path), op.header, in.fill(op.body))
	if status != op.status {
		t.Fatalf("%s: %d, want %d: %s", op.id, status, op.status, text)
	}
	in.remember(t, op, text)
	return text
}

// request asks the administration API on the socket.
func (s *governed) request(t *testing.T, method, path string, header map[string]string, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://embedseal/admin/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// say does the operation by the command line.
func (in *actingIn) say(t *testing.T, op operation) string {
	t.Helper()
	args := []string{"--output", "json"}
	for _, arg := range op.verb {
		args = append(args, in.fill(arg))
	}
	w := world{environ: in.server.w.environ, stdin: in.fill(op.stdin)}
	o := w.run(t, append(args, "--admin-socket", in.server.socket)...)
	want := exitOK
	if op.status >= http.StatusBadRequest {
		want = exitRefused
	}
	o.want(t, want)
	if want == exitOK {
		in.remember(t, op, o.stdout)
	}
	return o.stdout
}

// remember keeps what later operations use.
func (in *actingIn) remember(t *testing.T, op operation, text string) {
	t.Helper()
	in.before = maps.Clone(in.names)
	for name, path := range op.keep {
		var at any
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			t.Fatalf("%s: %v: %s", op.id, err, text)
		}
		for member := range strings.SplitSeq(path, ".") {
			at = at.(map[string]any)[member]
		}
		value, ok := at.(string)
		if !ok {
			t.Fatalf("%s: there is no %s in %s", op.id, path, text)
		}
		in.names[name] = value
	}
}

// likeness is an answer without what differs between two groups and two moments:
// ids, secrets, times, the records of the audit log.
func likeness(t *testing.T, in *actingIn, text string) string {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(in.names), func(a, b string) int { return len(in.names[b]) - len(in.names[a]) })
	for _, name := range names { // the group's id is part of others
		text = strings.ReplaceAll(text, in.names[name], "{"+name+"}")
	}
	for _, what := range []struct{ pattern, name string }{
		{`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`, "{time}"},
		{`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "{uuid}"},
		{`"(mac|change|request_id)":"[^"]*"`, `"$1":"{…}"`},
		{`"(seq|records|groups)":[0-9]+`, `"$1":0`},
		{`"remote":"[^"]*",?`, ``},
		{`\bby-(api|cli)\b`, "{g}"}, // a list has both
	} {
		text = regexp.MustCompile(what.pattern).ReplaceAllString(text, what.name)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", " "); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return out.String()
}

func TestEveryOperationIsExercised(t *testing.T) {
	exercised := []string{
		"openapi", "referencePage", "referenceAsset", // shown in a browser, and in adapters/httpapi
	}
	said := map[string]bool{"audit tail": true} // TestAuditTail…
	for _, op := range operations() {
		exercised = append(exercised, op.id)
		for n := 1; n <= min(3, len(op.verb)); n++ { // at most "group policy show"
			said[strings.Join(op.verb[:n], " ")] = true
		}
	}
	document := string(api.Document())
	_, administration, found := strings.Cut(document, "\n  /admin/v1/")
	if !found {
		t.Fatal("the document has no administration API")
	}
	administration, _, _ = strings.Cut(administration, "\ncomponents:")
	ids := regexp.MustCompile(`operationId: (\S+)`).FindAllStringSubmatch(administration, -1)
	if len(ids) < 25 {
		t.Fatalf("only %d operations were found", len(ids))
	}
	for _, id := range ids {
		if !slices.Contains(exercised, id[1]) {
			t.Errorf("the operation %s is not exercised", id[1])
		}
	}
	administers := regexp.MustCompile(`^(group|key|token|revoke|audit|status)\b`)
	for path := range verbs() {
		if administers.MatchString(path) && !said[path] {
			t.Errorf("the verb %s is not exercised", path)
		}
	}
}
