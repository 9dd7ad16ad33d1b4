package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"embedseal/domain/token"
)

// tokenText is the member of an answer that is shown once.
const tokenText = "token"

func (p *program) tokenCommand() *cobra.Command {
	return parent("token", "Make, change, refresh and revoke the API tokens of a group",
		"An API token is what a backend presents to mint. Only a digest of it is kept. The verbs ask the running server.",
		p.tokenListCommand(), p.tokenCreateCommand(), p.tokenShowCommand(), p.tokenUpdateCommand(), p.tokenRefreshCommand(), p.tokenRevokeCommand())
}

// tokenMembers are what can be said of an API token, but for its restriction.
func tokenMembers(c *cobra.Command) *members {
	m := membersOfBody(c)
	m.text("name", "name to show, up to 100 bytes")
	m.words("scopes", "what it may do, repeatable or parted by commas: mint, verify, read, write, reveal, read-only, read-write")
	m.text("expires-at", "when it expires (RFC 3339, UTC); never without this and --expires-in")
	m.text("expires-in", "the same from now on, an ISO 8601 duration such as P90D")
	m.words("networks", "networks (CIDR) or addresses that it may come from, repeatable; any without one")
	c.MarkFlagsMutuallyExclusive("expires-at", "expires-in")
	closed(c, "scopes", scopeNames()...)
	return m
}

// restrictionMembers are the rules that narrow the policy of the group.
func restrictionMembers(c *cobra.Command) *members {
	m := membersOfBody(c)
	lifetimeMembers(m)
	m.toggle("chart-embedding", "false: no charts by themselves, whatever the group allows")
	ruleMembers(m)
	closed(c, "features", featureNames()...)
	return m
}

func (p *program) tokenCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "create", Short: "Make an API token",
		Long: "create makes an API token and shows its text once. The flags from --default-lifetime to --pinned-key narrow the\n" +
			"policy of the group for this token alone; what is wider than that is refused.",
		Example: "  embedseal token create --group acme --name checkout --scopes mint --expires-in P90D --networks 10.0.0.0/8\n" +
			"  embedseal token create --group acme --name demo --scopes mint --max-lifetime PT1H --secret-out demo-token",
		Args: cobra.NoArgs,
	}
	group, m, rules, replay, out := groupFlag(c), tokenMembers(c), restrictionMembers(c), replayFlag(c), secretOutFlag(c, "its text")
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		body := m.made()
		if body["name"] == nil || body["scopes"] == nil {
			return usage(errors.New("--name and --scopes are required"))
		}
		if restriction := rules.made(); len(restriction) > 0 {
			body["restriction"] = restriction
		}
		if err := addressable("group", *group); err != nil {
			return err
		}
		return p.makeToken(ctx, a, *group, at("groups", *group, "tokens"), body, replay(), out)
	})
}

// makeToken asks for a token, or for a new text of one.
func (p *program) makeToken(ctx context.Context, a admin, group, path string, body map[string]any, replay string, out *secretOut) error {
	if err := out.open(); err != nil {
		return err
	}
	defer out.close()
	got, err := a.do(ctx, adminCall{method: http.MethodPost, path: path, body: body, replay: replay})
	if err != nil {
		return err
	}
	v, err := understood[tokenView](got.body)
	if err != nil {
		return err
	}
	rest, lost := out.take(got.body, tokenText)
	if v.Token == "" && got.replayed {
		p.warn("embedseal: it was made by an earlier try, and its text was shown then; for a new text: embedseal token refresh %s --group %s",
			shown(v.ID), shown(group))
	}
	return errors.Join(p.showToken(rest, got.tag), lost)
}

