package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/httpapi/apispec"
)

// TestAnotherGroupIsNotThere asks as an API token of one group for everything of
// another, by every operation, and for the same of what does not exist. The answers
// are the same bytes, but for the request's id: before the other group was ever
// served by this process, and after.
func TestAnotherGroupIsNotThere(t *testing.T) {
	t.Parallel()
	for _, store := range []string{storeMemory, storeBbolt, storeFile, storeVault} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			server := govern(t, store, "--admin-listen", "127.0.0.1:0")
			mine, theirs := newTenant(t, server, "mine"), newTenant(t, server, "theirs")
			if store != storeMemory {
				server.stop(t)
				server.serve(t)
			}
			compareAll(t, server, mine, theirs)
			// Warm: everything of the other group was read just now.
			for _, path := range []string{"/groups/theirs", "/groups/theirs/keys", "/groups/theirs/tokens"} {
				if status, _, text := server.request(t, http.MethodGet, path, nil, ""); status != http.StatusOK {
					t.Fatalf("%s: %d %s", path, status, text)
				}
			}
			post(t, server.address, theirs.token, goodBody)
			compareAll(t, server, mine, theirs)
		})
	}
}

// tenant is a group with a key, and an API token with every scope.
type tenant struct{ group, key, token, tokenID string }

func newTenant(t *testing.T, server *governed, group string) tenant {
	t.Helper()
	in := &actingIn{server: server, names: map[string]string{"g": group}}
	for _, op := range []operation{
		{id: "createGroup", method: "POST", path: "/groups", status: 201, body: `{"id": "{g}"}`},
		{
			id: "createKey", method: "POST", path: "/groups/{g}/keys", status: 201,
			body: `{"label": "one"}`, keep: map[string]string{"key": "id"},
		},
		{
			id: "createToken", method: "POST", path: "/groups/{g}/tokens", status: 201,
			body: `{"name": "all", "scopes": ["read-write", "reveal"]}`, keep: map[string]string{"token": "token", "id": "id"},
		},
	} {
		in.ask(t, op)
	}
	return tenant{group, in.names["key"], in.names["token"], in.names["id"]}
}

// compareAll asks for what is the other group's, and for what is nobody's.
func compareAll(t *testing.T, server *governed, mine, theirs tenant) {
	t.Helper()
	compared := 0
	for _, op := range operations() {
		if !strings.Contains(op.path, "{g}") {
			continue
		}
		same := func(what string, there, absent map[string]string) {
			t.Helper()
			a, b := server.over(t, op, mine.token, there), server.over(t, op, mine.token, absent)
			if a != b {
				t.Errorf("%s, %s:\nis there: %s\nis not:   %s", op.id, what, a, b)
			}
			compared++
		}
		foreign := map[string]string{"g": theirs.group, "key": theirs.key, "imported": theirs.key, "token": theirs.tokenID}
		nobodys := map[string]string{"g": "nobodys", "key": theirs.key, "imported": theirs.key, "token": theirs.tokenID}
		same("another's group", foreign, nobodys)
		if !strings.Contains(op.path, "{key}") && !strings.Contains(op.path, "{imported}") && !strings.Contains(op.path, "{token}") {
			continue
		}
		foreign["g"] = mine.group
		same("another's id in the own group", foreign, map[string]string{
			"g": mine.group, "key": "11111111-2222-4333-8444-555555555555", "imported": "11111111-2222-4333-8444-555555555555", "token": "0123456789abcdef",
		})
	}
	if compared < 30 {
		t.Errorf("only %d pairs were compared", compared)
	}
	for _, query := range []string{"", "?dry_run=1"} {
		a := withoutRequestID(publicly(t, server, mine.token, query, `{"provided_id": "c", "embed_id": "e", "key_id": "`+theirs.key+`"}`))
		b := withoutRequestID(publicly(t, server, mine.token, query, `{"provided_id": "c", "embed_id": "e", "key_id": "11111111-2222-4333-8444-555555555555"}`))
		if a != b {
			t.Errorf("minting with another's key:\n%s\nand with none:\n%s", a, b)
		}
	}
}

// over does an operation as an API token, over TCP, and returns all of the answer.
func (s *governed) over(t *testing.T, op operation, apiToken string, names map[string]string) string {
	t.Helper()
	fill := &actingIn{names: names}
	request, err := http.NewRequestWithContext(t.Context(), op.method, "http://"+s.admin(t)+"/admin/v1"+fill.fill(op.path), strings.NewReader(op.body))
	if err != nil {
		t.Fatal(err)
	}
	if op.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+apiToken)
	return withoutRequestID(whole(t, specified(t, apispec.Administration), request))
}

// admin is the address of the administration listener on TCP.
func (s *governed) admin(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(s.stderr.String(), " admin=")
	if !found {
		t.Fatalf("the log does not say where: %s", s.stderr.String())
	}
	return strings.Fields(rest)[0]
}

func specified(t *testing.T, listener apispec.Listener) *http.Client {
	t.Helper()
	spec, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: spec.RoundTripper(t, listener, http.DefaultTransport)}
}

func publicly(t *testing.T, s *governed, apiToken, query, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/api/generate_jwt/"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+apiToken)
	return whole(t, specified(t, apispec.Public), request)
}

