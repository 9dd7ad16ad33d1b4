package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/httpapi"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/strictjson"
	"embedseal/ports"
)

const batchRoute = "/api/generate_jwts/"

// batchOf is a batch of these items.
func batchOf(items ...string) request { return batchUnder(`null`, items...) }

func batchUnder(defaults string, items ...string) request {
	return request{path: batchRoute, body: `{"defaults":` + defaults + `,"requests":[` + strings.Join(items, ",") + `]}`}
}

// numbered are n items that can be granted, each for a customer of its own.
func numbered(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"provided_id":"c%d","embed_id":"e"}`, i)
	}
	return items
}

// items are the answers of a batch, each as the single endpoint would have given it.
func (a answer) items(t *testing.T) []answer {
	t.Helper()
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v: %.500s", a.status, a.header, a.body)
	}
	var body struct {
		Success int               `json:"success"`
		Items   []json.RawMessage `json:"items"`
	}
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || body.Success != 1 {
		t.Fatalf("%v: %.500s", err, a.body)
	}
	var all []answer
	for _, text := range body.Items {
		var p problem
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		item := answer{status: p.Status, header: a.header.Clone(), body: string(text)}
		if *p.Success == 1 {
			item.status = http.StatusOK
		}
		item.header.Set("Content-Type", "application/problem+json")
		item.header.Set("Content-Length", fmt.Sprint(len(text)))
		all = append(all, item)
	}
	return all
}

// token is the token of an item that grants one.
func (a answer) token(t *testing.T) string {
	t.Helper()
	var minted struct{ JWT string }
	if err := json.Unmarshal([]byte(a.body), &minted); err != nil || a.status != http.StatusOK || minted.JWT == "" {
		t.Fatalf("no token: %s", a.body)
	}
	return minted.JWT
}

// codes are what the items came to: granted, or their problem.
func codes(t *testing.T, items []answer) []string {
	t.Helper()
	var all []string
	for _, item := range items {
		if item.status == http.StatusOK {
			item.token(t)
			all = append(all, "granted")
		} else {
			all = append(all, item.problem(t).Code)
		}
	}
	return all
}

// whatIsAsked are bodies that a batch can carry: those of all refusals, and some
// that are granted.
func whatIsAsked() []string {
	asked := []string{minimal, allEight, everythingWrong, `7`, `"x"`, `null`, `[]`, `{}`, ` { "provided_id" : "a" , "embed_id" : "b" } `}
	for _, r := range refusals() {
		_, err := strictjson.Envelope([]byte(`{"requests":[`+r.body+`]}`), "requests", func(string, strictjson.Value) error { return nil })
		if r.body != "" && r.headers == nil && r.method == "" && r.path == "" && err == nil && json.Valid([]byte(r.body)) && len(r.body) < 4096 {
			asked = append(asked, r.body)
		}
	}
	return asked
}

func TestEachItemIsAnsweredAndRecordedAsTheRequestAloneIs(t *testing.T) {
	s := open(t, withCharts)
	asked := whatIsAsked()
	if len(asked) < 60 {
		t.Fatalf("only %d bodies are compared", len(asked))
	}
	got := s.send(t, batchOf(asked...)).items(t)
	together := s.audit.take()
	if len(got) != len(asked) || len(together) != len(asked) {
		t.Fatalf("%d items and %d records for %d requests", len(got), len(together), len(asked))
	}
	granted := 0
	for i, body := range asked {
		alone := s.send(t, request{body: body})
		record := s.audit.take()[0]
		if alone.status != got[i].status {
			t.Errorf("%s: %d, and alone %d: %s", body, got[i].status, alone.status, got[i].body)
			continue
		}
		record.RequestID = together[i].RequestID
		if alone.status == http.StatusOK {
			granted++
			one, other := opens(t, alone.jwt(t)), opens(t, got[i].token(t))
			if one != other {
				t.Errorf("%s: the token holds %s, and alone %s", body, other, one)
			}
			record.Fingerprint = together[i].Fingerprint
		} else {
			one, other := alone.problem(t), got[i].problem(t)
			one.RequestID = other.RequestID
			one.Detail = strings.Replace(one.Detail, "the body", "the item", 1)
			one.ErrorMsg = one.Detail
			if diff := cmp.Diff(one, other); diff != "" {
				t.Errorf("%s (-alone +in a batch):\n%s", body, diff)
			}
		}
		if diff := cmp.Diff(record, together[i]); diff != "" {
			t.Errorf("%s: the record (-alone +in a batch):\n%s", body, diff)
		}
	}
	if granted < 2 {
		t.Errorf("%d were granted", granted)
	}
}

// opens is the header and the claims of a token, with whichever key.
func opens(t *testing.T, text string) string {
	t.Helper()
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		t.Fatal(err)
	}
	o := unseal(t, text, values()[compact.Header().KeyID])
	return o.header + o.claims
}

func TestAnItemTakesFromTheDefaultsWhatItLeavesOut(t *testing.T) {
	s := open(t, withCharts)
	defaults := `{"provided_id":"c","embed_id":"e","chart_id":"h","key_id":"` + namedKey + `","expiration":"PT1H",` +
		`"rb_allowed_features":[],"disable_editable_section_editing":true,"embed_origin":"https://a.example"}`
	const all = `"exp":1769857200,"iat":1769853600,"iss":"https://a.example/","rbc":[],"des":true}`
	for item, want := range map[string]string{
		`{}`: `{"cst":"c","dsh":"e","cht":"h",` + all,
		// null is the same as absent: it takes nothing of the defaults away
		`{"provided_id":null,"embed_id":null,"chart_id":null,"key_id":null,"expiration":null,"rb_allowed_features":null,` +
			`"disable_editable_section_editing":null,"embed_origin":null}`: `{"cst":"c","dsh":"e","cht":"h",` + all,
		`{"provided_id":"d"}`: `{"cst":"d","dsh":"e","cht":"h",` + all,
		`{"embed_id":"f"}`:    `{"cst":"c","dsh":"f","cht":"h",` + all,
		`{"chart_id":"i"}`:    `{"cst":"c","dsh":"e","cht":"i",` + all,
		`{"expiration":"PT1S","rb_allowed_features":["*"],"disable_editable_section_editing":false,"embed_origin":"https://b.example"}`: `{"cst":"c","dsh":"e","cht":"h","exp":1769853601,"iat":1769853600,"iss":"https://b.example/","rbc":["*"],"des":false}`,
	} {
		items := s.send(t, batchUnder(defaults, item, minimal)).items(t)
		if got := unseal(t, items[0].token(t), values()[namedKey]); got.claims != want {
			t.Errorf("%s gives\n%s, want\n%s", item, got.claims, want)
		}
		if got := unseal(t, items[1].token(t), values()[namedKey]); !strings.HasPrefix(got.claims, `{"cst":"customer_1","dsh":"abcde","cht":"h"`) {
			t.Errorf("after %s the next is %s", item, got.claims)
		}
	}
	items := s.send(t, batchUnder(`{"expiration":"PT1H","key_id":"`+unknownKey+`"}`, `{"provided_id":"a","embed_id":"b","expiration":5}`,
		minimal, `{"provided_id":"a","embed_id":"b","key_id":"`+defaultKey+`"}`, `{"provided_id":"a"}`)).items(t)
	if diff := cmp.Diff([]string{"invalid_request", "unknown_key", "granted", "invalid_request"}, codes(t, items)); diff != "" {
		t.Error(diff)
	}
	if p := items[0].problem(t); !slices.Equal(p.fields(), []string{"expiration:wrong_type"}) {
		t.Errorf("a default takes the place of a member that is wrong: %q", p.fields())
	}
}

func TestTheAnswersStandInTheOrderOfTheRequests(t *testing.T) {
	s := open(t)
	got := s.send(t, batchOf(numbered(httpapi.MaxBatch)...))
	items := got.items(t)
	if len(items) != httpapi.MaxBatch {
		t.Fatalf("%d items", len(items))
	}
	events := s.audit.take()
	for i, item := range items {
		want := fmt.Sprintf("c%d", i)
		if claims := unseal(t, item.token(t), values()[defaultKey]).claims; !strings.HasPrefix(claims, `{"cst":"`+want+`",`) {
			t.Fatalf("item %d is %s", i, claims)
		}
		if e := events[i]; e.Customer != want || e.Outcome != audit.Granted || e.RequestID != got.header.Get("X-Request-Id") {
			t.Fatalf("record %d is %+v", i, e)
		}
	}
	if granted, all := s.meter.count("granted"); granted != httpapi.MaxBatch || all != httpapi.MaxBatch {
		t.Errorf("counted %d of %d", granted, all)
	}
}

func TestEachItemIsCountedByItsCode(t *testing.T) {
	s := open(t)
	s.send(t, batchOf(minimal, `{}`, minimal, `1`)).items(t)
	for code, want := range map[string]int{"granted": 2, "invalid_request": 1, "not_an_object": 1} {
		if n, all := s.meter.count(code); n != want || all != 4 {
			t.Errorf("%s: %d of %d", code, n, all)
		}
	}
	s.send(t, batchOf()).problem(t)
	if n, all := s.meter.count("invalid_request"); n != 2 || all != 5 {
		t.Errorf("a batch that is refused as a whole is counted %d of %d", n, all)
	}
}

// batchRefusals are batches that are refused as a whole.
func batchRefusals() []refusal {
	deep := func(n int) string {
		return `{"provided_id":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	rows := []struct {
		name, body, code, says string
		fields                 []string
	}{
		{"no body", ``, "malformed_json", "at byte 0", nil},
		{"an array of requests", `[` + minimal + `]`, "not_an_object", "the body must", nil},
		{"no requests", `{}`, "invalid_request", "", []string{"requests:required"}},
		{"requests null", `{"requests":null}`, "invalid_request", "", []string{"requests:required"}},
		{"none", `{"requests":[]}`, "invalid_request", "", []string{"requests:required"}},
		{"1001", batchOf(numbered(httpapi.MaxBatch + 1)...).body, "invalid_request", "has 1001 elements, at most 1000", []string{"requests:too_long"}},
		{"an object of requests", `{"requests":{"a":` + minimal + `}}`, "invalid_request", "is an object", []string{"requests:wrong_type"}},
		{"a text of requests", `{"requests":"x"}`, "invalid_request", "is a string", []string{"requests:wrong_type"}},
		{"a single request", minimal, "invalid_request", "", []string{"requests:required", "provided_id:unknown_member", "embed_id:unknown_member"}},
		{"a mistyped member", `{"default":{},"requests":[` + minimal + `]}`, "invalid_request", "did you mean defaults", []string{"default:unknown_member"}},
		{"requests twice", `{"requests":[` + minimal + `],"requests":[]}`, "duplicate_member", "requests stands there twice", nil},
		{"requests twice, once escaped", `{"requests":[` + minimal + `],"re\u0071uests":[]}`, "duplicate_member", "requests stands there twice", nil},
		{"a default twice", `{"defaults":{"expiration":"PT1H","expiration":"PT2H"},"requests":[` + minimal + `]}`, "duplicate_member", "expiration stands there twice", nil},
		{"defaults of another type", `{"defaults":[],"requests":[` + minimal + `]}`, "invalid_request", "is an array, must be an object or null", []string{"defaults:wrong_type"}},
		{"faulty defaults", `{"defaults":{"provided_id":"","embed_id":3,"expiration":"soon","embed_orgin":"x","rb_allowed_features":["x"]},"requests":[` + minimal + `]}`,
			"invalid_request", "did you mean embed_origin", []string{"defaults.provided_id:required", "defaults.embed_id:wrong_type", "defaults.expiration:malformed",
				"defaults.rb_allowed_features:unknown_value", "defaults.embed_orgin:unknown_member"}},
		{"a default that is far too long", `{"defaults":{"provided_id":"` + strings.Repeat("x", 3<<20) + `"},"requests":[` + minimal + `]}`,
			"invalid_request", "has 3145728 bytes", []string{"defaults.provided_id:too_long"}},
		{"cut short in an item", `{"requests":[` + minimal + `,{"provided_id":"a","emb`, "malformed_json", "", nil},
		{"cut short behind an item", `{"requests":[` + minimal + `,`, "malformed_json", "", nil},
		{"without its end", `{"requests":[` + minimal + `]`, "malformed_json", "", nil},
		{"something behind it", batchOf(minimal).body + `,`, "trailing_data", "", nil},
		{"a comma too many", `{"requests":[` + minimal + `,]}`, "malformed_json", "", nil},
		{"items that are no JSON", `{"requests":[` + minimal + `,{'a':1}]}`, "malformed_json", "", nil},
		{"an item that is not UTF-8", "{\"requests\":[" + minimal + ",{\"provided_id\":\"\xff\"}]}", "invalid_utf8", "", nil},
		{"an item nested too deep", `{"requests":[` + minimal + `,` + deep(33) + `]}`, "malformed_json", "", nil},
		{"an item nested without end", `{"requests":[` + minimal + `,` + strings.Repeat("[", 2<<20), "malformed_json", "", nil},
		{"defaults nested too deep", `{"defaults":` + deep(32) + `,"requests":[` + minimal + `]}`, "malformed_json", "", nil},
	}
	var all []refusal
	for _, r := range rows {
		all = append(all, refusal{name: r.name, request: request{path: batchRoute, body: r.body}, status: http.StatusBadRequest, code: r.code, says: r.says, fields: r.fields})
	}
	good := batchOf(minimal)
	with := func(headers ...string) request { r := good; r.headers = headers; return r }
	at := func(path string) request { r := good; r.path = path; return r }
	big := good
	big.body += strings.Repeat(" ", 4<<20+1-len(big.body))
	many := chunked(big.body)
	many.path = batchRoute
	return append(all,
		refusal{name: "without a token", request: with(jsonIs), status: 401, code: "unauthenticated"},
		refusal{name: "without the scope", request: with(jsonIs, "Explo-Authorization: Token "+apiToken("acme", "ro")), status: 403, code: "insufficient_scope"},
		refusal{name: "of a browser", request: with(jsonIs, authorized(), "Origin: https://a.example"), status: 403, code: "browser_refused"},
		refusal{name: "a form", request: with("Content-Type: application/x-www-form-urlencoded", authorized()), status: 415, code: "unsupported_media_type"},
		refusal{name: "compressed", request: with(jsonIs, authorized(), "Content-Encoding: gzip"), status: 415, code: "unsupported_media_type"},
		refusal{name: "a byte over 4 MiB", request: big, status: 413, code: "body_too_large", says: "4194304"},
		refusal{name: "a byte over 4 MiB, chunked", request: many, status: 413, code: "body_too_large", says: "4194304"},
		refusal{name: "a dry run", request: at(batchRoute + "?dry_run=1"), status: 400, code: "invalid_query", says: "no dry run"},
		refusal{name: "a dry run, mistyped", request: at(batchRoute + "?dryrun=1"), status: 400, code: "invalid_query"},
		refusal{name: "GET", request: request{method: "GET", path: batchRoute}, status: 405, code: "method_not_allowed", header: http.Header{"Allow": {"POST"}}, unrecorded: true},
		refusal{name: "OPTIONS", request: request{method: "OPTIONS", path: batchRoute}, status: 405, code: "method_not_allowed", header: http.Header{"Allow": {"POST"}}, unrecorded: true},
	)
}

func TestABatchThatIsRefusedAsAWholeMakesNothing(t *testing.T) {
	s := open(t)
	for _, r := range batchRefusals() {
		t.Run(r.name, func(t *testing.T) {
			s.audit.take()
			s.clock.advance(time.Second) // strangers are recorded once in each
			got := s.send(t, r.request)
			p := got.problem(t)
			if got.status != r.status || p.Code != r.code || !slices.Equal(p.fields(), r.fields) {
				t.Errorf("%d %s %q, want %d %s %q", got.status, p.Code, p.fields(), r.status, r.code, r.fields)
			}
			if !strings.Contains(got.body, r.says) {
				t.Errorf("%s does not say %q", got.body, r.says)
			}
			for name, want := range r.header {
				if !slices.Equal(got.header[name], want) {
					t.Errorf("%s is %q, want %q", name, got.header[name], want)
				}
			}
			r.checkRecord(t, s.audit.take(), p)
		})
	}
	s.send(t, request{path: "/api/generate_jwts", body: batchOf(minimal).body}).items(t)[0].token(t)
}

func TestABatchAsLargeAsItMayBeIsRead(t *testing.T) {
	s := open(t)
	r := batchOf(minimal)
	r.body += strings.Repeat(" ", httpapi.MaxBatchBody-len(r.body))
	s.send(t, r).items(t)[0].token(t)
	chunks := chunked(r.body)
	chunks.path = batchRoute
	s.send(t, chunks).items(t)[0].token(t)
}

func TestNothingOfABatchIsReadBeforeItsSenderIsKnown(t *testing.T) {
	s := open(t)
	r := request{path: batchRoute, headers: []string{jsonIs, "Content-Length: 4000000", "Explo-Authorization: Token nonsense"}, without: true, body: "{"}
	if p := s.send(t, r).problem(t); p.Code != "unauthenticated" {
		t.Errorf("got %s", p.Code)
	}
}

func TestAnAuditFailureMidwayFailsThatItemAndNoOther(t *testing.T) {
	s := open(t, func(s *setup) {
		s.audit.refuse = func(e audit.Event) error {
			if e.Customer == "c1" || e.Code == "not_an_object" {
				return broken(ports.ErrUnavailable)
			}
			return nil
		}
	})
	items := s.send(t, batchOf(append(numbered(3), `1`, minimal)...)).items(t)
	if diff := cmp.Diff([]string{"granted", "audit_unavailable", "granted", "audit_unavailable", "granted"}, codes(t, items)); diff != "" {
		t.Error(diff)
	}
	for _, i := range []int{1, 3} {
		if strings.Contains(items[i].body, "eyJ") || strings.Contains(items[i].body, "canary") {
			t.Errorf("the item tells too much: %s", items[i].body)
		}
	}
	if events := s.audit.take(); len(events) != 3 {
		t.Errorf("%d records, want 3", len(events))
	}
}

func TestAPolicyRefusesAndCutsEachItemForItself(t *testing.T) {
	s := open(t, func(s *setup) {
		s.policy.Mode = policy.Clamp
		sales, err := policy.ParseGlob("sales-*")
		if err != nil {
			t.Fatal(err)
		}
		s.policy.Embeds = []policy.Glob{sales}
	})
	items := s.send(t, batchUnder(`{"provided_id":"c","expiration":"P90D"}`, `{"embed_id":"sales-1"}`, `{"embed_id":"stock"}`,
		`{"embed_id":"sales-2","expiration":"PT1H"}`)).items(t)
	if diff := cmp.Diff([]string{"granted", "policy_refused", "granted"}, codes(t, items)); diff != "" {
		t.Fatal(diff)
	}
	if !strings.Contains(items[0].body, `, "warnings": [{"field":"expiration","code":"lifetime_too_long"`) &&
		!strings.Contains(items[0].body, `"warnings":[{"field":"expiration","code":"lifetime_too_long"`) {
		t.Errorf("no warning: %s", items[0].body)
	}
	if strings.Contains(items[2].body, "warnings") || !slices.Equal(items[1].problem(t).fields(), []string{"embed_id:embed_not_allowed"}) {
		t.Errorf("%s\n%s", items[1].body, items[2].body)
	}
	events := s.audit.take()
	if events[0].Rules[0] != "expiration:lifetime_too_long" || events[1].Embed != "stock" || events[1].Outcome != audit.Refused {
		t.Errorf("the records are %+v", events)
	}
}

func TestABatchCountsAsManyRequestsAgainstTheRate(t *testing.T) {
	s := open(t, limited) // 2 a second, 4 at once
	batch := func(n int) request { return batchOf(numbered(n)...) }
	s.send(t, batch(3)).items(t)
	s.audit.take()
	got := s.send(t, batch(2)) // one is left
	if p := got.problem(t); got.status != http.StatusTooManyRequests || p.Code != "rate_limited" || got.header.Get("Retry-After") != "1" {
		t.Fatalf("%d %v: %s", got.status, got.header, got.body)
	}
	if events := s.audit.take(); len(events) != 1 || events[0].Code != "rate_limited" {
		t.Errorf("recorded %+v", events)
	}
	s.clock.advance(time.Second)
	s.send(t, batch(2)).items(t)
	s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw"))
	// A whole bucket is the most that can ever be had.
	s.clock.advance(2 * time.Second)
	s.send(t, batch(4)).items(t)
	got = s.send(t, batch(4))
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" { // nothing was left for its first
		t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	s.clock.advance(500 * time.Millisecond)
	got = s.send(t, batch(4)) // its first is counted, three more are not there: four will be, two seconds from now
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	s.clock.advance(2 * time.Second)
	s.send(t, batch(4)).items(t)
	s.clock.advance(time.Minute)
	for range 2 {
		got = s.send(t, batch(5))
		if p := got.problem(t); got.status != http.StatusBadRequest || !slices.Equal(p.fields(), []string{"requests:too_long"}) || !strings.Contains(got.body, "4 at once") {
			t.Fatalf("%d: %s", got.status, got.body)
		}
	}
	if counts := s.server.Limits()[0]; counts.Allowed != 3+1+2+4+1+4+2 || counts.Refused != 1+1+1+3 {
		t.Errorf("counted %+v", counts)
	}
}

// hooked calls before with the number of the token that is to be sealed.
type hooked struct {
	ports.TokenCipher
	before func(ctx context.Context, n int) error
	n      int
}

func (h *hooked) Seal(ctx context.Context, g group.ID, k *key.Sealer, claims []byte) ([]byte, error) {
	h.n++
	if err := h.before(ctx, h.n); err != nil {
		return nil, err
	}
	return h.TokenCipher.Seal(ctx, g, k, claims)
}

// before has a site whose cipher calls do first.
func before(do func(ctx context.Context, n int) error) func(*setup) {
	return func(s *setup) { s.cipher = &hooked{TokenCipher: s.cipher, before: do} }
}

func TestAKeyThatIsDisabledDuringABatchSealsNoMoreOfIt(t *testing.T) {
	var s *site
	s = open(t, before(func(ctx context.Context, n int) error {
		if n != 2 {
			return nil
		}
		return s.keys.UpdateRing(ctx, "acme", func(r key.Ring) (key.Ring, error) {
			return r.Disable(namedKey, s.clock.Now(), s.clock.Now().Add(time.Hour))
		})
	}))
	items := s.send(t, batchUnder(`{"key_id":"`+namedKey+`"}`, numbered(4)...)).items(t)
	if diff := cmp.Diff([]string{"granted", "granted", "key_not_active", "key_not_active"}, codes(t, items)); diff != "" {
		t.Error(diff)
	}
}

func TestAnAPITokenThatIsTakenBackDuringABatchMakesNoMoreOfItAfterASecond(t *testing.T) {
	var s *site
	s = open(t, before(func(ctx context.Context, n int) error {
		if n != 2 {
			return nil
		}
		s.clock.advance(time.Second)
		return s.groups.UpdateGroup(ctx, "acme", func(g group.Group) (group.Group, error) {
			g.Tokens = nil
			return g, nil
		})
	}))
	items := s.send(t, batchOf(numbered(4)...)).items(t)
	if diff := cmp.Diff([]string{"granted", "granted", "unauthenticated", "unauthenticated"}, codes(t, items)); diff != "" {
		t.Error(diff)
	}
	events := s.audit.take()
	if last := events[len(events)-1]; last.Code != "unauthenticated" || last.TokenID != "id-of-rw" || last.Outcome != audit.Refused {
		t.Errorf("the last record is %+v", last)
	}
}

func TestAPanicIsAFailureOfItsItem(t *testing.T) {
	s := open(t, before(func(_ context.Context, n int) error {
		if n == 2 {
			panic("canary of a panic")
		}
		return nil
	}))
	items := s.send(t, batchOf(numbered(3)...)).items(t)
	if diff := cmp.Diff([]string{"granted", "internal_error", "granted"}, codes(t, items)); diff != "" {
		t.Error(diff)
	}
	if log := s.logs.String(); !strings.Contains(log, "msg=panic") || strings.Contains(log, "canary") {
		t.Errorf("the log is %s", log)
	}
	if e := s.audit.take()[1]; e.Code != "internal_error" || e.Outcome != audit.Failed {
		t.Errorf("recorded as %+v", e)
	}
}

// What cannot be finished must not look as if it were: the connection is cut.
func TestAnAnswerThatCannotBeFinishedIsCutOff(t *testing.T) {
	s := open(t)
	s.audit.refuse = func(e audit.Event) error {
		if e.Customer == "c900" || e.Outcome == audit.Failed {
			panic("of the auditor")
		}
		return nil
	}
	conn := s.dial(t)
	write(t, conn, batchOf(numbered(1000)...).String())
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodPost})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || err == nil || json.Valid(text) || len(text) < 64<<10 {
		t.Errorf("%d, %d bytes, %v", res.StatusCode, len(text), err)
	}
}

func TestItemsAreAnsweredWhileOthersAreMade(t *testing.T) {
	s := open(t, func(s *setup) { s.audit.entered, s.audit.gate = make(chan struct{}), make(chan struct{}) })
	conn := s.dial(t)
	write(t, conn, batchOf(numbered(1000)...).String())
	for range 500 {
		<-s.audit.entered
		s.audit.gate <- struct{}{}
	}
	<-s.audit.entered // nothing more is made now
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, &http.Request{Method: http.MethodPost})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	first := make([]byte, 64<<10)
	if _, err := io.ReadFull(res.Body, first); err != nil || bytes.Count(first, []byte(`"jwt"`)) < 100 {
		t.Fatalf("%v: %.200s", err, first)
	}
	go func() {
		for range s.audit.entered {
			s.audit.gate <- struct{}{}
		}
	}()
	s.audit.gate <- struct{}{}
	rest, err := io.ReadAll(res.Body)
	if n := bytes.Count(append(first, rest...), []byte(`"jwt"`)); err != nil || n != 1000 {
		t.Errorf("%d items, %v", n, err)
	}
	close(s.audit.entered)
}

func TestABatchEndsWithItsClient(t *testing.T) {
	gone := make(chan struct{})
	s := open(t, before(func(ctx context.Context, n int) error {
		if n == 3 {
			close(gone)
			<-ctx.Done()
		}
		return nil
	}))
	conn := s.dial(t)
	write(t, conn, batchOf(numbered(1000)...).String())
	<-gone
	_ = conn.Close()
	if err := s.stop(); err != nil { // which waits for it
		t.Error(err)
	}
	if events := s.audit.take(); len(events) != 3 {
		t.Errorf("%d records, want 3", len(events))
	}
}

func TestWhatIsNotMadeInTimeIsAnsweredSoInAWholeAnswer(t *testing.T) {
	s := open(t, func(s *setup) { s.config.ReadTimeout, s.config.WriteTimeout = time.Second, time.Second },
		before(func(ctx context.Context, n int) error {
			if n < 3 {
				return nil
			}
			<-ctx.Done() // as a service that does not answer
			return fmt.Errorf("seal: %w", ctx.Err())
		}))
	items := s.send(t, batchOf(numbered(200)...)).items(t)
	got := codes(t, items)
	want := append([]string{"granted", "granted"}, slices.Repeat([]string{"timeout"}, 198)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if events := s.audit.take(); len(events) != 200 || events[199].Outcome != audit.Failed {
		t.Errorf("%d records", len(events))
	}
}

// What the body takes to come is part of the time that the answer has.
func TestABatchWhoseBodyComesSlowlyIsAnsweredInAWholeAnswerToo(t *testing.T) {
	s := open(t, func(s *setup) { s.config.ReadTimeout, s.config.WriteTimeout = 2*time.Second, 2*time.Second },
		before(func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return fmt.Errorf("seal: %w", ctx.Err())
		}))
	text := batchOf(numbered(3)...).String()
	conn := s.dial(t)
	write(t, conn, text[:len(text)-1])
	time.Sleep(800 * time.Millisecond)
	write(t, conn, text[len(text)-1:])
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || strings.Count(string(body), `"code":"timeout"`) != 3 {
		t.Errorf("%v after %s", err, body)
	}
}

func TestABatchMakesTheDefaultKeyOfItsGroupOnce(t *testing.T) {
	s := open(t)
	r := batchOf(numbered(5)...)
	r.headers = []string{jsonIs, "Explo-Authorization: Token " + apiToken("bare", "rw")}
	if diff := cmp.Diff(slices.Repeat([]string{"granted"}, 5), codes(t, s.send(t, r).items(t))); diff != "" {
		t.Error(diff)
	}
	if ring, err := s.keys.Ring(t.Context(), "bare"); err != nil || ring.Len() != 1 {
		t.Errorf("%d keys, %v", ring.Len(), err)
	}
}

func TestAPageOfAnAllowedOriginMayAskForABatch(t *testing.T) {
	s := open(t, allowing(t, "https://app.example"))
	r := batchOf(minimal)
	r.headers = []string{jsonIs, authorized(), "Origin: https://app.example"}
	got := s.send(t, r)
	got.items(t)[0].token(t)
	if got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("%v", got.header)
	}
	preflight := s.send(t, request{method: http.MethodOptions, path: batchRoute, headers: []string{"Origin: https://app.example", "Access-Control-Request-Method: POST"}})
	if preflight.status != http.StatusNoContent {
		t.Errorf("the preflight: %d", preflight.status)
	}
}

func TestNoBatchRepeatsASecret(t *testing.T) {
	s := open(t)
	var answers []string
	for name, secret := range secrets() {
		if strings.HasPrefix(name, "the random part") {
			continue
		}
		for _, r := range misplacedSecrets(secret) {
			if !json.Valid([]byte(r.body)) || r.headers != nil || r.path != "" {
				continue
			}
			for _, b := range []request{batchOf(r.body), batchUnder(r.body, `{"provided_id":"a","embed_id":"b"}`)} {
				got := s.send(t, b)
				if strings.Contains(got.body, `"jwt"`) {
					t.Fatalf("%s is granted", b.body)
				}
				answers = append(answers, got.body)
			}
		}
		answers = append(answers, s.send(t, request{path: batchRoute, body: `{"requests":["` + secret + `"],"` + secret + `":1}`}).body)
	}
	places := map[string]string{"the answers": strings.Join(answers, "\n"), "the log": s.logs.String(), "the audit records": printed(s.audit.take())}
	if len(answers) < 200 {
		t.Fatalf("only %d answers were looked at", len(answers))
	}
	for place, text := range places {
		for name, secret := range secrets() {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s repeat %s: %q", place, name, text[max(0, i-300):i+len(secret)])
			}
		}
	}
}
