package policy

import (
	"slices"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/token"
)

// Restriction is what an API token may do less than its group allows. Both hold
// at every request, whatever the group's policy has become since: a restriction
// never gives what the policy does not. The zero value restricts nothing.
type Restriction struct {
	// MaxLifetime bounds the tokens that are minted; zero is the group's.
	MaxLifetime iso8601.Duration
	// DefaultLifetime is how long one lives whose request does not say; zero is
	// the group's. Both maxima bound it.
	DefaultLifetime iso8601.Duration
	// NoCharts refuses requests with a `chart_id`.
	NoCharts bool
	// Embeds and Customers must match as well as the group's; empty is any.
	Embeds, Customers []Glob
	// OriginRequired and Origins are as in [Policy].
	OriginRequired bool
	Origins        []token.Origin
	// LimitFeatures makes Features a second ceiling; without it Features is the
	// zero value and means nothing.
	LimitFeatures bool
	Features      token.Features
	// PinnedKey is the one key to seal with. Beside another key that the group is
	// pinned to, nothing can be minted.
	PinnedKey key.ID
}

// IsZero reports whether r restricts nothing.
func (r Restriction) IsZero() bool {
	return r.MaxLifetime.IsZero() && r.DefaultLifetime.IsZero() && !r.NoCharts && len(r.Embeds) == 0 && len(r.Customers) == 0 &&
		!r.OriginRequired && len(r.Origins) == 0 && !r.LimitFeatures && r.Features == token.Features{} && r.PinnedKey == ""
}

// Check refuses what cannot be a restriction, with all that is wrong in an
// [*Invalid]. Whether a group allows more than it is another question:
// [Policy.Widened].
func (r Restriction) Check() error {
	var c checker
	c.globs(FieldEmbeds, r.Embeds)
	c.globs(FieldCustomers, r.Customers)
	c.origins(r.Origins)
	if r.LimitFeatures && !r.Features.Given() || !r.LimitFeatures && r.Features != (token.Features{}) {
		c.fault(FieldFeatures, token.FaultMalformed, "a list of features is a ceiling, and without one there is no list")
	}
	c.pinned(r.PinnedKey)
	return c.err()
}

// FaultWider is the code of what [Policy.Widened] finds.
const FaultWider = "wider_than_group"

// Widened lists what of r is wider than p, so that an API token is not made that
// promises what it cannot hold. Lifetimes are compared by
// [iso8601.Duration.MayOutlast]; whether a glob is wider than others is not
// looked at.
func (p Policy) Widened(r Restriction) []token.Fault {
	var c checker
	wider := func(field string, is bool, detail string) {
		if is {
			c.fault(field, FaultWider, detail)
		}
	}
	wider(FieldDefaultLifetime, r.DefaultLifetime.MayOutlast(p.MaxLifetime), "can be longer than the group's maximum lifetime "+p.MaxLifetime.String())
	wider(FieldMaxLifetime, r.MaxLifetime.MayOutlast(p.MaxLifetime), "can be longer than the group's maximum lifetime "+p.MaxLifetime.String())
	wider(FieldOrigins, len(p.Origins) > 0 && slices.ContainsFunc(r.Origins, func(o token.Origin) bool { return !slices.Contains(p.Origins, o) }),
		"has an origin that the group does not allow")
	wider(FieldFeatures, r.LimitFeatures && !r.Features.Within(p.Features), "allows more than the group's ceiling")
	wider(FieldPinnedKey, r.PinnedKey != "" && p.PinnedKey != "" && r.PinnedKey != p.PinnedKey, "is not the key that the group is pinned to")
	return c.faults
}
