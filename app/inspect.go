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
	"embedseal/ports"
)

// Inspector takes a token apart, with no store: what its text says, and what is
// in it when the secret is at hand.
type Inspector struct {
	cipher ports.TokenCipher
	clock  ports.Clock
	chart  token.ChartClaim
}

// NewInspector returns an Inspector.
func NewInspector(cipher ports.TokenCipher, clock ports.Clock, chart token.ChartClaim) *Inspector {
	return &Inspector{cipher: cipher, clock: clock, chart: chart}
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
	// Problem is what is wrong, and wraps jwe.ErrMalformed, ports.ErrBadTag,
	// token.ErrClaims, token.ErrExpired or token.ErrNotYetValid; nil when
	// nothing was found.
	Problem error
}

// Inspect takes text apart. secret may be zero: then only the text is judged.
func (i *Inspector) Inspect(ctx context.Context, text string, secret key.Secret) Inspection {
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		return Inspection{Problem: err}
	}
	found := Inspection{Compact: compact}
	if secret.IsZero() {
		return found
	}
	k := key.Key{ID: key.ID(compact.Header().KeyID), State: key.Active, Custody: key.Material, Secret: secret}
	found.Payload, err = i.cipher.Open(ctx, group.ID(""), k, compact)
	switch {
	case errors.Is(err, ports.ErrBadTag):
		found.Problem = fmt.Errorf("the secret is not the one this token was sealed with, or the token was changed: %w", err)
		return found
	case err != nil:
		found.Problem = fmt.Errorf("open: %w", err)
		return found
	}
	found.Opened = true
	if found.Claims, err = token.ParseClaims(found.Payload, i.chart); err != nil {
		found.Problem = err
		return found
	}
	now := i.clock.Now()
	found.Left = found.Claims.ExpiresAt.Sub(now)
	if err := found.Claims.ValidAt(now, 0); err != nil {
		found.Problem = err
	}
	return found
}
