package apispec_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"embedseal/adapters/httpapi/apispec"
	"embedseal/docs/api"
)

func load(t *testing.T) *apispec.Spec {
	t.Helper()
	s, err := apispec.New(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange is one that conforms, until a test changes something.
type exchange struct {
	on           apispec.Listener
	method, path string
	sent         string
	asked        http.Header
	status       int
	header       http.Header
	received     string
}

const id = "mzxw6ytboi4dqnbr"

func std(more ...string) http.Header {
	h := http.Header{"X-Request-Id": {id}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Content-Type": {"application/json"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func mint() exchange {
	return exchange{
		on: apispec.Public, method: "POST", path: "/api/generate_jwt/", sent: `{"provided_id":"customer_1","embed_id":"abcde"}`,
		asked:  http.Header{"Content-Type": {"application/json"}, "Explo-Authorization": {"Token x"}},
		status: 200, header: std(), received: `{"success": 1, "jwt": "a..b.c.d"}`,
	}
}

func problem(status int, code string, more ...string) exchange {
	e := mint()
	e.status, e.header = status, std(append([]string{"Content-Type", "application/problem+json"}, more...)...)
	e.received = `{"type":"urn:embedseal:problem:` + code + `","title":"T","status":` + strconv.Itoa(status) +
		`,"detail":"d","code":"` + code + `","success":0,"error_msg":"d","request_id":"` + id + `"}`
	return e
}

func rename() exchange {
	const group = `{"id":"acme","name":"n","created_at":"2026-01-31T10:00:00Z","rotate_every":null,"overlap":"P7D","keys":0,"tokens":0,` +
		`"policy":{"default_lifetime":"P1D","max_lifetime":"P30D","chart_embedding":false,"embeds":[],"customers":[],"origin_required":false,` +
		`"origins":[],"features":null,"pinned_key":null,"mode":"reject"}}`
	return exchange{
		on: apispec.Administration, method: "PATCH", path: "/admin/v1/groups/acme", sent: `{"name":"n"}`,
		asked:  http.Header{"Content-Type": {"application/json"}, "If-Match": {`"0f1e2d3c4b5a6978"`}},
		status: 200, header: std("ETag", `"0f1e2d3c4b5a6978"`), received: group,
	}
}

func check(t *testing.T, s *apispec.Spec, e exchange) error {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), e.method, e.path, strings.NewReader(e.sent))
	r.Header = e.asked
	return s.Check(e.on, r, []byte(e.sent), e.status, e.header, []byte(e.received))
}

func TestWhatIsDocumentedConforms(t *testing.T) {
	s := load(t)
	for name, e := range map[string]exchange{
		"a token": mint(), "a refusal": problem(401, "unauthenticated", "WWW-Authenticate", `Bearer realm="embedseal"`),
		"too fast": problem(429, "rate_limited", "Retry-After", "12"), "a change": rename(),
	} {
		if err := check(t, s, e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each change makes an exchange of the above one that is not documented.
func TestWhatIsNotDocumentedFails(t *testing.T) {
	s := load(t)
	for _, tt := range []struct {
		name   string
		from   exchange
		change func(*exchange)
		says   string
	}{
		{"a path", mint(), func(e *exchange) { e.path = "/api/generate" }, "path is not documented"},
		{"a path of another listener", mint(), func(e *exchange) { e.on = apispec.Administration }, "path is not documented"},
		{"a path of administration on the public listener", rename(), func(e *exchange) { e.on = apispec.Public }, "path is not documented"},
		{"a method", mint(), func(e *exchange) { e.method = "PUT" }, "method is not documented"},
		{"an Allow that promises too much", problem(405, "method_not_allowed", "Allow", "POST, PUT"), func(e *exchange) { e.method = "GET" }, `Allow names "PUT"`},
		{"a status", mint(), func(e *exchange) { e.status = 202 }, "status 202 is not documented"},
		{"a redirect", mint(), func(e *exchange) { e.status, e.received = 307, "" }, "status 307 is not documented"},
		{"a member", mint(), func(e *exchange) { e.received = `{"success":1,"jwt":"a..b.c.d","x":1}` }, "additional properties 'x' not allowed"},
		{"a member twice", mint(), func(e *exchange) { e.received = `{"success":1,"success":1,"jwt":"a..b.c.d"}` }, "not strictly an object"},
		{"a missing member", mint(), func(e *exchange) { e.received = `{"success":1}` }, "missing propert"},
		{"a member of another type", mint(), func(e *exchange) { e.received = `{"success":true,"jwt":"a..b.c.d"}` }, "must be 1"},
		{"a member deep inside", rename(), func(e *exchange) { e.received = strings.Replace(e.received, `"mode":"reject"`, `"mode":"Reject"`, 1) }, "must be one of 'reject', 'clamp'"},
		{"a time with a fraction", rename(), func(e *exchange) { e.received = strings.Replace(e.received, `00Z"`, `00.5Z"`, 1) }, "created_at"},
		{"a content type", mint(), func(e *exchange) { e.header.Set("Content-Type", "text/json") }, `content type "text/json"`},
		{"no content type", mint(), func(e *exchange) { e.header.Del("Content-Type") }, `content type ""`},
		{"a header", mint(), func(e *exchange) { e.header.Set("Server", "x") }, "Server is not documented"},
		{"a header twice", mint(), func(e *exchange) { e.header.Add("Cache-Control", "no-store") }, "2 times"},
		{"a missing header", mint(), func(e *exchange) { e.header.Del("Cache-Control") }, "Cache-Control is missing"},
		{"a missing header of one answer", rename(), func(e *exchange) { e.header.Del("ETag") }, "Etag is missing"},
		{"another value of a header", mint(), func(e *exchange) { e.header.Set("Cache-Control", "private") }, "the header Cache-Control"},
		{"a number that is none", problem(429, "rate_limited", "Retry-After", "soon"), func(*exchange) {}, "the header Retry-After"},
		{"a missing Retry-After", problem(503, "store_sealed"), func(*exchange) {}, "Retry-After is missing"},
		{"a code", problem(409, "odd"), func(*exchange) {}, "must be one of"},
		{"a code of another status", problem(409, "not_found"), func(*exchange) {}, "must be one of"},
		{"a problem of another request", problem(409, "conflict"), func(e *exchange) { e.header.Set("X-Request-Id", "aaaaaaaaaaaaaaaa") }, "contradict"},
		{"a failure in plain text", mint(), func(e *exchange) { e.status, e.received = 500, "no"; e.header.Set("Content-Type", "text/plain") }, "no problem"},
		{"a body where there is none", rename(), func(e *exchange) { e.method, e.status, e.sent = "DELETE", 204, "" }, "none is documented"},

		{"a request with another member", mint(), func(e *exchange) { e.sent = `{"provided_id":"c","embed_id":"e","x":1}` }, "accepted, the request"},
		{"a request with a number", mint(), func(e *exchange) { e.sent = `{"provided_id":1,"embed_id":"e"}` }, "accepted, the request"},
		{"a request without a body", mint(), func(e *exchange) { e.sent = "" }, "without a body"},
		{"a request of another type", mint(), func(e *exchange) { e.asked.Set("Content-Type", "text/plain") }, "accepted a body as"},
		{"a request without credentials", mint(), func(e *exchange) { e.asked.Del("Explo-Authorization") }, "without the credentials"},
		{"a request of another scheme", mint(), func(e *exchange) {
			e.asked.Del("Explo-Authorization")
			e.asked.Set("Authorization", "Basic x")
		}, "without the credentials"},
		{"a parameter of the path", rename(), func(e *exchange) { e.path = "/admin/v1/groups/ACME" }, "parameter group"},
		{"a parameter of the query", rename(), func(e *exchange) { e.path += "?x=1" }, "query parameter x"},
		{"a parameter with another value", mint(), func(e *exchange) { e.path += "?dry_run=yes" }, "parameter dry_run"},
		{"a header of the request", rename(), func(e *exchange) { e.asked.Set("If-Match", "x") }, "parameter If-Match"},
	} {
		e := tt.from
		e.header, e.asked = maps.Clone(e.header), maps.Clone(e.asked)
		tt.change(&e)
		if err := check(t, s, e); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want words of %q", tt.name, err, tt.says)
		}
	}
}

func TestARefusedRequestMayBeAnything(t *testing.T) {
	e := problem(400, "malformed_json")
	e.sent, e.path, e.asked = "{", "/api/generate_jwt/?x=1", http.Header{}
	if err := check(t, load(t), e); err != nil {
		t.Error(err)
	}
}

func TestADocumentThatIsNoneIsRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"no YAML":          {"openapi: 3.1.1", "openapi: ["},
		"a dead reference": {"schemas/GroupID'", "schemas/GroupId'"},
		"no NotFound":      {"\n    NotFound:", "\n    Absent:"},
		"a broken schema":  {"type: [string, 'null']", "type: [strong]"},
	} {
		changed := strings.Replace(string(api.Document()), change[0], change[1], 1)
		if _, err := apispec.New([]byte(changed)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// told keeps what would fail a test.
type told struct {
	testing.TB
	errors int
}

func (t *told) Errorf(string, ...any) { t.errors++ }

func TestBothWrappersSeeWhatGoesThroughAndChangeNothing(t *testing.T) {
	s := load(t)
	for status, faults := range map[int]int{http.StatusOK: 0, http.StatusAccepted: 1} {
		inside, outside := &told{TB: t}, &told{TB: t}
		server := httptest.NewServer(s.Handler(inside, apispec.Public, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != mint().sent {
				t.Errorf("the handler was sent %q, %v", body, err)
			}
			maps.Copy(w.Header(), mint().header)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, mint().received)
		})))
		client := http.Client{Transport: s.RoundTripper(outside, apispec.Public, server.Client().Transport)}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+mint().path, strings.NewReader(mint().sent))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = mint().asked
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != mint().received || res.StatusCode != status {
			t.Errorf("%d %q, %v", res.StatusCode, body, err)
		}
		_ = res.Body.Close()
		server.Close()
		if inside.errors != faults || outside.errors != faults {
			t.Errorf("%d: %d and %d faults were told, want %d", status, inside.errors, outside.errors, faults)
		}
	}
}
