package app_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/ports"
)

func newChanges(log *journal) *app.Changes {
	return app.NewChanges(log, stopped{now()}, &dice{}, func(error) string { return "some_code" })
}

func operator() app.Actor {
	return app.Actor{Operator: "socket:uid=1000", Rights: app.ToRead | app.ToWrite | app.ToReveal}
}

func TestAChangeIsRecordedBeforeAndAfter(t *testing.T) {
	log := &journal{}
	what := audit.Event{Action: audit.ActionCreateToken, Group: "acme"}
	err := newChanges(log).Run(t.Context(), app.Call{RequestID: "r1", Remote: "127.0.0.1"}, operator(), what,
		func(_ context.Context, e *audit.Event) error {
			log.note("change")
			e.Target = "t1"
			return nil
		})
	if err != nil || fmt.Sprint(log.steps) != "[record create_token change record create_token]" {
		t.Fatalf("steps are %v, %v", log.steps, err)
	}
	intent, outcome := log.events[0], log.events[1]
	if intent.Outcome != audit.Intent || outcome.Outcome != audit.Granted || intent.Change == "" || intent.Change != outcome.Change {
		t.Errorf("recorded are %+v and %+v", intent, outcome)
	}
	if outcome.Operator != "socket:uid=1000" || outcome.RequestID != "r1" || outcome.Target != "t1" || outcome.Group != "acme" {
		t.Errorf("the outcome is %+v", outcome)
	}
}

func TestWithoutAnIntentNothingIsDone(t *testing.T) {
	log := &journal{refuse: func(audit.Event) error { return ports.ErrUnavailable }}
	err := newChanges(log).Run(t.Context(), app.Call{}, operator(), audit.Event{Action: audit.ActionRotateKey},
		func(context.Context, *audit.Event) error {
			t.Error("the change was made")
			return nil
		})
	if !errors.Is(err, app.ErrAudit) || app.Recorded(err) {
		t.Errorf("answered %v", err)
	}
}

func TestADoneChangeWithoutAnOutcomeSaysSo(t *testing.T) {
	log := &journal{refuse: func(e audit.Event) error {
		if e.Outcome == audit.Intent {
			return nil
		}
		return ports.ErrUnavailable
	}}
	err := newChanges(log).Run(t.Context(), app.Call{}, operator(), audit.Event{Action: audit.ActionRotateKey},
		func(context.Context, *audit.Event) error { return nil })
	if !errors.Is(err, app.ErrUnrecorded) || errors.Is(err, app.ErrAudit) {
		t.Errorf("answered %v", err)
	}
}

func TestTheOutcomeSaysWhatAnErrorMeans(t *testing.T) {
	for _, c := range []struct {
		err  error
		want audit.Outcome
	}{
		{errors.New("a rule"), audit.Refused},
		{ports.ErrNotFound, audit.Refused},
		{ports.ErrUnavailable, audit.Failed},
		{ports.ErrConflict, audit.Failed},
		{context.DeadlineExceeded, audit.Failed},
		{ports.ErrNotPurged, audit.Unknown},
	} {
		log := &journal{}
		err := newChanges(log).Run(t.Context(), app.Call{}, operator(), audit.Event{Action: audit.ActionRotateKey},
			func(context.Context, *audit.Event) error { return c.err })
		if !errors.Is(err, c.err) || !app.Recorded(err) {
			t.Errorf("%v came back as %v", c.err, err)
		}
		if got := log.events[1]; got.Outcome != c.want || got.Code != "some_code" {
			t.Errorf("%v is recorded as %s with %s, want %s", c.err, got.Outcome, got.Code, c.want)
		}
	}
}

func TestAnAPITokenActsInItsGroupByItsScopes(t *testing.T) {
	reader := app.Actor{Caller: callerOf(group.Group{ID: "acme"}, apitoken.Token{Scopes: apitoken.ReadOnly})}
	for _, c := range []struct {
		by   app.Actor
		need app.Right
		in   group.ID
		want error
	}{
		{reader, app.ToRead, "acme", nil},
		{reader, app.ToWrite, "acme", app.ErrScope},
		{reader, app.ToReveal, "acme", app.ErrScope},
		{reader, app.ToRead, "globex", ports.ErrNotFound},
		{reader, app.ToWrite, "globex", ports.ErrNotFound},
		{app.Actor{}, app.ToRead, "acme", ports.ErrNotFound},
		{app.Actor{}, app.ToRead, "", app.ErrScope},
		{operator(), app.ToReveal, "globex", nil},
		{app.Actor{Operator: "operator-token", Rights: app.ToRead}, app.ToWrite, "acme", app.ErrScope},
	} {
		if err := c.by.May(c.need, c.in); !errors.Is(err, c.want) {
			t.Errorf("%+v in %q: %v, want %v", c.by, c.in, err, c.want)
		}
	}
	if err := reader.MayEverywhere(app.ToRead); !errors.Is(err, app.ErrScope) {
		t.Errorf("an API token everywhere: %v", err)
	}
	if err := operator().MayEverywhere(app.ToRead); err != nil {
		t.Errorf("an operator everywhere: %v", err)
	}
}
