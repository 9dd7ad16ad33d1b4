package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// policyView is a group's policy as the API shows it.
type policyView struct {
	DefaultLifetime string    `json:"default_lifetime"`
	MaxLifetime     string    `json:"max_lifetime"`
	ChartEmbedding  bool      `json:"chart_embedding"`
	Embeds          []string  `json:"embeds"`
	Customers       []string  `json:"customers"`
	OriginRequired  bool      `json:"origin_required"`
	Origins         []string  `json:"origins"`
	Features        *[]string `json:"features"`
	PinnedKey       *string   `json:"pinned_key"`
	Mode            string    `json:"mode"`
}

// policyMembers are what can be said in a policy.
func policyMembers(c *cobra.Command) *members {
	m := membersOfBody(c)
	lifetimeMembers(m)
	m.toggle("chart-embedding", "whether one chart may be embedded by itself")
	ruleMembers(m)
	m.text("mode", "what becomes of a request that breaks a rule: reject, or clamp, which cuts it down and says so")
	closed(c, "mode", modeNames()...)
	closed(c, "features", featureNames()...)
	return m
}

func lifetimeMembers(m *members) {
	m.text("default-lifetime", "how long a token lives whose request names no lifetime, an ISO 8601 duration such as P1D")
	m.text("max-lifetime", "the longest a token may live")
}

// ruleMembers are the rules that a policy and the restriction of a token share.
func ruleMembers(m *members) {
	m.texts("embeds", "pattern (*, ?) of dashboards that may be embedded, repeatable; any without one")
	m.texts("customers", "pattern (*, ?) of customers, repeatable; any without one")
	m.toggle("origin-required", "whether a request must name the page's origin")
	m.words("origins", "origins that may be named, repeatable; any without one")
	m.features("the most that a token may allow: flt, srt, core, crt-view, fork, or * alone")
	m.text("pinned-key", "id of the one key that seals")
}

// pairs are the lines of a policy for people.
func (v policyView) pairs() []string {
	features := "any"
	if v.Features != nil {
		features = orNone(*v.Features, "none: no editing")
	}
	origin := orNone(v.Origins, "any")
	if v.OriginRequired {
		origin += "; one is required"
	}
	charts := "no"
	if v.ChartEmbedding {
		charts = "yes"
	}
	key := "the default, or the one that is asked for"
	if v.PinnedKey != nil {
		key = *v.PinnedKey + " only"
	}
	return []string{
		"Lifetime", v.DefaultLifetime + " unless asked for, at most " + v.MaxLifetime,
		"Embeds", orNone(v.Embeds, "any"), "Customers", orNone(v.Customers, "any"), "Origins", origin,
		"Single charts", charts, "Features", features, "Sealed with", key, "Mode", v.Mode,
	}
}

func (p *program) policyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "Show a group's policy", Example: "  embedseal group policy show --group acme", Args: cobra.NoArgs,
	}
	group := groupFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		got, err := a.do(ctx, adminCall{method: http.MethodGet, path: at("groups", *group, "policy")})
		if err != nil {
			return err
		}
		return p.sayPolicy(got)
	})
}

func (p *program) sayPolicy(got reply) error {
	return show(p, got.body, func(v policyView) error { return p.list(append(v.pairs(), "ETag", untagged(got.tag))...) })
}

func (p *program) policySetCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "set", Short: "Set rules of a group's policy, or all of it from a file",
		Long: "set changes the rules that are given, and leaves the others. An empty value takes a rule back to its default.\n" +
			"With --policy-file the whole policy is replaced by the JSON of the file: what it does not name gets its default.",
		Example: "  embedseal group policy set --group acme --max-lifetime P7D --embeds 'sales-*' --origins https://app.example\n" +
			"  embedseal group policy show --group acme --output json | embedseal group policy set --group copy --policy-file -",
		Args: cobra.NoArgs,
	}
	group, rules, match := groupFlag(c), policyMembers(c), matchFlag(c)
	c.Flags().StringVar(&file, "policy-file", "", "JSON of the whole policy; - is standard input")
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		path := at("groups", *group, "policy")
		body := rules.body()
		if file == "" {
			got, err := a.change(ctx, "group", path, *group, body, *match)
			if err != nil {
				return err
			}
			return p.sayPolicy(got)
		}
		if len(body) > 0 {
			return usage(errors.New("--policy-file has the whole policy; leave out the flags of single rules"))
		}
		if err := addressable("group", *group); err != nil {
			return err
		}
		text, err := p.readInput(ctx, file, "policy")
		if err != nil {
			return err
		}
		if !json.Valid([]byte(text)) {
			return fmt.Errorf("what is in %s is not JSON", file)
		}
		got, err := a.do(ctx, adminCall{method: http.MethodPut, path: path, body: json.RawMessage(strings.TrimSpace(text)), match: tagged(*match)})
		if err != nil {
			return err
		}
		return p.sayPolicy(got)
	})
}
