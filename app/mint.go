package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/ports"
)

// Minter makes embed tokens.
type Minter struct {
	keys     ports.KeyStore
	defaults *DefaultKeys
	cipher   ports.TokenCipher
	auditor  ports.Auditor
	clock    ports.Clock
	chart    token.ChartClaim
}

// NewMinter returns a Minter that names the claim of a chart's id chart.
func NewMinter(keys ports.KeyStore, defaults *DefaultKeys, cipher ports.TokenCipher,
	auditor ports.Auditor, clock ports.Clock, chart token.ChartClaim) *Minter {
	return &Minter{keys: keys, defaults: defaults, cipher: cipher, auditor: auditor, clock: clock, chart: chart}
}

// Minted is a token that was made and recorded.
type Minted struct {
	// Text is the compact JWE: a bearer secret.
	Text   []byte
	KeyID  key.ID
	Claims token.Claims
	// Clamped is what was asked for and not given: see [policy.Decision].
	Clamped []token.Fault
}

// ErrPinned is wrapped by the error of a request that named no fault of its own:
// the key that the policy pins is not there, or makes no new tokens.
var ErrPinned = errors.New("the key that the policy pins cannot seal")

// Mint makes the token that d asks for, in the caller's group. The audit record
// is written after sealing and before Mint returns: no record, no token.
//
// Errors: [*token.Invalid], [*policy.Refusal], [ErrPinned], [key.ErrUnknown],
// [key.ErrNotActive], [key.ErrNoDefault], [ErrAudit], or what the stores and
// the cipher answer.
func (m *Minter) Mint(ctx context.Context, call Call, caller Caller, d token.Draft) (Minted, error) {
	request, err := token.NewRequest(d)
	if err != nil {
		return Minted{}, err
	}
	now := m.clock.Now()
	decision, err := policy.Decide(&caller.of().Policy, &caller.by().Restriction, request, now)
	if err != nil {
		return Minted{}, err
	}
	claims := decision.Claims
	k, err := m.sealingKey(ctx, call, caller, decision.KeyID, now)
	if err != nil {
		return Minted{}, blame(err, request, decision)
	}
	text, err := m.seal(ctx, caller.GroupID(), k, claims)
	if err != nil {
		return Minted{}, fmt.Errorf("seal with %s: %w", k.ID(), err)
	}

	event := call.event(caller, audit.ActionMint, audit.Granted)
	event.Time, event.KeyID = now, string(k.ID())
	event.Customer, event.Embed, event.Chart = claims.Customer, claims.Embed, claims.Chart
	event.IssuedAt, event.ExpiresAt = claims.IssuedAt, claims.ExpiresAt
	event.Fingerprint, event.Rules = token.FingerprintOfSealed(text), rulesOf(decision.Clamped)
	if err := m.auditor.Record(ctx, event); err != nil {
		return Minted{}, fmt.Errorf("%w: %w", ErrAudit, err)
	}
	return Minted{Text: text, KeyID: k.ID(), Claims: claims, Clamped: decision.Clamped}, nil
}

// payloads are buffers that claims are written into before they are sealed.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// seal is the token of those claims.
func (m *Minter) seal(ctx context.Context, g group.ID, k *key.Sealer, claims token.Claims) ([]byte, error) {
	payload := payloads.Get().(*[]byte) //nolint:errcheck // New makes nothing else
	defer func() {
		clear(*payload) // it is of one group, and the next may be of another
		payloads.Put(payload)
	}()
	*payload = claims.AppendJSON((*payload)[:0], m.chart)
	return m.cipher.Seal(ctx, g, k, *payload)
}

// sealingKey is the key named, or the group's default: made now when the group
// has none.
func (m *Minter) sealingKey(ctx context.Context, call Call, caller Caller, id key.ID, now time.Time) (*key.Sealer, error) {
	ring, err := readRing(ctx, m.keys, caller.GroupID())
	if err != nil {
		return nil, err
	}
	k, err := ring.Sealing(id, now)
	if errors.Is(err, key.ErrNoDefault) {
		made, err := m.defaults.Ensure(ctx, call, caller)
		return key.NewSealer(made), err
	}
	return k, err
}

// blame says whose choice a key was that cannot seal: not the caller's, where the
// policy chose it.
func blame(err error, request token.Request, d policy.Decision) error {
	if d.KeyID != request.KeyID() && (errors.Is(err, key.ErrUnknown) || errors.Is(err, key.ErrNotActive)) {
		return fmt.Errorf("%w: %w", ErrPinned, err)
	}
	return err
}
