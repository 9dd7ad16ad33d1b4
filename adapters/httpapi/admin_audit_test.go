package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// auditLog is a log that holds what a test puts there, and keeps what was asked.
type auditLog struct {
	lines  []string
	report audit.Report
	key    audit.ChainKey
	status audit.Status
	fail   error

	query  audit.Query
	window audit.Window
}

func (l *auditLog) Search(_ context.Context, q audit.Query, w audit.Window) (audit.Found, error) {
	l.query, l.window = q, w
	var found audit.Found
	for _, line := range l.lines {
		found.Lines = append(found.Lines, []byte(line))
	}
	found.Next = l.status.Seq
	return found, l.fail
}

func (l *auditLog) Verify(context.Context) (audit.Report, error) { return l.report, l.fail }
func (l *auditLog) Key(context.Context) (audit.ChainKey, error)  { return l.key, l.fail }
func (l *auditLog) Status() audit.Status                         { return l.status }

const auditPath = "/admin/v1/audit/"

// line is a record as it stands in a log.
func line(seq int) string {
	return fmt.Sprintf(`{"time":"2026-01-31T10:00:00.123456Z","request_id":"mzxw6ytboi4dqnbr","action":"mint","outcome":"refused","code":"policy_refused",`+
		`"rules":["expiration:lifetime_too_long"],"remote":"192.0.2.7","group":"acme","token_id":"id-of-rw","customer":"<b>é</b>","embed":"abcde","seq":%d,"log":"local","mac":"%064d"}`, seq, seq)
}

func TestRecordsAreAnsweredAsTheyStandInTheLog(t *testing.T) {
	s := govern(t)
	s.log.lines = []string{line(1), line(2)}
	got := s.operate(t, "GET", auditPath+"records", "")
	want := `{"items":[` + line(1) + "," + line(2) + `],"next":"3"}` + "\n"
	if got.status != http.StatusOK || got.body != want {
		t.Errorf("%d\n%s\nwant\n%s", got.status, got.body, want)
	}
	s.log.lines, s.log.status.Seq = nil, 0
	if got := s.operate(t, "GET", auditPath+"records", ""); got.body != `{"items":[],"next":null}`+"\n" {
		t.Errorf("nothing found: %s", got.body)
	}
}

func TestASearchAsksForWhatItsParametersSay(t *testing.T) {
	s := govern(t)
	const fingerprint = "b8c3bdcf8f64a845c6b7101c2073186ad308f3a0334aac31fb985ac757128849"
	got := s.operate(t, "GET", auditPath+"records?group=acme&action=mint&outcome=refused&since=2026-01-31T11:00:00%2B01:00&until=2026-01-31T10:00:01Z"+
		"&customer=customer_1&embed=abcde&token_id=t1&key_id=k1&fingerprint="+fingerprint+"&request_id=mzxw6ytboi4dqnbr&limit=7&after=41", "")
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	noon := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	want := audit.Query{
		Group: "acme", Action: audit.ActionMint, Outcome: audit.Refused, RequestID: "mzxw6ytboi4dqnbr", TokenID: "t1", KeyID: "k1",
		Customer: "customer_1", Embed: "abcde", Fingerprint: fingerprint, Since: noon, Until: noon.Add(time.Second),
	}
	if diff := cmp.Diff(want, s.log.query); diff != "" {
		t.Errorf("-want +asked:\n%s", diff)
	}
	if diff := cmp.Diff(audit.Window{After: 41, Limit: 7}, s.log.window); diff != "" {
		t.Errorf("-want +asked:\n%s", diff)
	}
	s.operate(t, "GET", auditPath+"records?last=5", "")
	if diff := cmp.Diff(audit.Window{Last: true, Limit: 5}, s.log.window); diff != "" {
		t.Errorf("-want +asked:\n%s", diff)
	}
	for _, bad := range []string{
		"limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "last=0", "last=5&after=1", "last=5&limit=1", "after=x", "after=01", "since=yesterday",
		"until=2026-01-31", "grup=acme", "since=2026-01-31T10:00:00Z%00",
	} {
		if p := s.operate(t, "GET", auditPath+"records?"+bad, "").problem(t); p.Code != "invalid_request" {
			t.Errorf("%s: %s", bad, p.Code)
		}
	}
}

