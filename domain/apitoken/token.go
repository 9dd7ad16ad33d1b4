package apitoken

import "time"

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
}

// ValidAt reports whether the token may still be used: a token is good until
// its expiry, and not at it.
func (t Token) ValidAt(now time.Time) bool {
	return t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt)
}