func (p *program) tokenUpdateCommand() *cobra.Command {
	var unrestricted bool
	c := &cobra.Command{
		Use: "update ID", Short: "Change an API token; its text stays",
		Long:    "update changes what is given, and leaves the rest. An empty value takes back what was set.",
		Example: "  embedseal token update 5f3a9c0d1e2b4a67 --group acme --expires-in P90D --networks 10.0.0.0/8,192.0.2.7",
		Args:    cobra.ExactArgs(1),
	}
	group, m, rules, match := groupFlag(c), tokenMembers(c), restrictionMembers(c), matchFlag(c)
	c.Flags().BoolVar(&unrestricted, "no-restriction", false, "take its whole restriction back: it may mint what the group may")
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		body, restriction := m.body(), rules.body()
		switch {
		case unrestricted && len(restriction) > 0:
			return usage(errors.New("--no-restriction takes the whole restriction back; leave out the flags of single rules"))
		case unrestricted:
			body["restriction"] = nil
		case len(restriction) > 0:
			body["restriction"] = restriction
		}
		if err := addressable("group", *group); err != nil {
			return err
		}
		got, err := a.change(ctx, "token", at("groups", *group, "tokens", args[0]), args[0], body, *match)
		if err != nil {
			return err
		}
		return p.showToken(got.body, got.tag)
	})
}

func (p *program) tokenRefreshCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "refresh ID", Short: "Give an API token a new text; the one before stays good for a while",
		Long: "refresh makes a new text and shows it once. The text before stays good for the overlap, an hour unless told\n" +
			"otherwise; PT0S ends it at once.",
		Example: "  embedseal token refresh 5f3a9c0d1e2b4a67 --group acme --overlap P1D --secret-out new-token",
		Args:    cobra.ExactArgs(1),
	}
	group, m, replay, out := groupFlag(c), membersOfBody(c), replayFlag(c), secretOutFlag(c, "the new text")
	m.text("overlap", "how long the text before stays good, an ISO 8601 duration; PT1H without it")
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := errors.Join(addressable("group", *group), addressable("token", args[0])); err != nil {
			return err
		}
		return p.makeToken(ctx, a, *group, at("groups", *group, "tokens", args[0], "refresh"), m.made(), replay(), out)
	})
}

// noEmbedToken tells whoever means an embed token, by itself or by its fingerprint,
// which verb takes that back. It does not repeat what was given.
func noEmbedToken(id string) error {
	_, notFingerprint := token.ParseFingerprint(id)
	if notFingerprint != nil && strings.Count(id, ".") < 4 {
		return nil
	}
	return usage(errors.New("the argument is an embed token or the fingerprint of one, and not the ID of an API token; an embed token is taken back with: embedseal revoke token"))
}

func (p *program) tokenRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke ID", Short: "Take an API token back for ever",
		Long: "revoke refuses the next request with this API token. Embed tokens that were minted with it stay good until\n" +
			"they expire, or are taken back with: embedseal revoke",
		Example: "  embedseal token revoke 5f3a9c0d1e2b4a67 --group acme",
		Args:    cobra.ExactArgs(1),
	}
	group, match, sure := groupFlag(c), matchFlag(c), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := noEmbedToken(args[0]); err != nil {
			return err
		}
		if err := errors.Join(addressable("group", *group), addressable("token", args[0]), sure.possible("revoking an API token cannot be undone")); err != nil {
			return err
		}
		call := adminCall{method: http.MethodDelete, path: at("groups", *group, "tokens", args[0]), match: tagged(*match)}
		if !sure.yes {
			v, got, err := a.token(ctx, *group, args[0])
			if err != nil {
				return err
			}
			used := "it was never used"
			if v.LastUsedAt != nil {
				used = "it was last used " + hour(v.LastUsedAt)
			}
			if err := sure.ask(ctx, fmt.Sprintf("The API token %s (%s) of the group %s will be revoked; %s.\nWhoever uses it is refused from the next request on. This cannot be undone.",
				shown(v.ID), cell(v.Name), shown(*group), used)); err != nil {
				return err
			}
			call.match = cmp.Or(call.match, got.tag) // what was shown is what goes
		}
		if _, err := a.do(ctx, call); err != nil {
			return err
		}
		return p.gone("revoked", "API token", args[0])
	})
}
