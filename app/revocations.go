package app

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// Revocations says which tokens were taken back before their time. It is asked
// for every token that is good otherwise, so it answers from memory.
type Revocations interface {
	// Revoked reports whether a token of the group was taken back: the token itself,
	// all of its customer, its embed or its key. A token without a time of issue
	// counts as issued before any instant.
	//
	// Errors: ports.ErrUnavailable (and those that wrap it) when what is known is too
	// old to say. It is safe for concurrent use.
	Revoked(ctx context.Context, g group.ID, f token.Fingerprint, c token.Claims, id key.ID) (bool, error)
}

// NothingRevoked is Revocations where nothing is ever taken back: a token that is
// taken apart without a server.
type NothingRevoked struct{}

// Revoked implements [Revocations].
func (NothingRevoked) Revoked(context.Context, group.ID, token.Fingerprint, token.Claims, key.ID) (bool, error) {
	return false, nil
}
