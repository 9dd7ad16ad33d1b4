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
// that moment, and the token's record.
type Caller struct {
	Group group.Group
	// Token expires with the value that was presented: with the overlap, where that is
	// the value before a refresh.
	Token apitoken.Token
	// Value is the digest of what was presented, which a change looks for once more in
	// the record that it writes. Zero is nobody's.
	Value apitoken.Digest
}

// event is an audit event of this call by this caller. Either may be zero.
func (c Call) event(by Caller, action audit.Action, outcome audit.Outcome) audit.Event {
	return audit.Event{
		RequestID: c.RequestID, Remote: c.Remote,
		Group: string(by.Group.ID), TokenID: by.Token.ID,
		Action: action, Outcome: outcome,
	}
}
