// Package audit answers: who asked for what, and what came of it? An event has
// no field that a secret or a token fits in by right.
package audit

import (
	"time"

	"embedseal/domain/token"
)

// Action is what was attempted.
type Action string

// The actions.
const (
	// ActionMint: an embed token was asked for.
	ActionMint Action = "mint"
	// ActionRequest: a request failed before it was known what it wanted.
	ActionRequest Action = "request"
	// ActionCreateGroup and ActionCreateKey: a group or an embed secret was
	// made.
	ActionCreateGroup Action = "create_group"
	ActionCreateKey   Action = "create_key"
)

// Outcome is what came of it. The zero value claims nothing.
type Outcome string

// The outcomes.
const (
	Granted Outcome = "granted"
	Refused Outcome = "refused"
	// Failed: neither granted nor refused; something broke.
	Failed Outcome = "failed"
)

// Event is one record of the audit log. Empty fields are left out.
type Event struct {
	// Time is when the outcome was known, in UTC.
	Time      time.Time
	RequestID string
	Action    Action
	Outcome   Outcome
	// Code is the `code` of the problem that answered a refusal or a failure.
	Code string
	// Rules are the field faults behind it: `field:code`.
	Rules []string
	// Alike is how many refusals this record stands for, when there were too
	// many to record each; zero and one mean this one only.
	Alike int
	// Remote is the peer's address without its port.
	Remote string
	// Group, TokenID and KeyID are ids; TokenID names the API token of the
	// caller.
	Group, TokenID, KeyID string
	// Customer and Embed are recorded as sent, once they passed the checks of
	// a request.
	Customer, Embed, Chart string
	// IssuedAt and ExpiresAt bound the life of the token that was minted.
	IssuedAt, ExpiresAt time.Time
	Fingerprint         token.Fingerprint
}
