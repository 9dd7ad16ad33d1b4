package app

import (
	"context"
	"errors"

	"embedseal/domain/audit"
	"embedseal/domain/token"
	"embedseal/ports"
)

// ErrAudit is wrapped by the error of a use-case whose audit record could not
// be written. What it would have recorded was not done.
var ErrAudit = errors.New("the audit record could not be written")

// Refusals records what was not done, and why.
type Refusals struct {
	auditor ports.Auditor
	clock   ports.Clock
	tallies tallies
}

// NewRefusals returns a Refusals.
func NewRefusals(auditor ports.Auditor, clock ports.Clock) *Refusals {
	return &Refusals{auditor: auditor, clock: clock, tallies: tallies{by: map[tallyKey]*tally{}}}
}

// Refusal is a request that was answered with a problem.
type Refusal struct {
	Action audit.Action
	// Failed tells "something broke" from "was refused".
	Failed bool
	// Code is the `code` of the problem, Faults are what stood in its `errors`.
	Code   string
	Faults []token.Fault
	// Group, KeyID and Target are what it was about, where that is known: ids as
	// their constructors accept them. See [audit.Event].
	Group, KeyID, Target string
	// Fingerprint is of the token that was verified, where it could be opened.
	Fingerprint token.Fingerprint
	// Request is the mint request, once it passed its checks and was refused for
	// what it asks.
	Request token.Request
}

// Record writes the record. The error wraps [ErrAudit].
func (r *Refusals) Record(ctx context.Context, call Call, by Actor, what Refusal) error {
	return r.record(ctx, r.event(call, by, what))
}

// event is the record of a refusal, now.
func (r *Refusals) event(call Call, by Actor, what Refusal) audit.Event {
	event := by.event(call, audit.Event{
		Action: what.Action, Outcome: audit.Refused, Group: what.Group, KeyID: what.KeyID, Target: what.Target,
	})
	if what.Failed {
		event.Outcome = audit.Failed
	}
	event.Time, event.Code = r.clock.Now(), what.Code
	event.Customer, event.Embed, event.Chart = what.Request.Customer(), what.Request.Embed(), what.Request.Chart()
	event.Rules, event.Fingerprint = rulesOf(what.Faults), what.Fingerprint
	return event
}

// rulesOf is what a record says of faults, and nil without any.
func rulesOf(faults []token.Fault) []string {
	var rules []string
	for _, f := range faults {
		// An unknown member's name is the sender's text, and may be anything.
		if f.Code == token.FaultMember {
			rules = append(rules, f.Code)
			continue
		}
		rules = append(rules, f.Field+":"+f.Code)
	}
	return rules
}
