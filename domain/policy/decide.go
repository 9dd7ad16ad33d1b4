package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"embedseal/domain/key"
	"embedseal/domain/token"
)

// The rules a request can break; docs/errors.md lists them.
const (
	RuleCustomer       = "customer_not_allowed"
	RuleEmbed          = "embed_not_allowed"
	RuleKey            = "key_not_allowed"
	RuleMaxLifetime    = "lifetime_too_long"
	RuleChart          = "chart_embedding_disabled"
	RuleFeature        = "feature_not_allowed"
	RuleOriginRequired = "origin_required"
	RuleOrigin         = "origin_not_allowed"
)

// Refusal is the error of a request that breaks rules: all of them at once, as
// faults whose code is the rule. In the mode [Clamp] those that could be clamped
// are not among them.
type Refusal struct {
	Broken []token.Fault
	// Request is what was asked for, for the audit record.
	Request token.Request
}

// Error implements error.
func (r *Refusal) Error() string {
	rules := make([]string, len(r.Broken))
	for i, f := range r.Broken {
		rules[i] = f.Code
	}
	return "policy refuses the request: " + strings.Join(rules, ", ")
}

// Decision is what a request gets.
type Decision struct {
	Claims token.Claims
	// KeyID is the key to seal with, pinned or asked for; empty is the group's
	// default.
	KeyID key.ID
	// Clamped says what was asked for and not given, in the order of the request's
	// members, as faults whose code is the rule. Without the mode [Clamp] it is
	// empty.
	Clamped []token.Fault
}

// Decide turns a request into the claims of a token that is issued at now, under
// the rules of the group and those of the API token together, or says in a
// [*Refusal] every rule it breaks. now is cut to whole seconds. A policy without
// lifetimes or of an unknown mode is refused with [ErrInvalid]. Neither p nor r is
// changed.
//
// In the mode [Clamp] four things are made narrower in place of being refused: a
// lifetime becomes the longest allowed, features become what they and the ceiling
// both allow, a missing origin becomes the only allowed one if there is just one,
// and another key becomes the pinned one. Nothing else is: a chart never becomes a
// whole dashboard, nor a customer another.
func Decide(p *Policy, r *Restriction, request token.Request, now time.Time) (Decision, error) {
	if err := p.usable(); err != nil {
		return Decision{}, err
	}
	j := judge{group: p, bearer: r}
	// In the order of token.Fields, which is that of the faults.
	j.globs(token.FieldProvidedID, RuleCustomer, request.Customer(), p.Customers, r.Customers)
	j.globs(token.FieldEmbedID, RuleEmbed, request.Embed(), p.Embeds, r.Embeds)
	keyID := j.key(request.KeyID())
	issued := now.UTC().Truncate(time.Second)
	expires := j.expiry(request, issued)
	j.chart(request.Chart())
	features := j.features(request.Features())
	origin := j.origin(request.Origin())
	if j.broken != nil {
		return Decision{}, &Refusal{Broken: j.broken, Request: request}
	}
	return Decision{
		Claims: token.Claims{
			Customer: request.Customer(), Embed: request.Embed(), Chart: request.Chart(),
			Features: features, DisableEditing: request.DisableEditing(), Origin: origin,
			IssuedAt: issued, ExpiresAt: expires,
		},
		KeyID: keyID, Clamped: j.clamped,
	}, nil
}

// judge holds a request to the rules of a group and of the bearer of an API
// token.
type judge struct {
	group           *Policy
	bearer          *Restriction
	broken, clamped []token.Fault
}

const (
	theGroup = "the group"
	theToken = "this API token"
)

func (j *judge) refuse(field, rule, why string) {
	j.broken = append(j.broken, token.Fault{Field: field, Code: rule, Detail: why})
}

// tooMuch refuses, or reports what was done in place of refusing.
func (j *judge) tooMuch(field, rule, why, done string) {
	if j.group.Mode != Clamp {
		j.refuse(field, rule, why)
		return
	}
	j.clamped = append(j.clamped, token.Fault{Field: field, Code: rule, Detail: why + "; " + done})
}

func (j *judge) globs(field, rule, id string, group, bearer []Glob) {
	if !matchAny(group, id) {
		j.refuse(field, rule, "is none that "+theGroup+" may mint for")
	} else if !matchAny(bearer, id) {
		j.refuse(field, rule, "is none that "+theToken+" may mint for")
	}
}

