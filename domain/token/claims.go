package token

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"embedseal/domain/charset"
)

// The names of the claims (RFC 7519 section 4). A chart's claim is named by
// the deployment, because it is documented nowhere; [DefaultChartClaim] is our
// choice.
const (
	ClaimCustomer       = "cst"
	ClaimEmbed          = "dsh"
	ClaimExpiry         = "exp"
	ClaimIssuedAt       = "iat"
	ClaimNotBefore      = "nbf"
	ClaimOrigin         = "iss"
	ClaimFeatures       = "rbc"
	ClaimDisableEditing = "des"
	DefaultChartClaim   = "cht"

	// claimOldFeatures is what an older generation of tokens calls the
	// features: read, never written.
	claimOldFeatures = "rb_allowed_features"
)

// What is wrong with the time of a token whose claims could be read.
var (
	ErrExpired     = errors.New("expired")
	ErrNotYetValid = errors.New("not yet valid")
)

// Claims is what stands in an embed token.
type Claims struct {
	Customer, Embed string
	// Chart is empty when the whole dashboard is embedded.
	Chart          string
	Features       Features
	DisableEditing Flag
	// Origin is zero when the token is bound to none.
	Origin Origin
	// IssuedAt and NotBefore are zero when the token does not say. Tokens of
	// ours carry whole seconds; others may carry fractions.
	IssuedAt, NotBefore, ExpiresAt time.Time
}

// ChartClaim is the name under which a chart's id is written and read. The
// zero value is [DefaultChartClaim].
type ChartClaim struct{ name string }

var ofClaim = charset.Of(charset.Lower + charset.Upper + charset.Digits + "_-")

// ParseChartClaim refuses a name that another claim has, or that a reader
// could take for one: 1 to 32 characters of [A-Za-z0-9_-] are allowed.
func ParseChartClaim(name string) (ChartClaim, error) {
	if name == "" || len(name) > 32 || !ofClaim.HasAll(name) {
		return ChartClaim{}, errors.New("a claim's name has 1 to 32 characters of A-Z, a-z, 0-9, '_' and '-'")
	}
	switch name {
	case ClaimCustomer, ClaimEmbed, ClaimExpiry, ClaimIssuedAt, ClaimNotBefore, ClaimOrigin, ClaimFeatures,
		ClaimDisableEditing, claimOldFeatures, "sub", "aud", "jti":
		return ChartClaim{}, fmt.Errorf("%q is the name of another claim", name)
	}
	return ChartClaim{name: name}, nil
}

// String is the name.
func (c ChartClaim) String() string {
	if c.name == "" {
		return DefaultChartClaim
	}
	return c.name
}

// AppendJSON writes the claims as one JSON object without spaces: what is unset
// is left out, never null, and the times are whole seconds.
func (c Claims) AppendJSON(dst []byte, chart ChartClaim) []byte {
	dst = appendString(append(dst, `{"cst":`...), c.Customer)
	dst = appendString(append(dst, `,"dsh":`...), c.Embed)
	if c.Chart != "" {
		dst = append(append(append(dst, `,"`...), chart.String()...), `":`...)
		dst = appendString(dst, c.Chart)
	}
	dst = strconv.AppendInt(append(dst, `,"exp":`...), c.ExpiresAt.Unix(), 10)
	if !c.IssuedAt.IsZero() {
		dst = strconv.AppendInt(append(dst, `,"iat":`...), c.IssuedAt.Unix(), 10)
	}
	if !c.NotBefore.IsZero() {
		dst = strconv.AppendInt(append(dst, `,"nbf":`...), c.NotBefore.Unix(), 10)
	}
	if !c.Origin.IsZero() {
		dst = appendString(append(dst, `,"iss":`...), c.Origin.String())
	}
	if c.Features.Given() {
		dst = c.Features.AppendJSON(append(dst, `,"rbc":`...))
	}
	if c.DisableEditing != Unset {
		dst = strconv.AppendBool(append(dst, `,"des":`...), c.DisableEditing == Yes)
	}
	return append(dst, '}')
}

// ValidAt returns nil for now < exp, and [ErrExpired] otherwise: there is no
// leeway at the end of a token's life. leeway excuses a clock that runs behind
// the issuer's, for nbf and iat only; beyond it the error is [ErrNotYetValid].
func (c Claims) ValidAt(now time.Time, leeway time.Duration) error {
	if !now.Before(c.ExpiresAt) {
		return ErrExpired
	}
	latest := now.Add(leeway)
	if c.NotBefore.After(latest) || c.IssuedAt.After(latest) {
		return ErrNotYetValid
	}
	return nil
}

// appendString writes s, which is valid UTF-8, as a JSON string.
func appendString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
