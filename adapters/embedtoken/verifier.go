package embedtoken

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// Config is what tokens are held to.
type Config struct {
	// Keys are the values of the embed secrets by their ids. While a key is being
	// replaced there are two.
	Keys map[string]string
	// MaxLifetime is the most that a token may have left; zero is 30 days, as in a
	// group of which nobody has changed it. In whole seconds.
	MaxLifetime time.Duration
	// LongestLifetime is the most that MaxLifetime ever was: no token is good that was
	// to live longer from its issue to its end, where it says when it was issued. Zero is
	// MaxLifetime; whoever makes that shorter says here what it was, so that tokens of
	// before stay good. A revocation has to be kept for as long. In whole seconds.
	LongestLifetime time.Duration
	// Leeway is how far ahead the clock of whoever minted may be, for `iat` and
	// `nbf`; zero is 30 seconds, and less than zero none.
	Leeway time.Duration
	// ChartClaim names the claim of a chart; empty is "cht".
	ChartClaim string
	// Revoked reports whether a token that is good otherwise was taken back; nil is
	// never. It is called by several goroutines at once.
	Revoked func(Token) bool
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Token is what stands in a good token.
type Token struct {
	// Customer and Embed are whom it is for, and what it opens.
	Customer, Embed string
	// Chart is empty for a whole dashboard: see that only this one is shown.
	Chart string
	// Features are all that the end user may do in a report builder, written out;
	// empty is nothing.
	Features []string
	// DisableEditing says that the end user may not edit the editable section.
	DisableEditing bool
	// Origin is the one origin whose pages it is good on, with a "/" at its end; empty
	// is each.
	Origin string
	// KeyID is the embed secret that it was sealed with.
	KeyID string
	// IssuedAt is zero where the token does not say.
	IssuedAt, ExpiresAt time.Time
	// Fingerprint is the SHA-256 of its text, in hex, as in the server's audit log.
	Fingerprint string
}

// Presented is what a token came with. What is empty was not given, and is not
// compared.
type Presented struct{ Origin, Embed, Chart string }

// Error says why a token is not good. Tell whoever presented it no more than that it
// is not.
type Error struct{ Reason verdict.Reason }

// Error implements error.
func (e *Error) Error() string { return "embedtoken: the token is not good: " + string(e.Reason) }

// Verifier is safe for concurrent use. Where keys change, make another one. The zero
// value has no keys and refuses everything.
type Verifier struct {
	verifier *app.Verifier
	caller   app.Caller
}

const (
	defaultLeeway = 30 * time.Second
	theGroup      = group.ID("keys")
)

// New refuses a configuration that no token can be held to: no key, an id or a value
// that is none. The error does not hold a value.
func New(cfg Config) (*Verifier, error) {
	ring, err := ringOf(cfg.Keys)
	if err != nil {
		return nil, err
	}
	g := group.Group{ID: theGroup, Policy: policy.Default()}
	if cfg.MaxLifetime != 0 {
		text := "PT" + strconv.FormatInt(int64(cfg.MaxLifetime/time.Second), 10) + "S"
		if g.Policy.MaxLifetime, err = iso8601.Parse(text); err != nil {
			return nil, fmt.Errorf("embedtoken: the longest lifetime of %s: %w", cfg.MaxLifetime, err)
		}
	}
	if cfg.LongestLifetime != 0 {
		if g.Horizon = cfg.LongestLifetime.Truncate(time.Second); g.Horizon < g.Policy.MaxLifetime.UpperBound() {
			return nil, fmt.Errorf("embedtoken: the longest lifetime ever, %s, is less than that of now", cfg.LongestLifetime)
		}
	}
	var chart token.ChartClaim
	if cfg.ChartClaim != "" {
		if chart, err = token.ParseChartClaim(cfg.ChartClaim); err != nil {
			return nil, fmt.Errorf("embedtoken: the claim of a chart: %w", err)
		}
	}
	leeway := cfg.Leeway
	if leeway == 0 {
		leeway = defaultLeeway
	}
	return &Verifier{
		verifier: app.NewVerifier(fixed{ring}, opener{}, revocations{cfg.Revoked}, nil, clock{cfg.Now}, chance{}, chart, app.Leeway(max(leeway, 0))),
		caller:   app.NewCaller(&g, nil, apitoken.Digest{}),
	}, nil
}

func ringOf(keys map[string]string) (key.Ring, error) {
	if len(keys) == 0 {
		return key.Ring{}, errors.New("embedtoken: there is no key to open a token with")
	}
	var ring key.Ring
	for name, value := range keys {
		id, err := key.ParseID(name)
		if err != nil {
			return key.Ring{}, fmt.Errorf("embedtoken: the id of a key: %w", err)
		}
		secret, _, err := key.TrimSecret(value)
		if err != nil {
			return key.Ring{}, fmt.Errorf("embedtoken: the value of %s: %w", id, err)
		}
		if ring, err = ring.With(key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: secret}); err != nil {
			return key.Ring{}, fmt.Errorf("embedtoken: %w", err)
		}
	}
	return ring, nil
}

// errUnmade is of a Verifier that has nothing to open a token with.
var errUnmade = errors.New("embedtoken: this Verifier was not made by New")

// Verify judges text. That it is not good is an [*Error]; any other error says that
// what was presented with it cannot be compared, or that v was not made by [New], and
// then it is not good either.
func (v *Verifier) Verify(text string, p Presented) (Token, error) {
	if v == nil || v.verifier == nil {
		return Token{}, errUnmade
	}
	presented, err := verdict.Present(given(p.Origin), given(p.Embed), given(p.Chart))
	if err != nil {
		return Token{}, fmt.Errorf("embedtoken: what was presented: %w", err)
	}
	// Nothing waits for anything here.
	found, err := v.verifier.Verify(context.Background(), app.Call{}, v.caller, text, presented)
	if err != nil {
		return Token{}, fmt.Errorf("embedtoken: %w", err)
	}
	if !found.Active {
		return Token{}, &Error{Reason: found.Reason}
	}
	return tokenOf(found.Fingerprint, found.Claims, found.KeyID), nil
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tokenOf(f token.Fingerprint, c token.Claims, id key.ID) Token {
	features := []string{}
	for _, feature := range c.Features.Expanded() {
		features = append(features, string(feature))
	}
	return Token{
		Customer: c.Customer, Embed: c.Embed, Chart: c.Chart, Features: features, DisableEditing: c.DisableEditing == token.Yes,
		Origin: c.Origin.String(), KeyID: string(id), IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, Fingerprint: f.String(),
	}
}
