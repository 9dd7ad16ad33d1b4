package apitoken

import (
	"net/netip"
	"time"

	"embedseal/domain/replay"
)

// Token is what a group's record keeps of an API token: everything but its
// text.
type Token struct {
	// ID names the token in audit records. It is not secret, and unique in its
	// group.
	ID string
	// Name is the operator's word for it.
	Name   string
	Digest Digest
	Scopes Scopes
	// CreatedAt and ExpiresAt are in UTC, to the second. A zero ExpiresAt is
	// never.
	CreatedAt, ExpiresAt time.Time
	// Networks are where the token may be used from; empty is anywhere. At most
	// [MaxNetworks], without host bits. The slice is never changed in place.
	Networks []netip.Prefix
	// Previous is the value before a refresh, good until PreviousUntil and not at
	// it. Both are zero when there is none.
	Previous      Digest
	PreviousUntil time.Time
	// LastUsedAt is the hour, in UTC, in which the token was last used. It is
	// written seldom, and may lag behind by more than an hour.
	LastUsedAt time.Time
	// Creation marks the request that made the token, Refreshing the one that last
	// gave it a new value.
	Creation, Refreshing replay.Mark
}

// MaxNetworks is how many networks a token may list.
const MaxNetworks = 50

// ValidAt reports whether the token may still be used: a token is good until
// its expiry, and not at it.
func (t Token) ValidAt(now time.Time) bool {
	return t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt)
}

// Matches reports, in constant time, whether d is the digest of the token's
// value at now, or of the value before a refresh that is still good then.
func (t *Token) Matches(d Digest, now time.Time) bool {
	own := t.Digest.Equal(d)
	if t.PreviousUntil.IsZero() {
		return own
	}
	previous := t.Previous.Equal(d)
	return own || previous && now.Before(t.PreviousUntil)
}
