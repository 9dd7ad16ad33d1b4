package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apipage"
	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/docs/api"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
)

// operatorToken is what an operator presents over TCP.
const operatorToken = "operator-0123456789-abcdefghijkl"

// governed is a running administration server over the groups that every site
// has.
type governed struct {
	setup
	config httpapi.AdminConfig
	admin  *httpapi.Admin
	addr   string
	clock  *clock
	log    *auditLog
	audit  *recorder
	meter  *meter
	logs   *logbook
	stop   func() error
}

// govern starts one, on a socket and on a free port of the loopback.
func govern(t *testing.T, changes ...func(*governed)) *governed {
	t.Helper()
	store := memory.Open()
	s := &governed{
		setup: setup{
			policy: policy.Default(), groups: memory.NewGroupStore(store), keys: memory.NewKeyStore(store),
			custody: custody.NewLocal(entropy.System{}), cipher: jose.New(),
		},
		config: httpapi.AdminConfig{
			Socket: socketPath(t), Listen: "127.0.0.1:0", ShutdownTimeout: 15 * time.Second,
			OperatorToken: httpapi.NewOperatorToken(secret.New(operatorToken)),
			Version:       "v1.2.3", Store: "memory", Custody: "material",
		},
		clock: &clock{now: time.Date(2026, 1, 31, 10, 0, 0, 500e6, time.UTC)},
		log:   &auditLog{status: audit.Status{Log: "local", Seq: 3, OK: true}},
		audit: &recorder{}, meter: &meter{answers: map[string]int{}}, logs: &logbook{},
	}
	page, err := apipage.New(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	s.config.Page = page.Handlers()
	before, revocations := s.setup, memory.NewRevocationStore(store)
	for _, change := range changes {
		change(s)
	}
	fill(t, before, s.policy, policy.Restriction{})
	log := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	uses := app.NewLastUse(s.groups, s.clock)
	recorded := app.NewChanges(s.audit, s.clock, entropy.System{}, httpapi.CodeOf)
	defaults := app.NewDefaultKeys(s.keys, s.custody, recorded, s.clock, entropy.System{})
	revoked := app.NewRevoked(revocations, app.Freshness{}, s.clock)
	use := httpapi.Governance{
		Groups:    app.NewGroups(s.groups, s.keys, s.custody, defaults, revoked, recorded, s.clock),
		Keys:      app.NewKeys(s.groups, s.keys, s.custody, recorded, s.clock, entropy.System{}, 0),
		Tokens:    app.NewTokens(s.groups, s.keys, recorded, uses, s.clock, entropy.System{}),
		Revoker:   app.NewRevoker(s.groups, s.keys, s.cipher, revocations, revoked, recorded, s.clock, entropy.System{}, s.chart, 0),
		Auditing:  app.NewAuditing(s.log, s.audit, s.clock),
		Overviews: app.NewOverviews(s.groups),
	}
	s.admin = httpapi.NewAdmin(s.config, use, app.NewAuthenticator(s.groups, uses, s.clock), app.NewRefusals(s.audit, s.clock), s.clock, entropy.System{}, s.meter, log)
	s.admin.Surround(func(next http.Handler) http.Handler { return spec(t).Handler(t, apispec.Administration, next) })
	s.serve(t)
	return s
}

func (s *governed) serve(t *testing.T) {
	t.Helper()
	where, err := s.admin.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range where {
		if l.Name == httpapi.NameAdmin {
			s.addr = l.Address
		}
	}
	s.stop = running(t, s.admin.Serve)
}

// allow gives the token of that name in the group those scopes.
func (s *governed) allow(t *testing.T, id group.ID, name string, scopes apitoken.Scopes) {
	t.Helper()
	err := s.groups.UpdateGroup(t.Context(), id, func(g group.Group) (group.Group, error) {
		tokens := append([]apitoken.Token{}, g.Tokens...)
		for i := range tokens {
			if tokens[i].Name == name {
				tokens[i].Scopes = scopes
			}
		}
		g.Tokens = tokens
		return g, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// operate sends a request over the socket, as the operator.
func (s *governed) operate(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	return sendOver(t, dialTo(t, "unix", s.config.Socket), adminRequest(method, path, body, headers))
}

// apart lets a second pass: strangers are recorded once in each.
func (s *governed) apart() *governed {
	s.clock.advance(time.Second)
	return s
}

// present sends one over TCP, with a token.
func (s *governed) present(t *testing.T, text, method, path, body string, headers ...string) answer {
	t.Helper()
	if text != "" {
		headers = append(headers, "Authorization: Bearer "+text)
	}
	return sendOver(t, dialTo(t, "tcp", s.addr), adminRequest(method, path, body, headers))
}

func adminRequest(method, path, body string, headers []string) string {
	hasType := strings.Contains(strings.ToLower(strings.Join(headers, "\n")), "content-type:")
	if body != "" && !hasType {
		headers = append(headers, jsonIs)
	}
	r := request{method: method, path: path, headers: append([]string{}, headers...), body: body}
	r.without = body == "" && (method == http.MethodGet || method == http.MethodDelete)
	return r.String()
}

// granted reads an answer that was granted into what it is for.
func (a answer) granted(t *testing.T, status int, into any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if into == nil {
		return
	}
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}
