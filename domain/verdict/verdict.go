// Package verdict answers: is an embed token that somebody presents good here and
// now, and if not, why?
//
// What is looked at stands in the order of [Reasons]; the first that fails is the
// answer. The text of a token is judged by jwe.ParseCompact, what is in it by
// token.ParseClaims, and its tag by a cipher; the rest is here.
package verdict

import (
	"errors"
	"time"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// Reason is why a token is not good. The empty one is none: it is good.
type Reason string

// The reasons, which never change their meaning.
const (
	// Malformed: the text is not that of one of our tokens in its one spelling, or
	// its claims cannot be read.
	Malformed Reason = "malformed"
	// UnknownKey: the group has no such key, or not any more.
	UnknownKey Reason = "unknown_key"
	// KeyDisabled: the group has the key, and an operator has stopped it.
	KeyDisabled Reason = "key_disabled"
	// BadTag: it was not sealed with that key, or was changed since.
	BadTag Reason = "bad_tag"
	// Expired: its time is over.
	Expired Reason = "expired"
	// NotYetValid: its time has not come, by more than clocks may differ.
	NotYetValid Reason = "not_yet_valid"
	// Policy: it would live longer than the group allows or, since it was issued, ever
	// allowed; or longer than its retiring key is reckoned to be needed.
	Policy Reason = "policy"
	// Revoked: it was taken back.
	Revoked Reason = "revoked"
	// OriginMismatch, EmbedMismatch and ChartMismatch: it is for another origin,
	// embed or chart than the one that was presented with it.
	OriginMismatch Reason = "origin_mismatch"
	EmbedMismatch  Reason = "embed_mismatch"
	ChartMismatch  Reason = "chart_mismatch"
)

// Reasons lists every reason, in the order in which they are looked for; claims
// that cannot be read come after the tag.
func Reasons() []Reason {
	return []Reason{
		Malformed, UnknownKey, KeyDisabled, BadTag, Expired, NotYetValid, Policy, Revoked,
		OriginMismatch, EmbedMismatch, ChartMismatch,
	}
}

// OfKey judges the key that a token names. Whether a key was found says the ring; a
// destroyed one is as good as none.
func OfKey(k key.Key, found bool, now time.Time) Reason {
	switch {
	case !found || k.State == key.Destroyed:
		return UnknownKey
	case !k.CanOpen(now):
		return KeyDisabled
	}
	return ""
}

// OfTime judges when a token is good: see [token.Claims.ValidAt].
func OfTime(c token.Claims, now time.Time, leeway time.Duration) Reason {
	err := c.ValidAt(now, leeway)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, token.ErrExpired):
		return Expired
	}
	return NotYetValid
}

// roundingOfIssuers is how much longer than the group ever allowed a token may seem
// to have lived: an `iat` may be cut to its second, and its `exp` be rounded up.
const roundingOfIssuers = time.Second

// OfLife judges how long a token goes on, so that a revocation need not be kept
// longer than that. What is left of it may not be more than a token of the group may
// live at most; longest is that, of which zero allows nothing. From its issue to its
// end there may not be more than the group ever allowed, which is horizon, see
// [key.Key.SafeAt], and a second for whoever rounds; a token that was minted before
// the policy became narrower is good. One that does not say when it was issued cannot
// be held to that. Nor may it outlast what its retiring key is kept for. There is no
// leeway.
func OfLife(c token.Claims, k key.Key, longest iso8601.Duration, horizon time.Duration, now time.Time) Reason {
	// What ends after the year 9999 is an error, and ends after every exp. AddTo
	// begins at the whole second.
	end, err := longest.AddTo(now)
	if longest.IsZero() || err == nil && c.ExpiresAt.After(end.Add(time.Duration(now.Nanosecond()))) {
		return Policy
	}
	// Sub goes no further than 292 years, and neither does a horizon: one of that bounds
	// nothing.
	if !c.IssuedAt.IsZero() && max(c.ExpiresAt.Sub(c.IssuedAt), 0)-roundingOfIssuers > horizon {
		return Policy
	}
	if k.StateAt(now) == key.Retiring {
		if safe := k.SafeAt(horizon); !safe.IsZero() && c.ExpiresAt.After(safe) {
			return Policy
		}
	}
	return ""
}

// OfUse compares a token with what it came with. A token that is bound to no origin
// is good on each. One for a chart is no other chart's, and one for a whole embed is
// no chart's.
func OfUse(c token.Claims, p Presented) Reason {
	switch {
	case !p.Origin.IsZero() && !c.Origin.IsZero() && p.Origin != c.Origin:
		return OriginMismatch
	case p.Embed != "" && p.Embed != c.Embed:
		return EmbedMismatch
	case p.Chart != "" && p.Chart != c.Chart:
		return ChartMismatch
	}
	return ""
}
