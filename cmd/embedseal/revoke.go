package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/domain/jwe"
	"embedseal/domain/token"
)

// revocationView is a revocation as the API shows it.
type revocationView struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Subject   string     `json:"subject"`
	Before    *time.Time `json:"before"`
	ExpiresAt time.Time  `json:"expires_at"`
	CreatedAt time.Time  `json:"created_at"`
	Note      string     `json:"note"`
}

func (p *program) revokeCommand() *cobra.Command {
	return parent("revoke", "Take embed tokens back before they expire",
		"What is revoked is refused wherever tokens are verified by this server from the next request on, and by other\n"+
			"servers over the same store within cache.fresh_for. It cannot be taken back; tokens that are minted from the next\n"+
			"second on are good. An API token is revoked with: embedseal token revoke. The verbs ask the running server.",
		p.revokeTokenCommand(),
		p.revokeAllCommand("customer", "Take back every token of a customer", "The customer customer_1 has left",
			"customer_1", "every token of the customer %s"),
		p.revokeAllCommand("embed", "Take back every token for a dashboard or report builder", "The dashboard showed too much",
			"abcde", "every token for the embed %s"),
		p.revokeAllCommand("key", "Take back every token that was sealed with a key", "The backend that used this key was broken into",
			"aa111111-1a11-111a-aa11-1aaaa11a1a11", "every token under the key %s"),
		p.revokeListCommand())
}

// revocation is what the verbs that revoke have in common.
type revocation struct {
	p      *program
	group  *string
	m      *members
	replay func() string
	sure   *confirmation
}

func (p *program) revocation(c *cobra.Command) revocation {
	r := revocation{p: p, group: groupFlag(c), m: membersOfBody(c)}
	r.m.text("note", "why, for whoever reads the list; up to 1000 bytes")
	r.replay, r.sure = replayFlag(c), p.confirmation(c)
	return r
}

// target is what is revoked: its kind, and the member of the request that says which,
// with its value. What is it in words.
type target struct{ kind, member, value, what string }

// make revokes, once it was said what that is.
func (r revocation) make(ctx context.Context, a admin, of target) error {
	if err := errors.Join(addressable("group", *r.group), r.sure.possible("revoking tokens cannot be undone")); err != nil {
		return err
	}
	body := r.m.made()
	body["kind"], body[of.member] = of.kind, of.value
	issued := ""
	if before, _ := body["before"].(string); before != "" {
		if _, err := time.Parse(time.RFC3339, before); err != nil {
			return usage(fmt.Errorf("--before %.40q is no time such as 2026-01-31T10:00:00Z (RFC 3339)", before))
		}
		issued = " that was issued up to " + shown(before)
	} else if of.kind != "token" {
		issued = " that was issued until now"
	}
	if err := r.sure.ask(ctx, fmt.Sprintf("In the group %s, %s%s is refused from the next request on. This cannot be undone.",
		shown(*r.group), of.what, issued)); err != nil {
		return err
	}
	got, err := a.do(ctx, adminCall{method: http.MethodPost, path: at("groups", *r.group, "revocations"), body: body, replay: r.replay()})
	if err != nil {
		return err
	}
	return show(r.p, got.body, func(v revocationView) error {
		now := time.Now()
		return r.p.list("Revocation", v.ID, "Revoked", v.Kind+" "+v.Subject, "Issued until", moment(v.Before, now),
			"Kept until", moment(&v.ExpiresAt, now), "Note", v.Note)
	})
}

