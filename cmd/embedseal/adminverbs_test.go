package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// adminCase is one way to call a verb.
type adminCase struct {
	args []string
	// asks is the method and the path, below /admin/v1.
	asks string
	// sends is the body, as JSON.
	sends string
	// example is the name of the answer in docs/api/openapi.yaml.
	example string
	// says are pieces of what people read.
	says []string
	// replays: the request carries an Idempotency-Key.
	replays bool
	match   string
}

const (
	keyPath   = "/groups/acme/keys/aa111111-1a11-111a-aa11-1aaaa11a1a11"
	tokenPath = "/groups/acme/tokens/5f3a9c0d1e2b4a67"
	exampleID = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	tokenID   = "5f3a9c0d1e2b4a67"

	fingerprintID = "b8c3bdcf8f64a845c6b7101c2073186ad308f3a0334aac31fb985ac757128849"
)

func adminCases() map[string]adminCase {
	policy := []string{
		"--default-lifetime", "PT1H", "--max-lifetime", "P1D", "--chart-embedding", "--embeds", "a,b*", "--embeds", "c", "--customers", "x",
		"--origin-required=false", "--origins", "https://a.example,https://b.example", "--features", "flt,srt", "--pinned-key", "k",
	}
	const policyBody = `"default_lifetime":"PT1H","max_lifetime":"P1D","chart_embedding":true,"embeds":["a,b*","c"],"customers":["x"],
		"origin_required":false,"origins":["https://a.example","https://b.example"],"features":["flt","srt"],"pinned_key":"k"`
	return map[string]adminCase{
		"status": {asks: "GET /status", example: "Status", says: []string{
			"the server on ", "Version                v1.4.0\n", "bbolt\n", "127.0.0.1:8080\n", "/var/lib/embedseal/admin.sock\n", "local, record 1234; records can be written\n",
		}},
		"group list": {asks: "GET /groups", example: "GroupList", says: []string{
			"ID          NAME        KEYS  TOKENS  ROTATES EVERY  CREATED\nproduction  Production  2     1       P90D           2026-01-31T10:00:00Z\n",
		}},
		"group list, a page": {args: []string{"--limit", "7", "--after", "a b"}, asks: "GET /groups?after=a+b&limit=7", example: "GroupList"},
		"group create": {
			args: append([]string{"acme", "--name", "Acme Inc.", "--rotate-every", "P90D", "--overlap", "P7D", "--mode", "clamp"}, policy...), asks: "POST /groups",
			sends:   `{"id":"acme","name":"Acme Inc.","rotate_every":"P90D","overlap":"P7D","policy":{` + policyBody + `,"mode":"clamp"}}`,
			example: "GroupMade", replays: true, says: []string{"Group          production\n", "every P90D\n", "P1D unless asked for, at most P30D\n", "ETag           0f1e2d3c4b5a6978\n"},
		},
		"group create, with what takes nothing back": {
			args: []string{"acme", "--name", "", "--embeds", "", "--features", ""}, asks: "POST /groups", sends: `{"id":"acme"}`, example: "GroupMade", replays: true,
		},
		"group show": {args: []string{"acme"}, asks: "GET /groups/acme", example: "Group", says: []string{"Name           Production\n", "Features       any\n"}},
		"group update": {
			args: []string{"acme", "--name", "x", "--rotate-every", "", "--if-match", "0f1e2d3c4b5a6978"}, asks: "PATCH /groups/acme",
			sends: `{"name":"x","rotate_every":null}`, example: "Group", match: `"0f1e2d3c4b5a6978"`, says: []string{"Group "},
		},
		"group delete":             {args: []string{"acme", "--yes"}, asks: "DELETE /groups/acme", example: "Deleted", says: []string{"The group acme is deleted.\n"}},
		"group delete, with force": {args: []string{"acme", "--yes", "--force", "--if-match", "*"}, asks: "DELETE /groups/acme?force=true", example: "Deleted", match: "*"},
		"group policy show":        {args: []string{"--group", "acme"}, asks: "GET /groups/acme/policy", example: "Policy", says: []string{"Mode           reject\n"}},
		"group policy set": {
			args: append([]string{"--group", "acme", "--if-match", `"0f1e2d3c4b5a6978"`}, policy...), asks: "PATCH /groups/acme/policy",
			sends: "{" + policyBody + "}", example: "Policy", match: `"0f1e2d3c4b5a6978"`, says: []string{"Lifetime "},
		},
		"group policy set, back to the defaults": {
			args: []string{"--group", "acme", "--embeds", "", "--customers", "", "--origins", "", "--features", "", "--pinned-key", "", "--mode", ""}, asks: "PATCH /groups/acme/policy",
			sends: `{"embeds":null,"customers":null,"origins":null,"features":null,"pinned_key":null,"mode":null}`, example: "Policy",
		},
		"group policy set, no features": {args: []string{"--no-features"}, asks: "PATCH /groups/default/policy", sends: `{"features":[]}`, example: "Policy"},
		"key list": {args: []string{"--group", "acme"}, asks: "GET /groups/acme/keys", example: "KeyList", says: []string{
			"ID                                    STATE            CUSTODY   CREATED               RETIRES  SAFE TO DESTROY  LABEL\n",
			exampleID + "  active, default  material  2026-01-31T10:00:00Z  -        -                web shop\n",
		}},
		"key create": {
			args: []string{"--group", "acme", "--id", "x", "--label", "l", "--note", "n", "--default"}, asks: "POST /groups/acme/keys",
			sends: `{"id":"x","label":"l","note":"n","default":true}`, example: "KeyMade", replays: true,
			says: []string{"Value         0123456789abcdef0123456789abcdef\n", "The value is shown this once; key reveal shows it again, and that is recorded.\n"},
		},
		"key show":   {args: []string{exampleID, "--group", "acme"}, asks: "GET " + keyPath, example: "Key", says: []string{"State         active, default\n"}},
		"key update": {args: []string{exampleID, "--group", "acme", "--label", "l", "--note", ""}, asks: "PATCH " + keyPath, sends: `{"label":"l","note":null}`, example: "Key", says: []string{"Label "}},
		"key reveal": {args: []string{exampleID, "--group", "acme", "--yes"}, asks: "POST " + keyPath + "/reveal", example: "Revealed", says: []string{"0123456789abcdef0123456789abcdef\n"}},
		"key export": {args: []string{exampleID, "--group", "acme", "--yes"}, asks: "GET " + keyPath + "/jwk", example: "JWK", says: []string{`"k":"MDEyMzQ1`}},
		"key set-default": {
			args: []string{exampleID, "--group", "acme", "--if-match", "0f1e2d3c4b5a6978"}, asks: "POST " + keyPath + "/default", example: "Key", match: `"0f1e2d3c4b5a6978"`, says: []string{"State "},
		},
		"key rotate": {
			args: []string{"--group", "acme", "--overlap", "P14D", "--label", "l", "--note", "n"}, asks: "POST /groups/acme/rotate",
			sends: `{"overlap":"P14D","label":"l","note":"n"}`, example: "Rotated", replays: true, says: []string{
				"Value         0123456789abcdef0123456789abcdef\n", "Replaces                0d9e2c54-41f7-4a0b-8a36-6c1f2b7c9e10\n",
				"which retires           2026-02-07T10:00:00Z (", "and is safe to destroy  2026-03-10T10:00:00Z (",
			},
		},
		"key rotate, as the group says": {args: []string{"--group", "acme"}, asks: "POST /groups/acme/rotate", sends: `{}`, example: "Rotated", replays: true},
		"key retire":                    {args: []string{exampleID, "--group", "acme"}, asks: "POST " + keyPath + "/retire", example: "Key", says: []string{"State "}},
		"key disable":                   {args: []string{exampleID, "--group", "acme", "--yes"}, asks: "POST " + keyPath + "/disable", example: "Key", says: []string{"State "}},
		"key enable":                    {args: []string{exampleID, "--group", "acme"}, asks: "POST " + keyPath + "/enable", example: "Key", says: []string{"State "}},
		"key destroy":                   {args: []string{exampleID, "--group", "acme", "--yes"}, asks: "DELETE " + keyPath, example: "Key", says: []string{"State "}},
		"key destroy, with force": {
			args: []string{exampleID, "--group", "acme", "--yes", "--force", "--if-match", "0f1e2d3c4b5a6978"}, asks: "DELETE " + keyPath + "?force=true", example: "Key", match: `"0f1e2d3c4b5a6978"`,
		},
		"token list": {args: []string{"--group", "acme"}, asks: "GET /groups/acme/tokens", example: "TokenList", says: []string{
			"ID                NAME      SCOPES  CREATED               EXPIRES ", tokenID + "  web shop  mint    2026-01-31T10:00:00Z  2026-05-01T10:00:00Z (", "10.0.0.0/8  -\n",
		}},
		"token create": {
			args: append([]string{"--group", "acme", "--name", "n", "--scopes", "mint,verify", "--expires-in", "P90D", "--networks", "10.0.0.0/8,::1"}, policy...), asks: "POST /groups/acme/tokens",
			sends:   `{"name":"n","scopes":["mint","verify"],"expires_in":"P90D","networks":["10.0.0.0/8","::1"],"restriction":{` + policyBody + `}}`,
			example: "TokenMade", replays: true, says: []string{"Text         ems_acme_VWM00my5rsNSFlKgaWqQ4mb8gdEqno0YqdLQ\n", "The text is shown this once.\n", "Restriction  none beyond"},
		},
		"token create, at a time": {
			args: []string{"--name", "n", "--scopes", "read-only", "--expires-at", "2027-01-01T00:00:00Z"}, asks: "POST /groups/default/tokens",
			sends: `{"name":"n","scopes":["read-only"],"expires_at":"2027-01-01T00:00:00Z"}`, example: "TokenMade", replays: true,
		},
		"token show": {args: []string{tokenID, "--group", "acme"}, asks: "GET " + tokenPath, example: "Token", says: []string{"Scopes       mint\n", "Comes from   10.0.0.0/8\n"}},
		"token update": {
			args: []string{tokenID, "--group", "acme", "--networks", "", "--expires-at", "", "--max-lifetime", "", "--no-features"}, asks: "PATCH " + tokenPath,
			sends: `{"networks":null,"expires_at":null,"restriction":{"max_lifetime":null,"features":[]}}`, example: "Token", says: []string{"Name "},
		},
		"token update, unrestricted": {args: []string{tokenID, "--group", "acme", "--no-restriction"}, asks: "PATCH " + tokenPath, sends: `{"restriction":null}`, example: "Token"},
		"token refresh": {
			args: []string{tokenID, "--group", "acme", "--overlap", "PT2H"}, asks: "POST " + tokenPath + "/refresh", sends: `{"overlap":"PT2H"}`, example: "TokenRefreshed", replays: true,
			says: []string{"Text before  good until 2026-02-01T10:30:00Z (", "Text         ems_acme_"},
		},
		"token revoke": {args: []string{tokenID, "--group", "acme", "--yes"}, asks: "DELETE " + tokenPath, example: "Deleted", says: []string{"The API token " + tokenID + " is revoked.\n"}},
		"revoke token": {
			args: []string{fingerprintID, "--group", "acme", "--note", "n", "--yes"}, asks: "POST /groups/acme/revocations",
			sends: `{"kind":"token","subject":"` + fingerprintID + `","note":"n"}`, example: "RevocationMade", replays: true, says: []string{"Revocation ", "1f2e3d4c5b6a7988\n"},
		},
		"revoke customer": {
			args: []string{"customer_1", "--group", "acme", "--before", "2026-01-31T10:00:00Z", "--note", "has left", "--yes"}, asks: "POST /groups/acme/revocations",
			sends:   `{"kind":"customer","subject":"customer_1","before":"2026-01-31T10:00:00Z","note":"has left"}`,
			example: "RevocationMade", replays: true, says: []string{"customer customer_1\n", "2026-01-31T10:00:00Z (", "2026-03-02T11:00:06Z (", "has left\n"},
		},
		"revoke embed": {args: []string{"abcde", "--yes"}, asks: "POST /groups/default/revocations", sends: `{"kind":"embed","subject":"abcde"}`, example: "RevocationMade", replays: true},
		"revoke key":   {args: []string{exampleID, "--yes"}, asks: "POST /groups/default/revocations", sends: `{"kind":"key","subject":"` + exampleID + `"}`, example: "RevocationMade", replays: true},
		"revoke list": {args: []string{"--group", "acme", "--limit", "7"}, asks: "GET /groups/acme/revocations?limit=7", example: "RevocationList", says: []string{
			"ID                KIND      SUBJECT     ISSUED UNTIL ", "1f2e3d4c5b6a7988  customer  customer_1  2026-01-31T10:00:00Z (", "has left\n",
		}},
		"audit tail": {args: []string{"-n", "3"}, asks: "GET /audit/records?last=3", example: "AuditList", says: []string{
			"2026-01-31T10:00:00.123456Z  #1234    granted  mint           ", "customer=customer_1 embed=abcde",
		}},
		"audit search": {
			args: []string{"--group", "acme", "--action", "mint", "--outcome", "granted", "--since", "2026-01-31T11:00:00+01:00", "--until", "2026-02-01T00:00:00Z", "--customer", "c&d", "--embed", "e",
				"--token-id", "t", "--key-id", "k", "--fingerprint", "f", "--request-id", "r"},
			asks:    "GET /audit/records?action=mint&customer=c%26d&embed=e&fingerprint=f&group=acme&key_id=k&outcome=granted&request_id=r&since=2026-01-31T10%3A00%3A00Z&token_id=t&until=2026-02-01T00%3A00%3A00Z",
			example: "AuditList", says: []string{"#1234    granted  mint "},
		},
		"audit verify": {asks: "POST /audit/verify", example: "AuditVerified", says: []string{"audit.log:17 (record 17): edited: the MAC of this line is wrong\n", "NOT what was written. 1234 records are.\n"}},
		"audit key":    {args: []string{"--yes"}, asks: "GET /audit/key", example: "AuditKey", says: []string{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"}},
	}
}

// status is that of an answer, by its name in the document.
func statusOf(example string) int {
	switch example {
	case "GroupMade", "KeyMade", "TokenMade", "Rotated", "RevocationMade":
		return http.StatusCreated
	case "Deleted":
		return http.StatusNoContent
	}
	return http.StatusOK
}

func TestEveryVerbAsksTheAPIAndShowsItsAnswer(t *testing.T) {
	t.Parallel()
	documented, seen := examples(t), map[string]bool{}
	for name, test := range adminCases() {
		verb, _, _ := strings.Cut(name, ",")
		seen[verb] = true
		t.Run(name, func(t *testing.T) {
			body := documented[test.example]
			f := newFakeAdmin(t, always(statusOf(test.example), body))
			args := append(strings.Fields(verb), test.args...)
			code := exitOK
			if verb == "audit verify" { // the example has a finding
				code = exitFailure
			}
			o := f.run(t, args...).want(t, code)
			asked := f.questions()
			if len(asked) != 1 {
				t.Fatalf("asked %+v", asked)
			}
			q := asked[0]
			if want := strings.Replace(test.asks, " /", " /admin/v1/", 1); q.line != want {
				t.Errorf("asked %s, want %s", q.line, want)
			}
			if diff := cmp.Diff(parsed(t, test.sends), parsed(t, q.body)); diff != "" {
				t.Error(diff)
			}
			if q.match != test.match || (len(q.replay) >= 26) != test.replays || q.bearer != "" {
				t.Errorf("headers %+v", q)
			}
			for _, text := range test.says {
				if !strings.Contains(o.stdout, text) {
					t.Errorf("it does not say %q:\n%s", text, o.stdout)
				}
			}
			if o.stderr != "" || strings.Contains(o.stdout, "\x1b") {
				t.Errorf("standard error %q", o.stderr)
			}
			asJSON := f.run(t, append(args, "--output", "json")...).want(t, code)
			want := body + "\n"
			switch {
			case verb == "audit tail":
				want = string(parsedItems(t, body)[0]) + "\n"
			case test.example == "Deleted":
				want = asJSON.stdout
				if members := membersOf(t, asJSON); len(members) != 2 {
					t.Errorf("members %v", members)
				}
			}
			if asJSON.stdout != want || asJSON.stderr != "" {
				t.Errorf("as JSON %q, want %q, and on standard error %q", asJSON.stdout, want, asJSON.stderr)
			}
		})
	}
	for name, c := range verbs() {
		if administers(c) && !seen[name] && name != "key import" {
			t.Errorf("%s is not tried", name)
		}
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func parsedItems(t *testing.T, text string) []json.RawMessage {
	t.Helper()
	var p page
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func TestImportSendsTheValueOfAFileOrOfStandardInputAndNeverOfAnArgument(t *testing.T) {
	t.Parallel()
	const value = "0123456789abcdef0123456789abcdef"
	example := examples(t)["Key"]
	f := newFakeAdmin(t, always(http.StatusCreated, strings.TrimSuffix(example, "}")+`,"warnings":[{"field":"value","code":"trimmed","detail":"white space was cut off"}]}`))
	file := write(t, filepath.Join(t.TempDir(), "value"), value+"\r\n")
	for name, o := range map[string]func() outcome{
		"a file": func() outcome {
			return f.run(t, "key", "import", "x", "--group", "acme", "--value-file", file, "--label", "l")
		},
		"standard input": func() outcome {
			return world{stdin: value + "\n"}.run(t, "key", "import", "x", "--group", "acme", "--value-file", "-", "--label", "l", "--data-dir", f.dir)
		},
	} {
		got := o().want(t, exitOK, "warning: value: white space was cut off")
		asked := f.questions()
		if len(asked) != 1 || asked[0].line != "POST /admin/v1/groups/acme/keys" || asked[0].replay == "" {
			t.Fatalf("%s: asked %+v", name, asked)
		}
		if diff := cmp.Diff(parsed(t, `{"id":"x","value":"`+value+`","label":"l"}`), parsed(t, asked[0].body)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if strings.Contains(got.stdout+got.stderr, value) {
			t.Errorf("%s: the value is shown: %+v", name, got)
		}
	}
	f.run(t, "key", "import", "x").want(t, exitUsage, "--value-file is required")
	f.run(t, "key", "import", "x", value, "--value-file", file).want(t, exitUsage)
	f.run(t, "key", "import", "x", "--value-file", file+"x").want(t, exitFailure, file+"x")
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("asked %+v", asked)
	}
}

func TestAPolicyIsReplacedByThatOfAFile(t *testing.T) {
	t.Parallel()
	policy := examples(t)["Policy"]
	f := newFakeAdmin(t, always(http.StatusOK, policy))
	shownPolicy := f.run(t, "group", "policy", "show", "--output", "json").want(t, exitOK).stdout
	f.questions()
	world{stdin: shownPolicy}.run(t, "group", "policy", "set", "--group", "copy", "--policy-file", "-", "--data-dir", f.dir).want(t, exitOK)
	asked := f.questions()
	if len(asked) != 1 || asked[0].line != "PUT /admin/v1/groups/copy/policy" {
		t.Fatalf("asked %+v", asked)
	}
	if diff := cmp.Diff(parsed(t, policy), parsed(t, asked[0].body)); diff != "" {
		t.Error(diff)
	}
	f.run(t, "group", "policy", "set", "--policy-file", "-", "--mode", "clamp").want(t, exitUsage, "leave out the flags")
	f.run(t, "group", "policy", "set", "--policy-file", write(t, filepath.Join(t.TempDir(), "p"), "{")).want(t, exitFailure, "not JSON")
}

func TestWhatMakesNoSenseIsNotAsked(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, always(http.StatusOK, "{}"))
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"group", "update", "acme"}, "nothing to change"},
		{[]string{"key", "update", "k"}, "nothing to change"},
		{[]string{"token", "update", "t"}, "nothing to change"},
		{[]string{"group", "policy", "set"}, "nothing to change"},
		{[]string{"token", "create", "--name", "n"}, "--name and --scopes are required"},
		{[]string{"token", "create", "--scopes", "mint"}, "--name and --scopes are required"},
		{[]string{"token", "create", "--name", "n", "--scopes", "mint", "--expires-in", "P1D", "--expires-at", "2030-01-01T00:00:00Z"}, "expires-at expires-in"},
		{[]string{"token", "update", "t", "--no-restriction", "--max-lifetime", "PT1H"}, "leave out the flags"},
		{[]string{"group", "show", ".."}, `".." is not the id of a group`},
		{[]string{"group", "show", ""}, `"" is not the id of a group`},
		{[]string{"key", "show", "k", "--group", "."}, `"." is not the id of a group`},
		{[]string{"key", "destroy", "..", "--yes"}, `".." is not the id of a key`},
		{[]string{"token", "revoke", "", "--yes"}, `"" is not the id of a token`},
		{[]string{"audit", "tail", "-n", "0"}, "-n must be 1 to 1000"},
		{[]string{"audit", "search", "--since", "yesterday"}, "--since: \"yesterday\" is neither a time"},
		{[]string{"audit", "search", "--until", "P99999Y"}, "--until: "},
		{[]string{"status", "--admin-socket", f.socket, "--admin-server", "http://127.0.0.1:1"}, "name two servers"},
	} {
		o := f.run(t, test.args...).want(t, exitUsage, test.says)
		if o.stdout != "" {
			t.Errorf("%v: standard output %q", test.args, o.stdout)
		}
	}
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("asked %+v", asked)
	}
}

