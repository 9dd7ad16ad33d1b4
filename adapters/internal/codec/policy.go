package codec

import (
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// policyDocument is what it was before there were more rules than three, as long
// as no further one is set.
type policyDocument struct {
	DefaultLifetime string `json:"default_lifetime"`
	MaxLifetime     string `json:"max_lifetime"`
	ChartEmbedding  bool   `json:"chart_embedding"`

	limitsDocument

	Mode string `json:"mode,omitempty"`
}

// restrictionDocument is what an API token may do less than its group.
type restrictionDocument struct {
	DefaultLifetime string `json:"default_lifetime,omitempty"`
	MaxLifetime     string `json:"max_lifetime,omitempty"`
	NoCharts        bool   `json:"no_charts,omitempty"`

	limitsDocument
}

// limitsDocument is what both may have. Features that are absent are no ceiling,
// and the opposite of an empty list.
type limitsDocument struct {
	Embeds         []string  `json:"embeds,omitempty"`
	Customers      []string  `json:"customers,omitempty"`
	OriginRequired bool      `json:"origin_required,omitempty"`
	Origins        []string  `json:"origins,omitempty"`
	Features       *[]string `json:"features,omitempty"`
	PinnedKey      string    `json:"pinned_key,omitempty"`
}

// documentOfPolicy is the document of a policy that was checked.
func documentOfPolicy(p policy.Policy) policyDocument {
	d := policyDocument{
		DefaultLifetime: p.DefaultLifetime.String(),
		MaxLifetime:     p.MaxLifetime.String(),
		ChartEmbedding:  p.ChartEmbedding,
		limitsDocument: limitsDocument{
			Embeds: texts(p.Embeds), Customers: texts(p.Customers), OriginRequired: p.OriginRequired,
			Origins: originTexts(p.Origins), Features: words(p.Features), PinnedKey: string(p.PinnedKey),
		},
	}
	if p.Mode != policy.Reject {
		d.Mode = p.Mode.String()
	}
	return d
}

// policy is false for a document of which no policy was written.
func (d policyDocument) policy() (policy.Policy, bool) {
	p := policy.Policy{
		ChartEmbedding: d.ChartEmbedding, OriginRequired: d.OriginRequired, PinnedKey: key.ID(d.PinnedKey),
		Embeds: globs(d.Embeds), Customers: globs(d.Customers),
	}
	var ok [4]bool
	p.DefaultLifetime, ok[0] = fromDuration(d.DefaultLifetime)
	p.MaxLifetime, ok[1] = fromDuration(d.MaxLifetime)
	p.Origins, ok[2] = origins(d.Origins)
	p.Features, ok[3] = features(d.Features)
	if ok != [4]bool{true, true, true, true} {
		return policy.Policy{}, false
	}
	if d.Mode != "" {
		mode, err := policy.ParseMode(d.Mode)
		if err != nil {
			return policy.Policy{}, false
		}
		p.Mode = mode
	}
	return p, p.Check() == nil
}

// documentOfRestriction is the document of a restriction; nil of one that
// restricts nothing. It fails when the restriction could not be read back as it is.
func documentOfRestriction(r policy.Restriction) (*restrictionDocument, bool) {
	if r.IsZero() {
		return nil, true
	}
	d := restrictionDocument{
		DefaultLifetime: r.DefaultLifetime.String(), MaxLifetime: r.MaxLifetime.String(), NoCharts: r.NoCharts,
		limitsDocument: limitsDocument{
			Embeds: texts(r.Embeds), Customers: texts(r.Customers), OriginRequired: r.OriginRequired,
			Origins: originTexts(r.Origins), PinnedKey: string(r.PinnedKey),
		},
	}
	if r.LimitFeatures {
		d.Features = words(r.Features)
	}
	return &d, r.Check() == nil
}

// restriction is false for a document of which no restriction was written.
func (d *restrictionDocument) restriction() (policy.Restriction, bool) {
	if d == nil {
		return policy.Restriction{}, true
	}
	r := policy.Restriction{
		NoCharts: d.NoCharts, OriginRequired: d.OriginRequired, PinnedKey: key.ID(d.PinnedKey),
		Embeds: globs(d.Embeds), Customers: globs(d.Customers), LimitFeatures: d.Features != nil,
	}
	var ok [4]bool
	r.DefaultLifetime, ok[0] = fromDuration(d.DefaultLifetime)
	r.MaxLifetime, ok[1] = fromDuration(d.MaxLifetime)
	r.Origins, ok[2] = origins(d.Origins)
	ok[3] = true
	if r.LimitFeatures {
		r.Features, ok[3] = features(d.Features)
	}
	return r, ok == [4]bool{true, true, true, true} && r.Check() == nil
}

func texts(globs []policy.Glob) []string {
	var list []string
	for _, g := range globs {
		list = append(list, string(g))
	}
	return list
}

// globs are checked with what they are part of.
func globs(texts []string) []policy.Glob {
	var list []policy.Glob
	for _, s := range texts {
		list = append(list, policy.Glob(s))
	}
	return list
}

func originTexts(origins []token.Origin) []string {
	var list []string
	for _, o := range origins {
		list = append(list, o.String())
	}
	return list
}

func origins(texts []string) ([]token.Origin, bool) {
	var list []token.Origin
	for _, s := range texts {
		o, err := token.ParseOrigin(s)
		if err != nil {
			return nil, false
		}
		list = append(list, o)
	}
	return list, true
}

// words are nil, and left out, only for features that set no ceiling.
func words(f token.Features) *[]string {
	if !f.Given() {
		return nil
	}
	list := f.Words()
	return &list
}

func features(words *[]string) (token.Features, bool) {
	if words == nil {
		return token.UnsetFeatures(), true
	}
	f, err := token.ParseFeatures(*words)
	return f, err == nil
}
