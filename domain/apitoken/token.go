package apitoken

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"embedseal/domain/label"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
)

// Token is what a group's record keeps of an API token: everything but its
// text. What each request reads of it stands first, and near together.
type Token struct {
	// ID names the token in audit records. It is not secret, and unique in its
	// group.
	ID     string
	Digest Digest
	Scopes Scopes
	// PreviousUntil is when Previous ends, and zero where there is none. ExpiresAt is
	// when the token ends, and zero for never. Both are in UTC, to the second.
	PreviousUntil, ExpiresAt time.Time
	// LastUsedAt is the hour, in UTC, in which the token was last used. It is
	// written seldom, and may lag behind by more than an hour.
	LastUsedAt time.Time
	// Networks are where the token may be used from; empty is anywhere. At most
	// [MaxNetworks], without host bits. The slice is never changed in place.
	Networks []netip.Prefix
	// Restriction is what the token may do less than its group; the zero value
	// restricts nothing.
	Restriction policy.Restriction
	// Previous is the value before a refresh, good until PreviousUntil and not at
	// it. Both are zero when there is none.
	Previous Digest
	// CreatedAt is in UTC, to the second.
	CreatedAt time.Time
	// Name is the operator's word for it.
	Name string
	// Creation marks the request that made the token, Refreshing the one that last
	// gave it a new value.
	Creation, Refreshing replay.Mark
}

// MaxNetworks is how many networks a token may list.
const MaxNetworks = 50

// ErrInvalid is wrapped by the refusal of a token that nobody could use, or that
// could not be told from others.
var ErrInvalid = errors.New("invalid API token")

// Check refuses a token without an id, a digest or a scope, with a name that is
// none, with networks that [ParseNetworks] would not have made, or with a
// restriction that is none (a [*policy.Invalid] too). The error wraps
// [ErrInvalid] and holds nothing of the name.
func (t Token) Check() error {
	switch {
	case t.ID == "" || t.Digest == Digest{}:
		return fmt.Errorf("%w: it needs an id and a value", ErrInvalid)
	case t.Scopes == 0 || t.Scopes&^All != 0:
		return fmt.Errorf("%w: it needs a scope, and known ones only", ErrInvalid)
	case (t.Previous == Digest{}) != t.PreviousUntil.IsZero():
		return fmt.Errorf("%w: the value before a refresh and its end go together", ErrInvalid)
	}
	if err := label.CheckName(t.Name); err != nil {
		return fmt.Errorf("%w: its name: %w", ErrInvalid, err)
	}
	if err := checkNetworks(t.Networks); err != nil {
		return err
	}
	if err := t.Restriction.Check(); err != nil {
		return fmt.Errorf("%w: its restriction: %w", ErrInvalid, err)
	}
	return nil
}

// ValidAt reports whether the token may still be used: a token is good until
// its expiry, and not at it.
func (t *Token) ValidAt(now time.Time) bool {
	return t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt)
}

// AllowsFrom reports whether the token may be used from addr. An IPv4 address
// that is written as an IPv6 one is the IPv4 address; of an IPv6 address the zone
// does not count. A token with networks may not be used from an address that is
// not known (the zero Addr).
func (t *Token) AllowsFrom(addr netip.Addr) bool {
	if len(t.Networks) == 0 {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, network := range t.Networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// Matches reports, in constant time, whether d is the digest of the token's
// value at now, or of the value before a refresh that is still good then.
func (t *Token) Matches(d *Digest, now time.Time) bool {
	own := t.Digest.equal(d)
	if t.PreviousUntil.IsZero() {
		return own
	}
	previous := t.Previous.equal(d)
	return own || previous && now.Before(t.PreviousUntil)
}

// Through is the token as whoever presents the value of that digest has it: with
// the value before a refresh it ends no later than the overlap. It is t itself where
// that makes no difference.
func (t *Token) Through(d Digest) *Token {
	if t.Digest.equal(&d) || !t.ExpiresAt.IsZero() && !t.PreviousUntil.Before(t.ExpiresAt) {
		return t
	}
	shorter := *t
	shorter.ExpiresAt = t.PreviousUntil
	return &shorter
}

// Refreshed is the token with another value. The one it had stays good until the
// given instant, which is in UTC, to the second; a zero or past one ends it now.
// One from before that, whose time is not over yet, ends now either way.
func (t Token) Refreshed(next Digest, now, previousUntil time.Time) Token {
	t.Previous, t.PreviousUntil = Digest{}, time.Time{}
	if previousUntil.After(now) {
		t.Previous, t.PreviousUntil = t.Digest, previousUntil
	}
	t.Digest = next
	return t
}

// UsedAt is the token with the hour of a use, if that is later than the one it
// has; changed says whether it is.
func (t Token) UsedAt(at time.Time) (used Token, changed bool) {
	if hour := HourOf(at); hour.After(t.LastUsedAt) {
		t.LastUsedAt = hour
		return t, true
	}
	return t, false
}

// HourOf is the hour that a use is recorded as: its beginning, in UTC.
func HourOf(at time.Time) time.Time { return at.UTC().Truncate(time.Hour) }