func TestAnIDStaysWithinItsSegmentOfThePath(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, always(http.StatusOK, examples(t)["Key"]))
	for id, segment := range map[string]string{
		"../../groups": "..%2F..%2Fgroups", "a/b": "a%2Fb", "a?force=true": "a%3Fforce=true", "a#b": "a%23b", "%2e%2e": "%252e%252e", "a b\n": "a%20b%0A", "é": "%C3%A9",
	} {
		f.run(t, "key", "show", id, "--group", "g/"+id).want(t, exitOK)
		if asked := f.questions(); len(asked) != 1 || asked[0].line != "GET /admin/v1/groups/g%2F"+segment+"/keys/"+segment {
			t.Errorf("%q asks %+v", id, asked)
		}
	}
}

func TestAListIsPrintedWholeUnlessAPageIsWanted(t *testing.T) {
	t.Parallel()
	item := func(id string) string {
		return `{"id":"` + id + `","name":"n","created_at":"2026-01-31T10:00:00Z","rotate_every":null,"overlap":"P7D","policy":{},"keys":0,"tokens":0}`
	}
	f := newFakeAdmin(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			sayJSON(w, http.StatusOK, `{"items":[`+item("a")+`,`+item("b")+`],"next":"b"}`)
		case "b":
			sayJSON(w, http.StatusOK, `{"items":[`+item("c")+`],"next":null}`)
		default:
			sayJSON(w, http.StatusOK, `{"items":[],"next":"`+r.URL.Query().Get("after")+`"}`)
		}
	})
	if o := f.run(t, "group", "list").want(t, exitOK); strings.Count(o.stdout, "\n") != 4 || o.stderr != "" {
		t.Errorf("all: %+v", o)
	}
	if o := f.run(t, "group", "list", "--output", "json").want(t, exitOK); o.stdout != `{"items":[`+item("a")+`,`+item("b")+`,`+item("c")+`],"next":null}`+"\n" {
		t.Errorf("all as JSON: %s", o.stdout)
	}
	if o := f.run(t, "group", "list", "--limit", "2").want(t, exitOK, "There are more: --after b\n"); strings.Count(o.stdout, "\n") != 3 {
		t.Errorf("a page: %+v", o)
	}
	if o := f.run(t, "group", "list", "--limit", "2", "--output", "json").want(t, exitOK); o.stdout != `{"items":[`+item("a")+`,`+item("b")+`],"next":"b"}`+"\n" || o.stderr != "" {
		t.Errorf("a page as JSON: %+v", o)
	}
	f.run(t, "group", "list", "--after", "loop").want(t, exitFailure, "the same page again and again")
}