func (p *program) revokeTokenCommand() *cobra.Command {
	var tokenFile string
	c := &cobra.Command{
		Use: "token [FINGERPRINT]", Short: "Take one embed token back",
		Long: "token takes one embed token back, which is named by its fingerprint: the one of the audit log, and of inspect.\n" +
			"Or it is given itself, in a file (--token-file) or on standard input (--token-file -), and not as an argument,\n" +
			"where others of this machine can read it. It may come as the whole JSON answer of the mint endpoint. Then the\n" +
			"server opens it, and refuses it until the end that stands in it, however far that is; one that no key of the\n" +
			"group opens is to be named by its fingerprint.",
		Example: "  embedseal revoke token --group acme --token-file leaked.jwt --note 'was in a public issue'\n" +
			"  embedseal revoke token b8c3bdcf8f64a845c6b7101c2073186ad308f3a0334aac31fb985ac757128849 --group acme --yes",
		Args: cobra.MaximumNArgs(1),
	}
	r := p.revocation(c)
	c.Flags().StringVar(&tokenFile, "token-file", "", "file with the token; - is standard input")
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if tokenFile == "-" && !r.sure.yes {
			return usage(errors.New("the token comes from standard input, so that there is nothing to ask on: add --yes"))
		}
		of, err := p.tokenToRevoke(ctx, args, tokenFile)
		if err != nil {
			return err
		}
		return r.make(ctx, a, of)
	})
}

// tokenToRevoke is the token that is named or given. No error repeats what was given.
func (p *program) tokenToRevoke(ctx context.Context, args []string, tokenFile string) (target, error) {
	switch {
	case len(args) == 1 && tokenFile != "":
		return target{}, usage(errors.New("the token is given twice: by its fingerprint and with --token-file"))
	case len(args) == 0 && tokenFile == "":
		return target{}, usage(errors.New("which token? Give its fingerprint, or the token with --token-file"))
	case len(args) == 1:
		if _, err := token.ParseFingerprint(args[0]); err != nil {
			return target{}, usage(fmt.Errorf("the argument is no fingerprint: %w; a token itself is given with --token-file, and an API token is revoked with: embedseal token revoke ID", err))
		}
		return target{"token", "subject", args[0], "the token of the fingerprint " + args[0]}, nil
	}
	text, err := p.readToken(ctx, tokenFile)
	if err != nil {
		return target{}, err
	}
	compact, err := jwe.ParseCompact(strings.TrimSpace(text))
	if err != nil {
		return target{}, fmt.Errorf("what was given is not an embed token in its one spelling, and would be refused: %w", err)
	}
	return target{"token", "token", compact.Text(), "the token of the fingerprint " + token.FingerprintOf(compact).String()}, nil
}

// revokeAllCommand revokes by what stands in tokens.
func (p *program) revokeAllCommand(kind, short, why, example, what string) *cobra.Command {
	c := &cobra.Command{
		Use: kind + " ID", Short: short,
		Long: fmt.Sprintf("%s takes back what was issued until now, or until --before. A token that does not say when it was issued\n"+
			"counts as issued before: also one that a holder of the embed secret makes afterwards.", kind),
		Example: fmt.Sprintf("  embedseal revoke %s %s --group acme --note '%s'\n"+
			"  embedseal revoke %s %s --group acme --before 2026-01-31T10:00:00Z --yes", kind, example, why, kind, example),
		Args: cobra.ExactArgs(1),
	}
	r := p.revocation(c)
	r.m.text("before", "the last second of issue that is revoked (RFC 3339); now without it")
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		return r.make(ctx, a, target{kind, "subject", args[0], fmt.Sprintf(what, shown(args[0]))})
	})
}

func (p *program) revokeListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List what was revoked in a group, and still matters", Example: "  embedseal revoke list --group acme", Args: cobra.NoArgs,
	}
	group, g := groupFlag(c), pagingFlags(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		return printList(ctx, p, a, at("groups", *group, "revocations"), g, listed[revocationView]{
			header: []string{"ID", "KIND", "SUBJECT", "ISSUED UNTIL", "CREATED", "KEPT UNTIL", "NOTE"},
			row: func(v revocationView, now time.Time) []string {
				return []string{
					v.ID, v.Kind, v.Subject, moment(v.Before, now), instant(v.CreatedAt), moment(&v.ExpiresAt, now), v.Note,
				}
			},
		})
	})
}
