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
	// ActionMintDryRun: it was asked what an embed token would hold, or why there
	// would be none.
	ActionMintDryRun Action = "mint_dry_run"
	// ActionVerify: an embed token was presented to be judged. Of one that is good
	// there is no record.
	ActionVerify Action = "verify"

	// What is done to a group.
	ActionCreateGroup  Action = "create_group"
	ActionUpdateGroup  Action = "update_group"
	ActionUpdatePolicy Action = "update_policy"
	ActionDeleteGroup  Action = "delete_group"

	// What is done to an embed secret.
	ActionCreateKey  Action = "create_key"
	ActionImportKey  Action = "import_key"
	ActionUpdateKey  Action = "update_key"
	ActionDefaultKey Action = "set_default_key"
	ActionRotateKey  Action = "rotate_key"
	ActionRetireKey  Action = "retire_key"
	ActionDisableKey Action = "disable_key"
	ActionEnableKey  Action = "enable_key"
	ActionDestroyKey Action = "destroy_key"
	// ActionRevealKey and ActionExportKey: its value was given out.
	ActionRevealKey Action = "reveal_key"
	ActionExportKey Action = "export_key"

	// What is done to an API token.
	ActionCreateToken  Action = "create_token"
	ActionUpdateToken  Action = "update_token"
	ActionRefreshToken Action = "refresh_token"
	ActionRevokeToken  Action = "revoke_token"

	// ActionRevoke: embed tokens were taken back: the one of Fingerprint, or all of
	// Customer, for Embed or under KeyID that were issued up to IssuedAt.
	ActionRevoke Action = "revoke"

	// ActionRead: something was looked at, and refused; what is shown leaves no
	// record.
	ActionRead Action = "read"
	// ActionRevealAuditKey: the key that the log is chained with was given out.
	ActionRevealAuditKey Action = "reveal_audit_key"

	// ActionAuditVerify: the log was verified.
	ActionAuditVerify Action = "verify_audit"

	// What the log says of itself: it was opened, its last line had been cut short
	// by a crash, its end is missing, its oldest file was removed as configured.
	ActionAuditOpened    Action = "audit_opened"
	ActionAuditTorn      Action = "audit_torn"
	ActionAuditTruncated Action = "audit_truncated"
	ActionAuditPruned    Action = "audit_pruned"
)

// Changes reports whether the action changes something or gives a secret out: its
// records are on the disk before what they speak of.
func (a Action) Changes() bool {
	switch a {
	case ActionMint, ActionRequest, ActionMintDryRun, ActionVerify, ActionRead, ActionAuditVerify:
		return false
	default:
		return true
	}
}

// Outcome is what came of it. The zero value claims nothing.
type Outcome string

// The outcomes.
const (
	// Intent: a change is about to be made. A second record with the same Change
	// says what came of it; without one, a crash came between.
	Intent  Outcome = "intent"
	Granted Outcome = "granted"
	Refused Outcome = "refused"
	// Failed: neither granted nor refused; something broke.
	Failed Outcome = "failed"
	// Unknown: the store did not say whether it wrote.
	Unknown Outcome = "unknown"
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
	// Rules are the field faults behind it: `field:code`. Of a token that was granted
	// they are the rules that made it less than was asked for.
	Rules []string
	// Alike is how many refusals this record stands for, when there were too
	// many to record each; zero and one mean this one only.
	Alike int
	// Remote is the peer's address without its port.
	Remote string
	// Operator is who acted without an API token, such as "socket:uid=1000".
	Operator string
	// Group, TokenID and KeyID are ids; TokenID names the API token of the
	// caller.
	Group, TokenID, KeyID string
	// Target is the id of the API token that was acted on, or of the revocation.
	Target string
	// Change joins the intent of a change and its outcome.
	Change string
	// Customer and Embed are recorded as sent, once they passed the checks of
	// a request.
	Customer, Embed, Chart string
	// IssuedAt and ExpiresAt bound the life of the token that was minted. Of a
	// revocation they are the last instant of issue that it takes back, and its end.
	IssuedAt, ExpiresAt time.Time
	Fingerprint         token.Fingerprint
}
