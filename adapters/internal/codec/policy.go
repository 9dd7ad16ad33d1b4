package codec

import (
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
)

type policyDocument struct {
	DefaultLifetime string `json:"default_lifetime"`
	MaxLifetime     string `json:"max_lifetime"`
	ChartEmbedding  bool   `json:"chart_embedding"`
}

// documentOfPolicy is the document of a policy that was checked.
func documentOfPolicy(p policy.Policy) policyDocument {
	return policyDocument{
		DefaultLifetime: p.DefaultLifetime.String(),
		MaxLifetime:     p.MaxLifetime.String(),
		ChartEmbedding:  p.ChartEmbedding,
	}
}

// policy is false for a document of which no policy was written.
func (d policyDocument) policy() (policy.Policy, bool) {
	defaultLifetime, err := iso8601.Parse(d.DefaultLifetime)
	if err != nil {
		return policy.Policy{}, false
	}
	maxLifetime, err := iso8601.Parse(d.MaxLifetime)
	if err != nil {
		return policy.Policy{}, false
	}
	return policy.Policy{DefaultLifetime: defaultLifetime, MaxLifetime: maxLifetime, ChartEmbedding: d.ChartEmbedding}, true
}
