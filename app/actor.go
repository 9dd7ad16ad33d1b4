package app

import (
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/ports"
)

// Right is one thing that an actor may do.
type Right apitoken.Scopes

// The rights of administration.
const (
	// ToRead: see groups, keys and API tokens, not their secrets.
	ToRead = Right(apitoken.Read)
	// ToWrite: change them.
	ToWrite = Right(apitoken.Write)
	// ToReveal: be given the value of an embed secret.
	ToReveal = Right(apitoken.Reveal)
)

// Actor is who administers: an operator, who acts in every group, or whoever
// presented an API token, who acts in its group only. The zero value may do
// nothing.
type Actor struct {
	// Operator names one for the audit log, such as "socket:uid=1000"; empty for an
	// API token.
	Operator string
	// Rights are the operator's; an API token has those of its scopes.
	Rights Right
	// Caller is the API token's.
	Caller Caller
}

// IsOperator reports whether the actor acts in every group.
func (a Actor) IsOperator() bool { return a.Operator != "" }

// May returns nil if the actor may do that in group g. To an API token another
// group is not there, whether it exists or not: ports.ErrNotFound, as for one that
// does not. Otherwise the error wraps [ErrScope].
func (a Actor) May(need Right, g group.ID) error {
	if !a.IsOperator() && g != a.Caller.GroupID() {
		return fmt.Errorf("%w: group %s", ports.ErrNotFound, g)
	}
	return a.may(need)
}

// MayEverywhere returns nil if the actor may do that in all groups, or with what
// belongs to none. The error wraps [ErrScope].
func (a Actor) MayEverywhere(need Right) error {
	if !a.IsOperator() {
		return fmt.Errorf("%w: this is for operators", ErrScope)
	}
	return a.may(need)
}

// in is the actor as the record g of its group has it at now, and nil if it may
// still do that there. Between the moment it authenticated and that of the change it
// may have been revoked, refreshed or narrowed: a body can be slow, and what another
// process reads stale. The error is [ErrUnauthenticated] or wraps [ErrScope].
func (a Actor) in(g group.Group, need Right, now time.Time) (Actor, error) {
	if a.IsOperator() {
		return a, nil
	}
	t, found := g.TokenOf(a.Caller.TokenID())
	if !found || !t.Matches(&a.Caller.value, now) || !t.ValidAt(now) {
		return Actor{}, ErrUnauthenticated
	}
	a.Caller.token = t.Through(a.Caller.value)
	return a, a.may(need)
}

func (a Actor) may(need Right) error {
	rights := a.Rights
	if !a.IsOperator() {
		rights = Right(a.Caller.by().Scopes)
	}
	if rights&need != need {
		return &LackingError{Lacks: apitoken.Scopes(need &^ rights)}
	}
	return nil
}
