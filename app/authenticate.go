package app

import (
	"context"
	"errors"
	"fmt"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/ports"
)

// What Authenticate refuses with.
var (
	// ErrUnauthenticated: no such token. It says no more on purpose.
	ErrUnauthenticated = errors.New("the API token is not valid")
	// ErrScope: a valid token that may not do this.
	ErrScope = errors.New("the API token lacks the scope")
)

// Authenticator finds out who calls.
type Authenticator struct {
	groups ports.GroupStore
	clock  ports.Clock
}

// NewAuthenticator returns an Authenticator.
func NewAuthenticator(groups ports.GroupStore, clock ports.Clock) *Authenticator {
	return &Authenticator{groups: groups, clock: clock}
}

// Asks reports whether authenticating text means asking the backend about a
// group that nothing is known of yet. Anybody can write a text with a right
// checksum that names an invented group: whoever counts failures may want to look
// at the count first.
func (a *Authenticator) Asks(text string) bool {
	knower, ok := a.groups.(ports.Knower)
	if !ok {
		return false
	}
	presented, err := apitoken.Parse(text)
	return err == nil && !knower.Knows(group.ID(presented.Group()))
}

// Authenticate returns who presented text, and whether that token may do what
// is needed. A text with a wrong checksum costs no store call; a group that
// does not exist and a token that does not are the same to the caller.
//
// With [ErrScope] the Caller is filled in, so that the refusal can be recorded.
// Other errors: [ErrUnauthenticated], or what the store answers.
func (a *Authenticator) Authenticate(ctx context.Context, text string, need apitoken.Scopes) (Caller, error) {
	presented, err := apitoken.Parse(text)
	if err != nil {
		return Caller{}, ErrUnauthenticated
	}
	id, err := group.ParseID(presented.Group())
	if err != nil {
		return Caller{}, ErrUnauthenticated
	}
	g, err := a.groups.Group(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		return Caller{}, ErrUnauthenticated
	}
	if err != nil {
		return Caller{}, fmt.Errorf("read group %s: %w", id, err)
	}
	t, found := g.Token(presented.Digest(), a.clock.Now())
	if !found || !t.ValidAt(a.clock.Now()) {
		return Caller{}, ErrUnauthenticated
	}
	caller := Caller{Group: g, Token: t}
	if !t.Scopes.Has(need) {
		return caller, fmt.Errorf("%w %s", ErrScope, need)
	}
	return caller, nil
}
