package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// DryRun is what a mint request would come to.
type DryRun struct {
	// Allowed says whether there would be a token.
	Allowed bool
	// Claims are what it would hold, as it would hold them; nil without one.
	Claims []byte
	// KeyID is the key that would seal it; empty without a token, and where the
	// group has no default key yet and one would be made first.
	KeyID key.ID
	// Broken is why there would be none; Clamped is what was asked for and would not
	// be given.
	Broken, Clamped []token.Fault
}

// The codes of keys that cannot seal, among [DryRun.Broken].
const (
	BrokenUnknownKey  = "unknown_key"
	BrokenKeyInactive = "key_not_active"
	BrokenNoDefault   = "no_default_key"
)

// DryRun says what [Minter.Mint] would answer, and which rules say no. It makes no
// token and no key, and asks neither cipher nor custody. It is recorded before it
// returns, like a mint.
//
// Errors: [*token.Invalid], [ErrAudit], or what the store answers.
func (m *Minter) DryRun(ctx context.Context, call Call, caller Caller, d token.Draft) (DryRun, error) {
	request, err := token.NewRequest(d)
	if err != nil {
		return DryRun{}, err
	}
	now := m.clock.Now()
	event := call.event(caller, audit.ActionMintDryRun, audit.Granted)
	event.Time = now
	event.Customer, event.Embed, event.Chart = request.Customer(), request.Embed(), request.Chart()

	run, decision, err := m.tryOut(ctx, caller, request, now)
	if err != nil {
		return DryRun{}, err
	}
	event.KeyID, event.Rules = string(run.KeyID), rulesOf(run.Clamped)
	event.IssuedAt, event.ExpiresAt = decision.Claims.IssuedAt, decision.Claims.ExpiresAt
	if !run.Allowed {
		event.Outcome, event.Rules = audit.Refused, rulesOf(run.Broken)
	}
	if err := m.auditor.Record(ctx, event); err != nil {
		return DryRun{}, fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return run, nil
}

// tryOut is DryRun without its record. Where there would be no token the decision
// is the zero value.
func (m *Minter) tryOut(ctx context.Context, caller Caller, request token.Request, now time.Time) (DryRun, policy.Decision, error) {
	decision, err := policy.Decide(&caller.of().Policy, &caller.by().Restriction, request, now)
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		return DryRun{Broken: refusal.Broken}, policy.Decision{}, nil
	}
	if err != nil {
		return DryRun{}, policy.Decision{}, err
	}
	ring, err := readRing(ctx, m.keys, caller.GroupID())
	if err != nil {
		return DryRun{}, policy.Decision{}, err
	}
	k, err := ring.Sealing(decision.KeyID, now)
	if errors.Is(err, key.ErrNoDefault) && ring.Len() < key.MaxRing {
		err = nil // Mint would make one
	}
	if err != nil {
		return DryRun{Broken: []token.Fault{keyFault(blame(err, request, decision))}}, policy.Decision{}, nil
	}
	return DryRun{
		Allowed: true, Claims: decision.Claims.AppendJSON(nil, m.chart), KeyID: k.ID(), Clamped: decision.Clamped,
	}, decision, nil
}

// keyFault is a key that cannot seal, as a fault of the request.
func keyFault(err error) token.Fault {
	f := token.Fault{Field: token.FieldKeyID}
	switch {
	case errors.Is(err, ErrPinned):
		f.Code, f.Detail = BrokenKeyInactive, "the key that the policy pins makes no new tokens"
	case errors.Is(err, key.ErrUnknown):
		f.Code, f.Detail = BrokenUnknownKey, "no such key_id in this group"
	case errors.Is(err, key.ErrNotActive):
		f.Code, f.Detail = BrokenKeyInactive, "this key makes no new tokens"
	default:
		f.Code, f.Detail = BrokenNoDefault, "the group has no default key, and its ring takes no further one"
	}
	return f
}
