package app_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/token"
)

func TestARefusalIsRecordedWithItsCodeAndRules(t *testing.T) {
	for _, tt := range []struct {
		sentence string
		caller   app.Caller
		refusal  app.Refusal
		want     audit.Event
	}{
		{
			"nobody is known", app.Caller{}, app.Refusal{Action: audit.ActionRequest, Code: "unauthenticated"},
			audit.Event{Action: audit.ActionRequest, Outcome: audit.Refused, Code: "unauthenticated"},
		},
		{
			"faults of fields", acme(),
			app.Refusal{Action: audit.ActionMint, Code: "invalid_request", Faults: []token.Fault{
				{Field: token.FieldExpiration, Code: token.FaultMalformed, Detail: canary}, {Field: token.FieldEmbedID, Code: token.FaultRequired, Detail: canary},
			}},
			audit.Event{Action: audit.ActionMint, Outcome: audit.Refused, Code: "invalid_request", Group: "acme", TokenID: "t1", Rules: []string{"expiration:malformed", "embed_id:required"}},
		},
		{
			"members that nobody knows, whose names may be anything", acme(),
			app.Refusal{Action: audit.ActionMint, Code: "invalid_request", Faults: []token.Fault{
				{Field: canary, Code: token.FaultMember}, {Field: token.FieldChartID, Code: "chart_embedding_disabled"}, {Field: canary, Code: token.FaultMember},
			}},
			audit.Event{Action: audit.ActionMint, Outcome: audit.Refused, Code: "invalid_request", Group: "acme", TokenID: "t1", Rules: []string{"unknown_member", "chart_id:chart_embedding_disabled", "unknown_member"}},
		},
		{
			"something broke", acme(), app.Refusal{Action: audit.ActionMint, Failed: true, Code: "store_unavailable"},
			audit.Event{Action: audit.ActionMint, Outcome: audit.Failed, Code: "store_unavailable", Group: "acme", TokenID: "t1"},
		},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			log := &journal{}
			if err := app.NewRefusals(log, stopped{now()}).Record(t.Context(), call(), app.Actor{Caller: tt.caller}, tt.refusal); err != nil {
				t.Fatal(err)
			}
			tt.want.Time, tt.want.RequestID, tt.want.Remote = now(), "r1", "192.0.2.7"
			if diff := cmp.Diff([]audit.Event{tt.want}, log.events); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusalThatCannotBeRecordedIsAnError(t *testing.T) {
	full := fmt.Errorf("disk full")
	log := &journal{refuse: func(audit.Event) error { return full }}
	err := app.NewRefusals(log, stopped{now()}).Record(t.Context(), call(), app.Actor{Caller: acme()}, app.Refusal{Action: audit.ActionMint, Code: "x"})
	if !errors.Is(err, app.ErrAudit) || !errors.Is(err, full) {
		t.Errorf("got %v, want %v because of %v", err, app.ErrAudit, full)
	}
}