// whole is the answer with its status and headers.
func whole(t *testing.T, client *http.Client, request *http.Request) string {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	response.Header.Del("Date")
	return fmt.Sprintf("%d %v %s", response.StatusCode, response.Header, body)
}

func withoutRequestID(text string) string {
	return regexp.MustCompile(`X-Request-Id:\[[a-z2-7]{16}\]|"request_id":"[a-z2-7]{16}"`).ReplaceAllString(text, "")
}

// TestNoSecretIsLeft does every operation on every store, then makes the process
// dump its goroutines and die while it mints, and looks for the values of keys, API
// tokens and minted tokens in all that it wrote or said unasked.
func TestNoSecretIsLeft(t *testing.T) {
	t.Parallel()
	for _, store := range []string{storeMemory, storeBbolt, storeFile, storeVault} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			const operatorToken = "operator-canary-0123456789abcdefghij"
			file := filepath.Join(t.TempDir(), "operator")
			if err := os.WriteFile(file, []byte(operatorToken), 0o600); err != nil {
				t.Fatal(err)
			}
			server := prepare(t, store, "--admin-listen", "127.0.0.1:0", "--admin-operator-token-file", file,
				"--ops-listen", "127.0.0.1:0", "--log-level", "debug")
			p := start(t, append(server.w.environ, "GOTRACEBACK=all"), append([]string{"serve", "--listen", "127.0.0.1:0"}, server.args...)...)
			server.address, server.stderr = p.address(t), &p.stderr
			canaries := map[string]string{"the operator token": operatorToken, "an imported key": importedKey}
			var said strings.Builder // what was answered and must hold no secret
			in := &actingIn{server: server, names: map[string]string{"g": "acme"}}
			for _, op := range operations() {
				text := in.ask(t, op)
				for _, name := range []string{"text", "value", "nextvalue"} {
					if value := in.names[name]; value != "" {
						canaries[name+" after "+op.id] = value
					}
				}
				secret := op.id == "createKey" || op.keep["text"] != "" || op.keep["nextvalue"] != "" ||
					op.id == "revealKey" || op.id == "exportKey" || op.id == "auditKey"
				if !secret {
					said.WriteString(text)
				}
				if in.names["text"] != "" && op.id != "revokeToken" {
					for _, body := range []string{
						`{"provided_id": "customer_1", "embed_id": "dash-1"}`,
						`{"provided_id": "` + in.names["text"] + `", "embed_id": "dash-1"}`, // in the wrong place
						`{"provided_id": "customer_1", "embed_id": "dash-1", "` + in.names["text"] + `": 1}`,
						`{"provided_id": "customer_1", "embed_id": "dash-1", "key_id": "` + importedKey + `!"}`,
					} {
						a := post(t, server.address, in.names["text"], body)
						if a.JWT != "" {
							canaries["a token minted after "+op.id], in.names["jwt"] = a.JWT, a.JWT
						} else {
							said.WriteString(a.text)
						}
					}
				}
				for _, hostile := range []operation{
					{method: "GET", path: "/groups/acme/keys/" + importedKey},
					{method: "GET", path: "/groups/" + importedKey},
					{method: "POST", path: "/groups/acme/keys", body: `{"id": "x", "value": "` + importedKey + `!"}`},
					{method: "POST", path: "/groups/acme/keys", body: `{"value": "` + importedKey + `", "` + importedKey + `": 1}`},
					{method: "GET", path: "/groups?after=" + importedKey + "&" + importedKey + "=1"},
				} {
					_, _, text := server.request(t, hostile.method, hostile.path, nil, hostile.body)
					said.WriteString(text)
				}
			}
			_, metrics := get(t, opsIn(t, server.stderr), "/metrics")
			p.dieMinting(t, server, canaries)
			noCanary(t, canaries, "answers", said.String())
			noCanary(t, canaries, "the metrics", metrics)
			noCanary(t, canaries, "standard error", p.stderr.String())
			if store == storeMemory { // what --dev prints are its own
				return
			}
			noCanary(t, canaries, "standard output", p.stdout.String())
			seen := 0
			for name := range snapshot(t, server.files) {
				if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
					continue
				}
				seen++
				noCanary(t, canaries, name, contents(t, name))
			}
			if seen == 0 || len(canaries) < 10 {
				t.Errorf("%d files and %d secrets were looked at", seen, len(canaries))
			}
		})
	}
}

// dieMinting mints on many connections, and has the process dump and end itself
// meanwhile.
func (p *process) dieMinting(t *testing.T, server *governed, canaries map[string]string) {
	t.Helper()
	last := newTenant(t, server, "last")
	canaries["the API token of the end"] = last.token
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	minted := make(chan string, 64)
	for range 8 {
		go func() {
			for ctx.Err() == nil {
				a, err := tryPost(ctx, server.address, last.token, goodBody)
				if err != nil {
					return
				}
				if a.JWT == "" { // above the rate limit
					continue
				}
				select {
				case minted <- a.JWT:
				default:
				}
			}
		}()
	}
	for i := range 32 {
		canaries[fmt.Sprint("a token of the end, ", i)] = <-minted
	}
	p.signal(t, syscall.SIGQUIT)
	p.wait(t)
	if !strings.Contains(p.stderr.String(), "goroutine ") {
		t.Error("it left no dump")
	}
}
