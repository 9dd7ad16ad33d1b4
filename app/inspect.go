package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// Inspector takes a token apart, with no store: what its text says, and what is
// in it when the secret is at hand.
type Inspector struct {
	opening
	clock ports.Clock
}

// NewInspector returns an Inspector.
func NewInspector(cipher ports.TokenCipher, clock ports.Clock, chart token.ChartClaim, leeway Leeway) *Inspector {
	return &Inspector{opening: opening{cipher: cipher, chart: chart, leeway: time.Duration(leeway)}, clock: clock}
}

// Inspection is what there is to say of a token.
type Inspection struct {
	// Compact is zero when the text is not a token at all.
	Compact jwe.Compact
	// Opened says that the secret was at hand and fits.
	Opened bool
	// Payload is the plaintext of an opened token, Claims what stands in it.
	Payload []byte
	Claims  token.Claims
	// Left is the life the token has left; negative when it is over.
	Left time.Duration
	// Reason is why a [Verifier] would not have it, as far as the token itself says:
	// what its group allows, and whether it was revoked, only a server knows. Empty
	// when nothing was found, or nothing could be found out.
	Reason verdict.Reason
	// Problem is the same in words, and wraps jwe.ErrMalformed, ports.ErrBadTag,
	// token.ErrClaims, token.ErrExpired, token.ErrNotYetValid or [ErrMismatch];
	// nil when nothing was found.
	Problem error
}

// ErrMismatch is wrapped by the problem of a token for another use than the one
// that was presented.
var ErrMismatch = errors.New("for another use")

// Inspect takes text apart, and compares it with what was presented with it. secret
// may be zero: then only the text is judged.
func (i *Inspector) Inspect(ctx context.Context, text string, secret key.Secret, presented verdict.Presented) Inspection {
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		return Inspection{Reason: verdict.Malformed, Problem: err}
	}
	found := Inspection{Compact: compact}
	if secret.IsZero() {
		return found
	}
	k := key.Key{ID: key.ID(compact.Header().KeyID), State: key.Active, Custody: key.Material, Secret: secret}
	now := i.clock.Now()
	var content contents
	found.Reason, found.Problem = i.examine(ctx, group.ID(""), &k, compact, now, &content)
	found.Payload, found.Claims = content.payload, content.claims
	found.Opened = content.payload != nil
	switch {
	case found.Reason == verdict.BadTag:
		found.Problem = fmt.Errorf("the secret is not the one this token was sealed with, or the token was changed: %w", found.Problem)
	case !found.Claims.ExpiresAt.IsZero():
		found.Left = found.Claims.ExpiresAt.Sub(now)
	}
	if found.Problem == nil {
		if found.Reason = verdict.OfUse(found.Claims, presented); found.Reason != "" {
			found.Problem = fmt.Errorf("%w: %s", ErrMismatch, found.Reason)
		}
	}
	return found
}
