package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// tokenView is an API token as the API shows it.
type tokenView struct {
	ID            string           `json:"id"`
	Name          string           `json:"name"`
	Scopes        []string         `json:"scopes"`
	CreatedAt     time.Time        `json:"created_at"`
	ExpiresAt     *time.Time       `json:"expires_at"`
	Networks      []string         `json:"networks"`
	Restriction   *restrictionView `json:"restriction"`
	PreviousUntil *time.Time       `json:"previous_until"`
	LastUsedAt    *time.Time       `json:"last_used_at"`
	// Token is its text, which is there when it was just made.
	Token string `json:"token"`
}

// restrictionView is what narrows the policy of the group for one API token.
type restrictionView struct {
	DefaultLifetime *string   `json:"default_lifetime"`
	MaxLifetime     *string   `json:"max_lifetime"`
	ChartEmbedding  bool      `json:"chart_embedding"`
	Embeds          []string  `json:"embeds"`
	Customers       []string  `json:"customers"`
	OriginRequired  bool      `json:"origin_required"`
	Origins         []string  `json:"origins"`
	Features        *[]string `json:"features"`
	PinnedKey       *string   `json:"pinned_key"`
}

func (p *program) tokenListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the API tokens of a group, without their texts", Example: "  embedseal token list --group acme", Args: cobra.NoArgs,
	}
	group, g := groupFlag(c), pagingFlags(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		return printList(ctx, p, a, at("groups", *group, "tokens"), g, listed[tokenView]{
			header: []string{"ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "NETWORKS", "RESTRICTED"},
			row: func(v tokenView, now time.Time) []string {
				restricted := ""
				if v.Restriction != nil {
					restricted = "yes"
				}
				return []string{
					v.ID, v.Name, joined(v.Scopes), instant(v.CreatedAt), moment(v.ExpiresAt, now),
					hour(v.LastUsedAt), orNone(v.Networks, "any"), restricted,
				}
			},
		})
	})
}

func (p *program) showToken(body []byte, tag string) error {
	return show(p, body, func(v tokenView) error { return p.sayToken(v, tag) })
}

func (p *program) sayToken(v tokenView, tag string) error {
	now := time.Now()
	expires, used, restriction := moment(v.ExpiresAt, now), hour(v.LastUsedAt), "none beyond the group's policy"
	if expires == "" {
		expires = "never"
	}
	if used == "" {
		used = "never"
	}
	if v.Restriction != nil {
		restriction = v.Restriction.String()
	}
	err := p.list("API token", v.ID, "Name", v.Name, "Scopes", joined(v.Scopes), "Created", instant(v.CreatedAt), "Expires", expires,
		"Last used", used, "Comes from", orNone(v.Networks, "anywhere"), "Restriction", restriction,
		"Text before", until(moment(v.PreviousUntil, now)), "Text", v.Token, "ETag", untagged(tag))
	if err == nil && v.Token != "" {
		p.say("\nThe text is shown this once.")
	}
	return err
}

func until(text string) string {
	if text == "" {
		return ""
	}
	return "good until " + text
}

// String is the restriction for people.
func (v *restrictionView) String() string {
	var rules []string
	add := func(name, value string) {
		if value != "" {
			rules = append(rules, name+" "+value)
		}
	}
	add("lifetime", deref(v.DefaultLifetime))
	add("lifetime at most", deref(v.MaxLifetime))
	if !v.ChartEmbedding {
		rules = append(rules, "no single charts")
	}
	add("embeds", joined(v.Embeds))
	add("customers", joined(v.Customers))
	add("origins", joined(v.Origins))
	if v.OriginRequired {
		rules = append(rules, "an origin is required")
	}
	if v.Features != nil {
		add("features", orNone(*v.Features, "none"))
	}
	add("sealed with", deref(v.PinnedKey))
	return strings.Join(rules, "; ")
}

// token asks for one API token.
func (a admin) token(ctx context.Context, group, id string) (tokenView, reply, error) {
	if err := errors.Join(addressable("group", group), addressable("token", id)); err != nil {
		return tokenView{}, reply{}, err
	}
	return lookUp[tokenView](ctx, a, at("groups", group, "tokens", id), nil)
}

func (p *program) tokenShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show an API token, without its text", Example: "  embedseal token show 5f3a9c0d1e2b4a67 --group acme", Args: cobra.ExactArgs(1),
	}
	group := groupFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		_, got, err := a.token(ctx, *group, args[0])
		if err != nil {
			return err
		}
		return p.showToken(got.body, got.tag)
	})
}
