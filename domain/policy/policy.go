// Package policy answers: does the group's rules allow this request, and what
// goes into its token?
package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"embedseal/domain/iso8601"
	"embedseal/domain/token"
)

// ErrInvalid is wrapped by the refusal of a policy that contradicts itself.
var ErrInvalid = errors.New("invalid policy")

// Policy is what a group allows. The zero value is not valid; begin with
// [Default].
type Policy struct {
	// DefaultLifetime is how long a token lives whose request does not say.
	DefaultLifetime iso8601.Duration
	// MaxLifetime bounds every token of the group, when it is minted and when
	// it is opened.
	MaxLifetime iso8601.Duration
	// ChartEmbedding allows requests with a `chart_id`.
	ChartEmbedding bool
}

// Default is what a new group allows: 24 hours unless the caller says
// otherwise, 30 days at most, no single charts.
func Default() Policy {
	day, err := iso8601.Parse("PT24H")
	month, err2 := iso8601.Parse("P30D")
	if err != nil || err2 != nil { // both are constants that a test parses
		return Policy{}
	}
	return Policy{DefaultLifetime: day, MaxLifetime: month}
}

// Check refuses a policy without lifetimes. The error wraps [ErrInvalid].
func (p Policy) Check() error {
	if p.DefaultLifetime.IsZero() || p.MaxLifetime.IsZero() {
		return fmt.Errorf("%w: the default and the maximum lifetime must be set", ErrInvalid)
	}
	return nil
}

// The rules a request can break; docs/errors.md lists them.
const (
	RuleMaxLifetime = "lifetime_too_long"
	RuleChart       = "chart_embedding_disabled"
)

// Refusal is the error of a request that breaks rules: all of them at once, as
// faults whose code is the rule.
type Refusal struct{ Broken []token.Fault }

// Error implements error.
func (r *Refusal) Error() string {
	rules := make([]string, len(r.Broken))
	for i, f := range r.Broken {
		rules[i] = f.Code
	}
	return "policy refuses the request: " + strings.Join(rules, ", ")
}

// Apply turns a request into the claims of a token that is issued at now, or
// says in a [*Refusal] every rule it breaks. now is cut to whole seconds.
func Apply(p Policy, r token.Request, now time.Time) (token.Claims, error) {
	if err := p.Check(); err != nil {
		return token.Claims{}, err
	}
	issued := now.UTC().Truncate(time.Second)
	var broken []token.Fault
	expires, err := p.expiry(r, issued)
	if err != nil {
		broken = append(broken, token.Fault{Field: token.FieldExpiration, Code: RuleMaxLifetime, Detail: err.Error()})
	}
	if r.Chart() != "" && !p.ChartEmbedding {
		broken = append(broken, token.Fault{
			Field: token.FieldChartID, Code: RuleChart,
			Detail: "embedding a single chart is not enabled for this group",
		})
	}
	if broken != nil {
		return token.Claims{}, &Refusal{Broken: broken}
	}
	return token.Claims{
		Customer: r.Customer(), Embed: r.Embed(), Chart: r.Chart(),
		Features: r.Features(), DisableEditing: r.DisableEditing(), Origin: r.Origin(),
		IssuedAt: issued, ExpiresAt: expires,
	}, nil
}

// expiry is when the token ends. A default above the maximum means the maximum:
// only what the caller asked for can be too much.
func (p Policy) expiry(r token.Request, issued time.Time) (time.Time, error) {
	latest, err := p.MaxLifetime.AddTo(issued)
	if err != nil {
		return time.Time{}, fmt.Errorf("the group's maximum lifetime cannot be added to today's date: %w", err)
	}
	asked := r.Expiration()
	if asked.IsZero() {
		expires, err := p.DefaultLifetime.AddTo(issued)
		if err != nil || expires.After(latest) {
			return latest, nil
		}
		return expires, nil
	}
	expires, err := asked.AddTo(issued)
	if err != nil || expires.After(latest) {
		return time.Time{}, fmt.Errorf("is longer than the group's maximum lifetime %s", p.MaxLifetime)
	}
	return expires, nil
}