func (j *judge) key(asked key.ID) key.ID {
	pinned, whose := j.group.PinnedKey, theGroup
	switch own := j.bearer.PinnedKey; {
	case own == "" || own == pinned:
	case pinned == "":
		pinned, whose = own, theToken
	default:
		j.refuse(token.FieldKeyID, RuleKey, theToken+" is pinned to another key than its group: it can mint nothing")
		return ""
	}
	if pinned == "" || asked == pinned {
		return asked
	}
	if asked != "" {
		j.tooMuch(token.FieldKeyID, RuleKey, whose+" is pinned to another key", "that one is used")
	}
	return pinned
}

// expiry is when the token ends. A default above the maximum means the maximum:
// only what the caller asked for can be too much.
func (j *judge) expiry(request token.Request, issued time.Time) time.Time {
	latest, err := j.group.MaxLifetime.AddTo(issued)
	if err != nil {
		j.refuse(token.FieldExpiration, RuleMaxLifetime,
			"the group's maximum lifetime cannot be added to today's date: "+err.Error())
		return time.Time{}
	}
	longest, whose := j.group.MaxLifetime, theGroup
	if own := j.bearer.MaxLifetime; !own.IsZero() {
		// What ends beyond the year 9999 is no bound below the group's.
		if end, err := own.AddTo(issued); err == nil && end.Before(latest) {
			latest, longest, whose = end, own, theToken
		}
	}
	asked, said := request.Expiration(), true
	if asked.IsZero() {
		asked, said = j.group.DefaultLifetime, false
		if own := j.bearer.DefaultLifetime; !own.IsZero() {
			asked = own
		}
	}
	expires, err := asked.AddTo(issued)
	if err == nil && !expires.After(latest) {
		return expires
	}
	if said {
		j.tooMuch(token.FieldExpiration, RuleMaxLifetime,
			fmt.Sprintf("is longer than the maximum lifetime %s of %s", longest, whose), "cut to that")
	}
	return latest
}

func (j *judge) chart(id string) {
	switch {
	case id == "":
	case !j.group.ChartEmbedding:
		j.refuse(token.FieldChartID, RuleChart, "embedding a single chart is not enabled for "+theGroup)
	case j.bearer.NoCharts:
		j.refuse(token.FieldChartID, RuleChart, "embedding a single chart is not enabled for "+theToken)
	}
}

// features is what the token says. A request that says nothing asks for what is
// allowed, and gets it written out.
func (j *judge) features(asked token.Features) token.Features {
	ceiling := j.group.Features
	if j.bearer.LimitFeatures {
		ceiling = ceiling.Intersect(j.bearer.Features)
	}
	if !asked.Given() {
		return ceiling
	}
	if asked.Within(ceiling) {
		return asked
	}
	allowed := "nothing"
	if words := ceiling.Words(); len(words) > 0 {
		allowed = strings.Join(words, ", ")
	}
	j.tooMuch(token.FieldFeatures, RuleFeature, "asks for more than is allowed, which is "+allowed, "the rest is left out")
	return asked.Intersect(ceiling)
}

func (j *judge) origin(asked token.Origin) token.Origin {
	group, bearer := j.group.Origins, j.bearer.Origins
	if asked.IsZero() {
		if !j.group.OriginRequired && !j.bearer.OriginRequired && len(group) == 0 && len(bearer) == 0 {
			return asked
		}
		const why = "an origin is required"
		only, ok := j.onlyOrigin()
		if !ok {
			j.refuse(token.FieldEmbedOrigin, RuleOriginRequired, why)
			return asked
		}
		j.tooMuch(token.FieldEmbedOrigin, RuleOriginRequired, why, "the only allowed one is put in")
		return only
	}
	switch {
	case len(group) > 0 && !slices.Contains(group, asked):
		j.refuse(token.FieldEmbedOrigin, RuleOrigin, "is none that "+theGroup+" allows")
	case len(bearer) > 0 && !slices.Contains(bearer, asked):
		j.refuse(token.FieldEmbedOrigin, RuleOrigin, "is none that "+theToken+" allows")
	}
	return asked
}

// onlyOrigin is the one origin that the lists allow, if it is just one.
func (j *judge) onlyOrigin() (only token.Origin, ok bool) {
	candidates := j.group.Origins
	if len(candidates) == 0 {
		candidates = j.bearer.Origins
	}
	for _, o := range candidates {
		if len(j.bearer.Origins) > 0 && !slices.Contains(j.bearer.Origins, o) {
			continue
		}
		if ok && o != only {
			return token.Origin{}, false
		}
		only, ok = o, true
	}
	return only, ok && !only.IsZero()
}
