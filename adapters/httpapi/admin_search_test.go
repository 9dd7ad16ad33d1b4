package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
)

func TestWhatCannotBeSearchedForIsNamed(t *testing.T) {
	s := govern(t)
	for query, fields := range map[string][]string{
		"action=mints":      {"action:unknown_value"},
		"outcome=ok":        {"outcome:unknown_value"},
		"since=yesterday":   {"since:malformed"},
		"until=2026-01-01":  {"until:malformed"},
		"after=x":           {"after:malformed"},
		"after=01":          {"after:malformed"},
		"after=-1":          {"after:malformed"},
		"last=0":            {"last:malformed"},
		"last=1001":         {"last:malformed"},
		"last=1&after=1":    {"after:malformed"},
		"last=1&limit=1":    {"limit:malformed"},
		"limit=0&since=x":   {"since:malformed", "limit:malformed"},
		"secrets=1":         {"secrets:unknown_member"},
		"action=a&action=b": {"action:malformed"},
	} {
		if p := s.operate(t, "GET", auditPath+"records"+"?"+query, "").problem(t); p.Code != "invalid_request" || !slices.Equal(p.fields(), fields) {
			t.Errorf("%s: %s %q", query, p.Code, p.fields())
		}
	}
}

func TestAnAPITokenFindsNoOtherGroupWhateverItIsCalled(t *testing.T) {
	s := govern(t)
	text := apiToken("acme", "ro")
	want := s.present(t, text, "GET", auditPath+"records?group=none", "")
	for _, group := range []string{"other", "..", "%00", "Acme", strings.Repeat("a", 4000)} {
		if got := s.present(t, text, "GET", auditPath+"records?group="+group, ""); got.bytesOf(t) != want.bytesOf(t) {
			t.Errorf("%.20s: %s", group, got.body)
		}
	}
	// To an operator it is a word that is searched for.
	s.operate(t, "GET", auditPath+"records?group=none", "").granted(t, http.StatusOK, nil)
}

func TestWhatIsLookedAtInTheLogIsRecorded(t *testing.T) {
	s := govern(t)
	s.log.key = audit.ChainKey{Log: "local", Key: secret.New(strings.Repeat("k", 32))}
	for path, tt := range map[string]struct {
		method string
		action audit.Action
	}{"verify": {"POST", audit.ActionAuditVerify}, "key": {"GET", audit.ActionRevealAuditKey}} {
		s.operate(t, tt.method, auditPath+path, "")
		if events := s.audit.take(); len(events) != 1 || events[0].Action != tt.action || events[0].Outcome != audit.Granted || events[0].Operator == "" {
			t.Errorf("%s is recorded as %+v", path, events)
		}
	}
}

func TestEveryActionAndOutcomeIsListed(t *testing.T) {
	var actions []string
	for _, a := range audit.Actions() {
		actions = append(actions, string(a))
		if !a.Known() {
			t.Errorf("%s is not known", a)
		}
	}
	slices.Sort(actions)
	if diff := cmp.Diff(constants(t, "domain/audit/event.go", "Action"), actions); diff != "" {
		t.Errorf("-constants +listed:\n%s", diff)
	}
	if audit.Action("x").Known() || audit.Outcome("x").Known() || !audit.Intent.Known() {
		t.Error("Known is wrong")
	}
}
