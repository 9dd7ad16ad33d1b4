package audit_test

import (
	"errors"
	"strings"
	"testing"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
)

func TestTheNameOfALogIsSafeInAPath(t *testing.T) {
	for _, name := range []string{"a", "local", "node-1", "-", strings.Repeat("a", audit.MaxLog)} {
		if got, err := audit.ParseLog(name); got != name || err != nil {
			t.Errorf("%q: got %q and %v", name, got, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a.b", "A", "a_b", "ä", "a b", "a\n", strings.Repeat("a", audit.MaxLog+1)} {
		if got, err := audit.ParseLog(name); got != "" || !errors.Is(err, audit.ErrLog) {
			t.Errorf("%q: got %q and %v, want %v", name, got, err, audit.ErrLog)
		}
	}
}

func TestEveryHostHasALogOfAPossibleName(t *testing.T) {
	for host, want := range map[string]string{
		"vm1": "vm1", "VM-1.example.org": "vm-1-example-org", "": "unnamed", "ä": "--", "../x": "---x",
		strings.Repeat("ab.", 20): strings.Repeat("ab-", 20)[:audit.MaxLog],
	} {
		got := audit.LogOf(host)
		if _, err := audit.ParseLog(got); got != want || err != nil {
			t.Errorf("%q: got %q and %v, want %q", host, got, err, want)
		}
	}
}

func TestAStateWithAHeadHasAKey(t *testing.T) {
	key, mac := secret.New(strings.Repeat("k", audit.KeySize)), audit.MAC{1}
	for what, tt := range map[string]struct {
		state audit.State
		ok    bool
	}{
		"nothing":            {audit.State{}, true},
		"a new log":          {audit.State{Key: key}, true},
		"a log":              {audit.State{Key: key, Head: audit.Head{Seq: 1, MAC: mac}}, true},
		"a head without key": {audit.State{Head: audit.Head{Seq: 1, MAC: mac}}, false},
		"a short key":        {audit.State{Key: secret.New("short")}, false},
		"a number alone":     {audit.State{Key: key, Head: audit.Head{Seq: 1}}, false},
		"a MAC alone":        {audit.State{Key: key, Head: audit.Head{MAC: mac}}, false},
	} {
		if err := tt.state.Check(); (err == nil) != tt.ok || err != nil && !errors.Is(err, audit.ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOnlyAFaultMakesAReportBad(t *testing.T) {
	for kind, fault := range map[audit.Kind]bool{
		audit.Edited: true, audit.Removed: true, audit.Reordered: true, audit.Inserted: true, audit.Truncated: true,
		audit.Torn: true, audit.Unreadable: true, audit.Unkept: true, audit.Recovered: false, audit.OpenIntent: false,
	} {
		if got := (audit.Report{Findings: []audit.Finding{{Kind: kind}}}).OK(); got == fault {
			t.Errorf("%s: OK is %t", kind, got)
		}
	}
	if !(audit.Report{}).OK() || (audit.Report{More: 1}).OK() {
		t.Error("a report without findings is good, one with more than it holds is not")
	}
}
