package app

import (
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
)

// Call says by which request a use-case was reached, for the audit record.
type Call struct {
	RequestID string
	// Remote is the peer's address without its port; empty for a local verb.
	Remote string
}

// Caller is who presented a valid API token: the group it acts in, as stored at
// that moment, and the token's record. The zero value is nobody.
type Caller struct {
	// group and token may be what a store keeps, and nothing of them is changed. They
	// are pointers since every request has a caller, who is handed on many times.
	group *group.Group
	token *apitoken.Token
	// value is the digest of what was presented, which a change looks for once more in
	// the record that it writes. Zero is nobody's.
	value apitoken.Digest
}

// NewCaller returns the caller who presented a value of the API token t of g. value is
// its digest, and zero where there was none; t is nil where there is none. Neither g nor
// t is changed afterwards.
func NewCaller(g *group.Group, t *apitoken.Token, value apitoken.Digest) Caller {
	return Caller{group: g, token: t, value: value}
}

// GroupID names the group; empty for nobody.
func (c Caller) GroupID() group.ID { return c.of().ID }

// Group is the group without its API tokens: those of others are none of the
// caller's business.
func (c Caller) Group() group.Group {
	g := *c.of()
	g.Tokens = nil
	return g
}

// TokenID names the API token; empty for nobody.
func (c Caller) TokenID() string { return c.by().ID }

// Token is the record of the API token. It expires with the value that was
// presented: with the overlap, where that is the value before a refresh.
func (c Caller) Token() apitoken.Token { return *c.by() }

// of is the group, to look at.
func (c Caller) of() *group.Group {
	if c.group == nil {
		return &group.Group{}
	}
	return c.group
}

// by is the API token, to look at.
func (c Caller) by() *apitoken.Token {
	if c.token == nil {
		return &apitoken.Token{}
	}
	return c.token
}

// event is an audit event of this call by this caller. Either may be zero.
func (c Call) event(by Caller, action audit.Action, outcome audit.Outcome) audit.Event {
	return audit.Event{
		RequestID: c.RequestID, Remote: c.Remote,
		Group: string(by.GroupID()), TokenID: by.TokenID(),
		Action: action, Outcome: outcome,
	}
}
