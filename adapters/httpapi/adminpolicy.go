package httpapi

import (
	"errors"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// limitsView is what the answers say of a policy and of a restriction alike.
type limitsView struct {
	DefaultLifetime *string       `json:"default_lifetime"`
	MaxLifetime     *string       `json:"max_lifetime"`
	ChartEmbedding  bool          `json:"chart_embedding"`
	Embeds          []policy.Glob `json:"embeds"`
	Customers       []policy.Glob `json:"customers"`
	OriginRequired  bool          `json:"origin_required"`
	Origins         []string      `json:"origins"`
	// Features are null where there is no ceiling.
	Features  []string `json:"features"`
	PinnedKey *string  `json:"pinned_key"`
}

type policyView struct {
	limitsView
	Mode string `json:"mode"`
}

func viewPolicy(p policy.Policy) policyView {
	return policyView{
		limitsView: limitsView{
			DefaultLifetime: span(p.DefaultLifetime), MaxLifetime: span(p.MaxLifetime), ChartEmbedding: p.ChartEmbedding,
			Embeds: list(p.Embeds), Customers: list(p.Customers), OriginRequired: p.OriginRequired,
			Origins: originTexts(p.Origins), Features: ceiling(p.Features), PinnedKey: orNull(p.PinnedKey),
		},
		Mode: p.Mode.String(),
	}
}

// viewRestriction is null for one that restricts nothing.
func viewRestriction(r policy.Restriction) *limitsView {
	if r.IsZero() {
		return nil
	}
	v := &limitsView{
		DefaultLifetime: span(r.DefaultLifetime), MaxLifetime: span(r.MaxLifetime), ChartEmbedding: !r.NoCharts,
		Embeds: list(r.Embeds), Customers: list(r.Customers), OriginRequired: r.OriginRequired,
		Origins: originTexts(r.Origins), PinnedKey: orNull(r.PinnedKey),
	}
	if r.LimitFeatures {
		v.Features = ceiling(r.Features)
	}
	return v
}

func ceiling(f token.Features) []string {
	if !f.Given() {
		return nil
	}
	return list(f.Words())
}

func originTexts(origins []token.Origin) []string {
	texts := make([]string, len(origins))
	for i, o := range origins {
		texts[i] = o.String()
	}
	return texts
}

// list is never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// span is a duration, and null for none.
func span(d iso8601.Duration) *string {
	if d.IsZero() {
		return nil
	}
	return new(d.String())
}

func orNull[T ~string](text T) *string {
	if text == "" {
		return nil
	}
	return new(string(text))
}

// limitMembers are those of a restriction; a policy has a mode as well.
func limitMembers() []string {
	return []string{
		policy.FieldDefaultLifetime, policy.FieldMaxLifetime, policy.FieldChartEmbedding, policy.FieldEmbeds, policy.FieldCustomers,
		policy.FieldOriginRequired, policy.FieldOrigins, policy.FieldFeatures, policy.FieldPinnedKey,
	}
}

func policyMembers() []string { return append(limitMembers(), policy.FieldMode) }

// steps are the members of a merge patch (RFC 7396) that were given, each with
// what it does to a P.
type steps[P any] []func(*P)

func (s steps[P]) apply(p P) P {
	for _, step := range s {
		step(&p)
	}
	return p
}

// member adds the step of one member: to what read makes of it, or back to
// without when it is null.
func member[P, T any](s *steps[P], f *form, name string, without T, read func(string) T, at func(*P) *T) {
	if !f.given(name) {
		return
	}
	value := without
	if !f.null(name) {
		value = read(name)
	}
	*s = append(*s, func(p *P) { *at(p) = value })
}

// policyPatch reads a policy's members into what they change of one.
func policyPatch(f *form) func(policy.Policy) policy.Policy {
	type P = policy.Policy
	var s steps[P]
	without := policy.Default()
	member(&s, f, policy.FieldDefaultLifetime, without.DefaultLifetime, f.duration, func(p *P) *iso8601.Duration { return &p.DefaultLifetime })
	member(&s, f, policy.FieldMaxLifetime, without.MaxLifetime, f.duration, func(p *P) *iso8601.Duration { return &p.MaxLifetime })
	member(&s, f, policy.FieldChartEmbedding, without.ChartEmbedding, f.yes, func(p *P) *bool { return &p.ChartEmbedding })
	member(&s, f, policy.FieldEmbeds, nil, f.globs, func(p *P) *[]policy.Glob { return &p.Embeds })
	member(&s, f, policy.FieldCustomers, nil, f.globs, func(p *P) *[]policy.Glob { return &p.Customers })
	member(&s, f, policy.FieldOriginRequired, without.OriginRequired, f.yes, func(p *P) *bool { return &p.OriginRequired })
	member(&s, f, policy.FieldOrigins, nil, f.origins, func(p *P) *[]token.Origin { return &p.Origins })
	member(&s, f, policy.FieldFeatures, without.Features, f.features, func(p *P) *token.Features { return &p.Features })
	member(&s, f, policy.FieldPinnedKey, without.PinnedKey, f.keyID, func(p *P) *key.ID { return &p.PinnedKey })
	member(&s, f, policy.FieldMode, without.Mode, f.mode, func(p *P) *policy.Mode { return &p.Mode })
	return s.apply
}

// restrictionPatch is policyPatch for a restriction.
func restrictionPatch(f *form) func(policy.Restriction) policy.Restriction {
	type R = policy.Restriction
	var s steps[R]
	var without R
	member(&s, f, policy.FieldDefaultLifetime, without.DefaultLifetime, f.duration, func(r *R) *iso8601.Duration { return &r.DefaultLifetime })
	member(&s, f, policy.FieldMaxLifetime, without.MaxLifetime, f.duration, func(r *R) *iso8601.Duration { return &r.MaxLifetime })
	member(&s, f, policy.FieldChartEmbedding, false, func(name string) bool { return !f.yes(name) }, func(r *R) *bool { return &r.NoCharts })
	member(&s, f, policy.FieldEmbeds, nil, f.globs, func(r *R) *[]policy.Glob { return &r.Embeds })
	member(&s, f, policy.FieldCustomers, nil, f.globs, func(r *R) *[]policy.Glob { return &r.Customers })
	member(&s, f, policy.FieldOriginRequired, false, f.yes, func(r *R) *bool { return &r.OriginRequired })
	member(&s, f, policy.FieldOrigins, nil, f.origins, func(r *R) *[]token.Origin { return &r.Origins })
	member(&s, f, policy.FieldFeatures, false, func(string) bool { return true }, func(r *R) *bool { return &r.LimitFeatures })
	member(&s, f, policy.FieldFeatures, token.Features{}, f.features, func(r *R) *token.Features { return &r.Features })
	member(&s, f, policy.FieldPinnedKey, without.PinnedKey, f.keyID, func(r *R) *key.ID { return &r.PinnedKey })
	return s.apply
}

// patched is what replaces a policy: the patch of the one there is, or of the
// default when the whole is given.
func patched(patch func(policy.Policy) policy.Policy, whole bool) func(policy.Policy) (policy.Policy, error) {
	return func(p policy.Policy) (policy.Policy, error) {
		if whole {
			p = policy.Default()
		}
		return patch(p), nil
	}
}

// yes is a member that is true.
func (f *form) yes(name string) bool {
	b := f.flag(name)
	return b != nil && *b
}

func (f *form) globs(name string) []policy.Glob {
	return each(f, name, policy.MaxGlobs, policy.ParseGlob)
}

func (f *form) origins(name string) []token.Origin {
	return each(f, name, policy.MaxGlobs, token.ParseOrigin)
}

func (f *form) features(name string) token.Features {
	words := f.texts(name, 16)
	if words == nil {
		return token.Features{}
	}
	features, err := token.ParseFeatures(words)
	if err != nil {
		f.fault(name, token.FaultUnknown, err.Error())
	}
	return features
}

func (f *form) keyID(name string) key.ID {
	s := f.text(name)
	if s == nil {
		return ""
	}
	id, err := key.ParseID(*s)
	if what := misplaced(*s); what != "" {
		err = errors.New(what)
	}
	f.check(name, err)
	return id
}

func (f *form) mode(name string) policy.Mode {
	s := f.text(name)
	if s == nil {
		return policy.Reject
	}
	mode, err := policy.ParseMode(*s)
	if err != nil {
		f.fault(name, token.FaultUnknown, "must be reject or clamp")
	}
	return mode
}

// within says in which member of the body the faults of a policy or a restriction
// are; empty for the body itself.
func within(member string, err error) error {
	var invalid *policy.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	faults := make([]token.Fault, len(invalid.Faults))
	for i, fault := range invalid.Faults {
		if member != "" {
			fault.Field = member + "." + fault.Field
		}
		faults[i] = fault
	}
	return &failure{kind: kindInvalid, faults: faults, err: err}
}
