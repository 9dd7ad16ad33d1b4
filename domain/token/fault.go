package token

import "strings"

// Fault is one thing wrong with one field of a request.
type Fault struct {
	// Field is the name on the wire.
	Field string
	// Code is stable: one of the Fault… constants.
	Code string
	// Detail says in words what is wrong and what would be right. It never
	// repeats a value, which may be a secret in the wrong place.
	Detail string
}

// The codes of faults; docs/errors.md lists them.
const (
	FaultRequired    = "required"
	FaultWrongType   = "wrong_type"
	FaultTooLong     = "too_long"
	FaultMalformed   = "malformed"
	FaultNotPositive = "not_positive"
	FaultOverflow    = "overflow"
	FaultUnknown     = "unknown_value"
	FaultMember      = "unknown_member"
)

// Invalid is the error of a request with faults: all of them at once.
type Invalid struct{ Faults []Fault }

// Error implements error.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Field + ": " + f.Detail
	}
	return "invalid request: " + strings.Join(parts, "; ")
}
