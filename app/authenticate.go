package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

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

// LackingError is the [ErrScope] of a caller to whom scopes are missing; it tells
// the caller nothing that its own token does not.
type LackingError struct{ Lacks apitoken.Scopes }

// Error names the scopes.
func (e *LackingError) Error() string { return fmt.Sprintf("%v %s", ErrScope, e.Lacks) }

// Unwrap returns [ErrScope].
func (e *LackingError) Unwrap() error { return ErrScope }

// Authenticator finds out who calls.
type Authenticator struct {
	groups ports.GroupStore
	view   func(context.Context, group.ID) (*group.Group, error)
	expect func(id string) // nil where nobody wants to know
	uses   *LastUse
	clock  ports.Clock
}

// NewAuthenticator returns an Authenticator that tells uses of each token that
// was used.
func NewAuthenticator(groups ports.GroupStore, uses *LastUse, clock ports.Clock) *Authenticator {
	a := &Authenticator{groups: groups, uses: uses, clock: clock}
	if expecter, ok := groups.(ports.Expecter); ok {
		a.expect = func(id string) { expecter.Expect(group.ID(id)) }
	}
	if viewer, ok := groups.(ports.Viewer); ok {
		a.view = viewer.View
		return a
	}
	a.view = func(ctx context.Context, id group.ID) (*group.Group, error) {
		g, err := groups.Group(ctx, id)
		return &g, err
	}
	return a
}

// Parse is [apitoken.Parse] of a text that is about to be authenticated: while it is
// computed what it hashes to, what is known of its group is fetched.
func (a *Authenticator) Parse(text string) (apitoken.Presented, error) {
	return apitoken.ParseAnnouncing(text, a.expect)
}

// Asks reports whether authenticating what was presented means asking the backend
// about a group that nothing is known of yet. Anybody can write a text with a right
// checksum that names an invented group: whoever counts failures may want to look
// at the count first.
func (a *Authenticator) Asks(presented apitoken.Presented) bool {
	knower, ok := a.groups.(ports.Knower)
	if !ok {
		return false
	}
	return !knower.Knows(group.ID(presented.Group()))
}

// Authenticate returns who presented text from remote, and whether that token may
// do what is needed. The value before a refresh counts until its overlap ends. A
// text with a wrong checksum costs no store call; a group that does not exist, a
// token that does not, one that has expired and one that may not be used from this
// address are the same to the caller, and cost the same once the group is read.
//
// With [ErrScope] the Caller is filled in, so that the refusal can be recorded.
// Other errors: [ErrUnauthenticated], or what the store answers.
func (a *Authenticator) Authenticate(ctx context.Context, text string, need apitoken.Scopes, remote netip.Addr) (Caller, error) {
	presented, err := a.Parse(text)
	if err != nil {
		return Caller{}, ErrUnauthenticated
	}
	return a.Identify(ctx, presented, need, remote)
}

// Identify is [Authenticator.Authenticate] for a text that was parsed.
func (a *Authenticator) Identify(ctx context.Context, presented apitoken.Presented, need apitoken.Scopes, remote netip.Addr) (Caller, error) {
	id, err := group.ParseID(presented.Group())
	if err != nil {
		return Caller{}, ErrUnauthenticated
	}
	g, err := a.view(ctx, id)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return Caller{}, fmt.Errorf("read group %s: %w", id, err)
	}
	if err != nil {
		g = &group.Group{} // which has no token either
	}
	now := a.clock.Now()
	t, found := g.Token(presented.Digest(), now)
	valid, near := t.ValidAt(now), t.AllowsFrom(remote)
	if !found || !valid || !near {
		return Caller{}, ErrUnauthenticated
	}
	a.uses.note(g.ID, t, now)
	caller := NewCaller(g, t.Through(presented.Digest()), presented.Digest())
	if !t.Scopes.Has(need) {
		return caller, &LackingError{Lacks: need &^ t.Scopes}
	}
	return caller, nil
}
