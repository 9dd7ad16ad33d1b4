package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// Leeway is how far the clock of whoever minted a token may be ahead of ours: see
// [token.Claims.ValidAt]. There is none for the end of a token's life.
type Leeway time.Duration

// Verifier says whether an embed token is good, and if not, why.
type Verifier struct {
	opening
	keys        ports.KeyStore
	revocations Revocations
	refusals    *Refusals
	clock       ports.Clock
	// decoy is nobody's key. A token of a key that is not there is opened with it, so
	// that this takes as long as one that was tampered with.
	decoy key.Key
}

// NewVerifier returns a Verifier that records with refusals what was not good; nil
// records nothing.
func NewVerifier(keys ports.KeyStore, cipher ports.TokenCipher, revocations Revocations, refusals *Refusals,
	clock ports.Clock, random ports.Random, chart token.ChartClaim, leeway Leeway) *Verifier {
	var bytes [key.SecretEntropy]byte
	random.Fill(bytes[:])
	return &Verifier{
		opening: opening{cipher: cipher, chart: chart, leeway: time.Duration(leeway)},
		keys:    keys, revocations: revocations, refusals: refusals, clock: clock,
		decoy: key.Key{State: key.Active, Custody: key.Material, Secret: key.NewSecret(bytes)},
	}
}

// Verdict is what there is to say of a token that was presented.
type Verdict struct {
	// Active says that it is good; then Reason is empty, and otherwise not.
	Active bool
	Reason verdict.Reason
	// KeyID is the key of the group that it names, where there is one.
	KeyID key.ID
	// Claims, Fingerprint and Left, the life it has left, are of a token that could
	// be opened and read; otherwise zero.
	Claims      token.Claims
	Fingerprint token.Fingerprint
	Left        time.Duration
}

// Verify judges text, a token that came with what is presented, in the caller's
// group. That it is not good is no error; it is recorded before Verify returns, one
// record for all of one reason, caller and second.
//
// Errors: [ErrAudit], or what the stores, the cipher and the revocations answer.
func (v *Verifier) Verify(ctx context.Context, call Call, caller Caller, text string, presented verdict.Presented) (Verdict, error) {
	found, err := v.judge(ctx, caller.of(), text, presented)
	if err != nil {
		return Verdict{}, err
	}
	found.Active = found.Reason == ""
	if found.Active || v.refusals == nil {
		return found, nil
	}
	err = v.refusals.Count(ctx, call, Actor{Caller: caller}, string(caller.GroupID())+"/"+caller.TokenID(), Refusal{
		Action: audit.ActionVerify, Code: string(found.Reason), KeyID: string(found.KeyID), Fingerprint: found.Fingerprint,
	})
	if err != nil {
		return Verdict{}, err
	}
	return found, nil
}

// judge looks for each reason in turn, in the order of [verdict.Reasons].
func (v *Verifier) judge(ctx context.Context, g *group.Group, text string, presented verdict.Presented) (Verdict, error) {
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		return Verdict{Reason: verdict.Malformed}, nil
	}
	ring, err := readRing(ctx, v.keys, g.ID)
	if err != nil {
		return Verdict{}, err
	}
	now := v.clock.Now()
	k, found := ring.Find(key.ID(compact.Header().KeyID))
	unusable, opens := verdict.OfKey(k, found, now), &k
	if unusable != "" { // goes the same way, and fails there
		decoy := v.decoy
		decoy.ID, opens = key.ID(compact.Header().KeyID), &decoy
	}
	var content contents
	reason, err := v.examine(ctx, g.ID, opens, compact, now, &content)
	if unusable != "" {
		return Verdict{Reason: unusable, KeyID: k.ID}, nil
	}
	if err != nil && reason == "" {
		return Verdict{}, err
	}
	if reason == verdict.BadTag || reason == verdict.Malformed {
		return Verdict{Reason: reason, KeyID: k.ID}, nil
	}
	out := Verdict{
		Reason: reason, KeyID: k.ID, Claims: content.claims,
		Fingerprint: token.FingerprintOf(compact), Left: content.claims.ExpiresAt.Sub(now),
	}
	if out.Reason != "" {
		return out, nil
	}
	if out.Reason = verdict.OfLife(out.Claims, k, g.Policy.MaxLifetime, g.LongestLifetime(), now); out.Reason != "" {
		return out, nil
	}
	revoked, err := v.revocations.Revoked(ctx, g.ID, out.Fingerprint, out.Claims, k.ID)
	if err != nil {
		return Verdict{}, fmt.Errorf("ask what was revoked in %s: %w", g.ID, err)
	}
	if revoked {
		out.Reason = verdict.Revoked
		return out, nil
	}
	out.Reason = verdict.OfUse(out.Claims, presented)
	return out, nil
}

// opening is how a token is opened and read, with a key of a group or with a secret
// at hand.
type opening struct {
	cipher ports.TokenCipher
	chart  token.ChartClaim
	leeway time.Duration
}

// contents are what is in a token.
type contents struct {
	payload []byte
	claims  token.Claims
}

// examine is read, and then looks at the time.
func (o *opening) examine(ctx context.Context, g group.ID, k *key.Key, compact jwe.Compact, now time.Time, c *contents) (verdict.Reason, error) {
	if reason, err := o.read(ctx, g, k, compact, c); err != nil {
		return reason, err
	}
	if reason := verdict.OfTime(c.claims, now, o.leeway); reason != "" {
		return reason, c.claims.ValidAt(now, o.leeway)
	}
	return "", nil
}

// read opens a token and reads it into c, as far as it can. An error with a reason
// says in words why the token is not good; without one, it could not be found out.
func (o *opening) read(ctx context.Context, g group.ID, k *key.Key, compact jwe.Compact, c *contents) (verdict.Reason, error) {
	var err error
	c.payload, err = o.cipher.Open(ctx, g, *k, compact)
	switch {
	case errors.Is(err, ports.ErrBadTag):
		return verdict.BadTag, err
	case errors.Is(err, ports.ErrCustody) && k.Custody != key.Material && compact.IsLongIV():
		// Only a key that somebody has in hand seals like that.
		return verdict.BadTag, fmt.Errorf("%w: %w", ports.ErrBadTag, err)
	case err != nil:
		return "", fmt.Errorf("open: %w", err)
	}
	if c.claims, err = token.ParseClaims(c.payload, o.chart); err != nil {
		return verdict.Malformed, fmt.Errorf("read: %w", err)
	}
	return "", nil
}
