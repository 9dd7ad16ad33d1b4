package app_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// reading is an audit reader that notes what it was asked for.
type reading struct {
	asked    []audit.Query
	verified int
	err      error
}

func (r *reading) Search(_ context.Context, q audit.Query, _ audit.Window) (audit.Found, error) {
	r.asked = append(r.asked, q)
	return audit.Found{Lines: [][]byte{[]byte("{}")}, Seq: 9}, r.err
}

func (r *reading) Verify(context.Context) (audit.Report, error) {
	r.verified++
	return audit.Report{Records: 3}, r.err
}

func (r *reading) Key(context.Context) (audit.ChainKey, error) {
	return audit.ChainKey{Log: "local", Key: secret.New("k")}, r.err
}

func (*reading) Status() audit.Status { return audit.Status{Log: "local", Seq: 9, OK: true} }

// noting is an auditor that notes, and may refuse.
type noting struct {
	events []audit.Event
	err    error
}

func (n *noting) Record(_ context.Context, e audit.Event) error {
	n.events = append(n.events, e)
	return n.err
}

func anAPIToken(g group.ID, scopes apitoken.Scopes) app.Actor {
	return app.Actor{Caller: callerOf(group.Group{ID: g}, apitoken.Token{ID: "t1", Scopes: scopes})}
}

func TestAnAPITokenFindsTheRecordsOfItsGroupOnly(t *testing.T) {
	for what, tt := range map[string]struct {
		by    app.Actor
		group string
		want  string
		err   error
	}{
		"an operator sees all":                  {app.Actor{Operator: "o", Rights: app.ToRead}, "", "", nil},
		"an operator sees any group":            {app.Actor{Operator: "o", Rights: app.ToRead}, "globex", "globex", nil},
		"an operator who may not read":          {app.Actor{Operator: "o", Rights: app.ToWrite}, "", "", app.ErrScope},
		"a token sees its own without a filter": {anAPIToken("acme", apitoken.Read), "", "acme", nil},
		"a token sees its own":                  {anAPIToken("acme", apitoken.Read), "acme", "acme", nil},
		"another group is not there":            {anAPIToken("acme", apitoken.Read), "globex", "", ports.ErrNotFound},
		"a token that may not read":             {anAPIToken("acme", apitoken.Mint), "acme", "", app.ErrScope},
		"nobody":                                {app.Actor{}, "", "", app.ErrScope},
	} {
		r := &reading{}
		found, err := app.NewAuditing(r, &noting{}, stopped{now()}).Search(t.Context(), tt.by, audit.Query{Group: tt.group}, audit.Window{})
		if !errors.Is(err, tt.err) || (err != nil) != (len(r.asked) == 0) {
			t.Errorf("%s: got %v, want %v, and %d questions", what, err, tt.err, len(r.asked))
			continue
		}
		if err == nil && (r.asked[0].Group != tt.want || len(found.Lines) != 1 || (found.Seq == 9) != tt.by.IsOperator()) {
			t.Errorf("%s: asked for %q and found %+v", what, r.asked[0].Group, found)
		}
	}
}

func TestVerifyingAndTheKeyAreForOperatorsAndRecorded(t *testing.T) {
	operator := app.Actor{Operator: "socket:uid=0", Rights: app.ToRead | app.ToReveal}
	call := app.Call{RequestID: "r1", Remote: "127.0.0.1"}
	r, log := &reading{}, &noting{}
	a := app.NewAuditing(r, log, stopped{now()})
	if report, err := a.Verify(t.Context(), call, operator); err != nil || report.Records != 3 {
		t.Fatalf("%+v %v", report, err)
	}
	if k, err := a.Key(t.Context(), call, operator); err != nil || k.Log != "local" {
		t.Fatal(err)
	}
	want := []audit.Event{
		{Time: now(), RequestID: "r1", Remote: "127.0.0.1", Operator: "socket:uid=0", Action: audit.ActionAuditVerify, Outcome: audit.Granted},
		{Time: now(), RequestID: "r1", Remote: "127.0.0.1", Operator: "socket:uid=0", Action: audit.ActionRevealAuditKey, Outcome: audit.Granted},
	}
	if diff := cmp.Diff(want, log.events); diff != "" {
		t.Error(diff)
	}
	reader := app.Actor{Operator: "o", Rights: app.ToRead | app.ToWrite}
	if _, err := a.Key(t.Context(), call, reader); !errors.Is(err, app.ErrScope) {
		t.Errorf("the key went to who may not reveal: %v", err)
	}
	all := anAPIToken("acme", apitoken.ReadWrite|apitoken.Reveal)
	if _, err := a.Key(t.Context(), call, all); !errors.Is(err, app.ErrScope) {
		t.Errorf("the key went to an API token: %v", err)
	}
	if _, err := a.Verify(t.Context(), call, all); !errors.Is(err, app.ErrScope) || r.verified != 1 {
		t.Errorf("an API token verified: %v", err)
	}
	if _, err := a.Status(all); !errors.Is(err, app.ErrScope) {
		t.Errorf("an API token saw the status: %v", err)
	}
	if s, err := a.Status(reader); err != nil || s.Seq != 9 {
		t.Errorf("%+v %v", s, err)
	}
	if len(log.events) != 2 {
		t.Errorf("%d records, want 2", len(log.events))
	}
}

func TestWithoutARecordNeitherIsDone(t *testing.T) {
	operator := app.Actor{Operator: "o", Rights: app.ToRead | app.ToReveal}
	r := &reading{}
	a := app.NewAuditing(r, &noting{err: ports.ErrUnavailable}, stopped{now()})
	if _, err := a.Verify(t.Context(), app.Call{}, operator); !errors.Is(err, app.ErrAudit) || r.verified != 0 {
		t.Errorf("verified: %v", err)
	}
	if k, err := a.Key(t.Context(), app.Call{}, operator); !errors.Is(err, app.ErrAudit) || !k.Key.IsZero() {
		t.Errorf("the key went out: %v", err)
	}
}
