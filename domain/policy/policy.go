// Package policy answers: do the rules of the group and of the API token allow
// this request, and what goes into its token?
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// ErrInvalid is wrapped by the refusal of a policy or a restriction that
// contradicts itself.
var ErrInvalid = errors.New("invalid policy")

// Policy is what a group allows. The zero value is not valid; begin with
// [Default]. The slices of a policy that was handed out are never changed in
// place.
type Policy struct {
	// DefaultLifetime is how long a token lives whose request does not say.
	DefaultLifetime iso8601.Duration
	// MaxLifetime bounds every token of the group, when it is minted and when
	// it is opened.
	MaxLifetime iso8601.Duration
	// ChartEmbedding allows requests with a `chart_id`.
	ChartEmbedding bool
	// Embeds and Customers are what `embed_id` and `provided_id` may be: one of
	// the globs must match. Empty is any.
	Embeds, Customers []Glob
	// OriginRequired refuses tokens that are bound to no origin.
	OriginRequired bool
	// Origins are those that a token may be bound to; empty is any. A list means
	// that one is required: a token bound to none can be used everywhere.
	Origins []token.Origin
	// Features is the ceiling of what an end user may do in a report builder. The
	// zero value allows nothing; [token.UnsetFeatures] sets no ceiling.
	Features token.Features
	// PinnedKey is the one key that seals the group's tokens; empty pins none.
	PinnedKey key.ID
	// Mode says what becomes of a request that asks for too much.
	Mode Mode
}

// Mode is what becomes of a request that asks for more than the rules allow. The
// zero value refuses it.
type Mode uint8

// The modes.
const (
	// Reject refuses the request and names every rule it breaks.
	Reject Mode = iota
	// Clamp gives less than was asked for and says so, where less is an honest
	// answer; otherwise it refuses.
	Clamp
)

// String returns the name that records and answers use.
func (m Mode) String() string {
	switch m {
	case Reject:
		return "reject"
	case Clamp:
		return "clamp"
	}
	return "unknown"
}

// ParseMode is the inverse of [Mode.String]. The error wraps [ErrInvalid].
func ParseMode(name string) (Mode, error) {
	for _, m := range []Mode{Reject, Clamp} {
		if m.String() == name {
			return m, nil
		}
	}
	return Reject, fmt.Errorf("%w: a mode is reject or clamp", ErrInvalid)
}

// The names of a policy's members in records, answers and faults.
const (
	FieldDefaultLifetime = "default_lifetime"
	FieldMaxLifetime     = "max_lifetime"
	FieldChartEmbedding  = "chart_embedding"
	FieldEmbeds          = "embeds"
	FieldCustomers       = "customers"
	FieldOriginRequired  = "origin_required"
	FieldOrigins         = "origins"
	FieldFeatures        = "features"
	FieldPinnedKey       = "pinned_key"
	FieldMode            = "mode"
)

// Default is what a new group allows: 24 hours unless the caller says
// otherwise, 30 days at most, no single charts, and no further rule.
func Default() Policy {
	day, err := iso8601.Parse("PT24H")
	month, err2 := iso8601.Parse("P30D")
	if err != nil || err2 != nil { // both are constants that a test parses
		return Policy{}
	}
	return Policy{DefaultLifetime: day, MaxLifetime: month, Features: token.UnsetFeatures()}
}

// Invalid is the error of a policy or a restriction with faults: all of them at
// once. It wraps [ErrInvalid].
type Invalid struct{ Faults []token.Fault }

// Error implements error.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Field + ": " + f.Detail
	}
	return ErrInvalid.Error() + ": " + strings.Join(parts, "; ")
}

// Unwrap gives ErrInvalid.
func (e *Invalid) Unwrap() error { return ErrInvalid }

// Check refuses what cannot be a policy, with all that is wrong in an
// [*Invalid].
func (p Policy) Check() error {
	var c checker
	c.required(FieldDefaultLifetime, p.DefaultLifetime)
	c.required(FieldMaxLifetime, p.MaxLifetime)
	c.globs(FieldEmbeds, p.Embeds)
	c.globs(FieldCustomers, p.Customers)
	c.origins(p.Origins)
	c.pinned(p.PinnedKey)
	if p.Mode > Clamp {
		c.fault(FieldMode, token.FaultUnknown, "must be reject or clamp")
	}
	return c.err()
}

// usable is what a decision asks of a policy. What else [Policy.Check] refuses
// allows nothing: a glob that is none matches nothing, and no request has such an
// origin or names such a key.
func (p *Policy) usable() error {
	if p.DefaultLifetime.IsZero() || p.MaxLifetime.IsZero() {
		return fmt.Errorf("%w: the default and the maximum lifetime must be set", ErrInvalid)
	}
	if p.Mode > Clamp {
		return fmt.Errorf("%w: its mode is unknown", ErrInvalid)
	}
	return nil
}

// checker collects faults.
type checker struct{ faults []token.Fault }

func (c *checker) fault(field, code, detail string) {
	c.faults = append(c.faults, token.Fault{Field: field, Code: code, Detail: detail})
}

func (c *checker) required(field string, d iso8601.Duration) {
	if d.IsZero() {
		c.fault(field, token.FaultRequired, "a duration is required")
	}
}

func (c *checker) globs(field string, globs []Glob) {
	if len(globs) > MaxGlobs {
		c.fault(field, token.FaultTooLong, fmt.Sprintf("has %d globs, at most %d are allowed", len(globs), MaxGlobs))
		return
	}
	for i, g := range globs {
		at := fmt.Sprintf("%s[%d]", field, i)
		if why := checkGlob(string(g)); why != "" {
			c.fault(at, token.FaultMalformed, why)
		} else if slices.Contains(globs[:i], g) {
			c.fault(at, token.FaultMalformed, "stands in the list twice")
		}
	}
}

func (c *checker) origins(origins []token.Origin) {
	if len(origins) > MaxGlobs {
		c.fault(FieldOrigins, token.FaultTooLong, fmt.Sprintf("has %d origins, at most %d are allowed", len(origins), MaxGlobs))
		return
	}
	for i, o := range origins {
		at := fmt.Sprintf("%s[%d]", FieldOrigins, i)
		if o.IsZero() {
			c.fault(at, token.FaultMalformed, "is no origin")
		} else if slices.Contains(origins[:i], o) {
			c.fault(at, token.FaultMalformed, "stands in the list twice")
		}
	}
}

func (c *checker) pinned(id key.ID) {
	if id == "" {
		return
	}
	if _, err := key.ParseID(string(id)); err != nil {
		c.fault(FieldPinnedKey, token.FaultMalformed, err.Error())
	}
}

func (c *checker) err() error {
	if c.faults == nil {
		return nil
	}
	return &Invalid{Faults: c.faults}
}