func TestAnAPITokenSeesTheRecordsOfItsGroup(t *testing.T) {
	s := govern(t)
	s.log.lines = []string{line(1)}
	got := s.present(t, apiToken("acme", "ro"), "GET", auditPath+"records", "")
	if got.status != http.StatusOK || s.log.query.Group != "acme" {
		t.Errorf("%d, and the group that was asked for is %q", got.status, s.log.query.Group)
	}
	s.log.query = audit.Query{}
	other := s.present(t, apiToken("acme", "ro"), "GET", auditPath+"records?group=other", "")
	none := s.present(t, apiToken("acme", "ro"), "GET", auditPath+"records?group=none", "")
	if other.problem(t).Code != "not_found" || other.bytesOf(t) != none.bytesOf(t) || s.log.query.Group != "" {
		t.Errorf("another group's records: %s", other.body)
	}
	s.allow(t, "acme", "rw", apitoken.All)
	for path, method := range map[string]string{"verify": "POST", "key": "GET"} {
		if p := s.present(t, apiToken("acme", "rw"), method, auditPath+path, "").problem(t); p.Code != "insufficient_scope" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
	if p := s.present(t, apiToken("acme", "mint"), "GET", auditPath+"records", "").problem(t); p.Code != "insufficient_scope" {
		t.Errorf("a token that may mint only: %s", p.Code)
	}
}

func TestASearchForWhatThereIsNotSaysWhatThereIs(t *testing.T) {
	s := govern(t)
	p := s.present(t, operatorToken, "GET", auditPath+"records?action=forward_auth&outcome=maybe", "").problem(t)
	if len(p.Errors) != 2 || !strings.HasPrefix(p.Errors[0].Detail, "there is no such action; known are mint, ") ||
		p.Errors[1].Detail != "there is no such outcome; known are intent, granted, refused, failed, unknown" {
		t.Errorf("got %+v", p.Errors)
	}
}

func TestWhoeverLacksAScopeIsToldWhich(t *testing.T) {
	s := govern(t)
	for _, test := range []struct{ as, method, path, lacks string }{
		{apiToken("acme", "mint"), "GET", auditPath + "records", "read"},
		{apiToken("acme", "ro"), "POST", "/admin/v1/groups/acme/keys", "write"},
		{operatorToken, "GET", auditPath + "key", "reveal"},
	} {
		p := s.present(t, test.as, test.method, test.path, "{}").problem(t)
		if p.Code != "insufficient_scope" || p.Detail != "the token that was presented lacks the scope "+test.lacks {
			t.Errorf("%s: %s: %s", test.path, p.Code, p.Detail)
		}
	}
}

func TestAVerificationSaysWhereTheLogIsNotWhatWasWritten(t *testing.T) {
	s := govern(t)
	s.log.report = audit.Report{Records: 7, Findings: []audit.Finding{{File: "audit.log", Line: 3, Seq: 3, Kind: audit.Edited, Detail: "its MAC is wrong"}}}
	got := s.operate(t, "POST", auditPath+"verify", "")
	if want := `{"ok":false,"records":7,"findings":[{"file":"audit.log","line":3,"seq":3,"kind":"edited","detail":"its MAC is wrong"}]}` + "\n"; got.body != want {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.log.report = audit.Report{Records: 7}
	if got := s.operate(t, "POST", auditPath+"verify", "{}"); got.body != `{"ok":true,"records":7,"findings":[]}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTheKeyOfTheLogIsGivenToWhoMayReveal(t *testing.T) {
	s := govern(t)
	const key = "0123456789abcdef0123456789abcdef"
	s.log.key = audit.ChainKey{Log: "local", Key: secret.New(key)}
	got := s.operate(t, "GET", auditPath+"key", "")
	var shown struct{ Log, Key string }
	if err := json.Unmarshal([]byte(got.body), &shown); err != nil || shown.Log != "local" || shown.Key != fmt.Sprintf("%x", key) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(s.logs.String(), key) || strings.Contains(s.logs.String(), shown.Key) {
		t.Error("the log has the key")
	}
	if p := s.present(t, operatorToken, "GET", auditPath+"key", "").problem(t); p.Code != "insufficient_scope" {
		t.Errorf("an operator who may not reveal: %s", p.Code)
	}
}

func TestALogThatCannotBeReadIsSaidAsOne(t *testing.T) {
	s := govern(t)
	for want, fail := range map[string]error{"store_unavailable": ports.ErrUnavailable, "not_found": ports.ErrNotFound, "timeout": context.DeadlineExceeded} {
		s.log.fail = fmt.Errorf("canary: %w", fail)
		for path, method := range map[string]string{"records": "GET", "verify": "POST", "key": "GET"} {
			got := s.operate(t, method, auditPath+path, "")
			if p := got.problem(t); p.Code != want || strings.Contains(got.body, "canary") {
				t.Errorf("%s, %v: %s", path, fail, got.body)
			}
		}
	}
}
