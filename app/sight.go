package app

import (
	"net/netip"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// The types below are what tags are made of: what an administrator sees of a
// record and a store keeps.

type groupSight struct {
	ID, Name             string
	Created              time.Time
	RotateEvery, Overlap string
	Policy               policySight
}

type policySight struct {
	limitsSight
	Charts bool
	Mode   string
}

// limitsSight is what a policy and a restriction have alike. Features are null
// where there is no ceiling.
type limitsSight struct {
	DefaultLifetime, MaxLifetime string
	Embeds, Customers            []policy.Glob `json:",omitempty"`
	OriginRequired               bool
	Origins                      []string `json:",omitempty"`
	Features                     []string
	PinnedKey                    key.ID
}

type restrictionSight struct {
	limitsSight
	NoCharts bool
}

type tokenSight struct {
	ID, Name                        string
	Scopes                          string
	Created, Expires, PreviousUntil time.Time
	Networks                        []netip.Prefix `json:",omitempty"`
	Restriction                     restrictionSight
	// Digest makes a refresh a change that can be seen.
	Digest apitoken.Digest
}

func tagOfGroup(g group.Group) Tag {
	return TagOf(groupSight{
		ID: string(g.ID), Name: g.Name, Created: g.CreatedAt.UTC(),
		RotateEvery: g.RotateEvery.String(), Overlap: g.Overlap.String(), Policy: sightOfPolicy(g.Policy),
	})
}

func tagOfPolicy(p policy.Policy) Tag { return TagOf(sightOfPolicy(p)) }

func sightOfPolicy(p policy.Policy) policySight {
	return policySight{
		limitsSight: limitsSight{
			DefaultLifetime: p.DefaultLifetime.String(), MaxLifetime: p.MaxLifetime.String(),
			Embeds: p.Embeds, Customers: p.Customers, OriginRequired: p.OriginRequired, Origins: texts(p.Origins),
			Features: words(p.Features), PinnedKey: p.PinnedKey,
		},
		Charts: p.ChartEmbedding, Mode: p.Mode.String(),
	}
}

func sightOfRestriction(r policy.Restriction) restrictionSight {
	sight := restrictionSight{
		limitsSight: limitsSight{
			DefaultLifetime: r.DefaultLifetime.String(), MaxLifetime: r.MaxLifetime.String(),
			Embeds: r.Embeds, Customers: r.Customers, OriginRequired: r.OriginRequired, Origins: texts(r.Origins),
			PinnedKey: r.PinnedKey,
		},
		NoCharts: r.NoCharts,
	}
	if r.LimitFeatures {
		sight.Features = words(r.Features)
	}
	return sight
}

func words(f token.Features) []string {
	if !f.Given() {
		return nil
	}
	return append([]string{}, f.Words()...)
}

func texts(origins []token.Origin) []string {
	var list []string
	for _, o := range origins {
		list = append(list, o.String())
	}
	return list
}

func tagOfToken(t apitoken.Token) Tag {
	return TagOf(tokenSight{
		ID: t.ID, Name: t.Name, Scopes: t.Scopes.String(), Created: t.CreatedAt.UTC(), Expires: t.ExpiresAt.UTC(),
		PreviousUntil: t.PreviousUntil.UTC(), Networks: t.Networks,
		Restriction: sightOfRestriction(t.Restriction), Digest: t.Digest,
	})
}
