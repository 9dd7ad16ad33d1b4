package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// groupView is a group as the API shows it.
type groupView struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"created_at"`
	RotateEvery *string    `json:"rotate_every"`
	Overlap     string     `json:"overlap"`
	Policy      policyView `json:"policy"`
	Keys        int        `json:"keys"`
	Tokens      int        `json:"tokens"`
}

func (p *program) groupCommand() *cobra.Command {
	return parent("group", "List, make, change and delete data visibility groups, and set their policies",
		"A group owns embed secrets, API tokens and a policy, and sees nothing of any other group.\n"+
			"The verbs ask the running server.",
		p.groupListCommand(), p.groupCreateCommand(), p.groupShowCommand(), p.groupUpdateCommand(), p.groupDeleteCommand(),
		parent("policy", "Show or set what may be minted in a group", "", p.policyShowCommand(), p.policySetCommand()))
}

func (p *program) groupListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the groups", Example: "  embedseal group list", Args: cobra.NoArgs,
	}
	g := pagingFlags(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		return printList(ctx, p, a, "/groups", g, listed[groupView]{
			header: []string{"ID", "NAME", "KEYS", "TOKENS", "ROTATES EVERY", "CREATED"},
			row: func(v groupView, _ time.Time) []string {
				return []string{v.ID, v.Name, strconv.Itoa(v.Keys), strconv.Itoa(v.Tokens), deref(v.RotateEvery), instant(v.CreatedAt)}
			},
		})
	})
}

// groupMembers are what can be said of a group, but for its id and policy.
func groupMembers(c *cobra.Command) *members {
	m := membersOfBody(c)
	m.text("name", "name to show, up to 100 bytes; it can be changed, the id cannot")
	m.text("rotate-every", "make a new default key so often, an ISO 8601 duration such as P90D; never without it")
	m.text("overlap", "how long a replaced key still seals for requests that name it, such as P7D")
	return m
}

func (p *program) groupCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "create ID", Short: "Make a group",
		Long: "create makes a group and its default embed secret, whose value key reveal shows. It has no API token yet: token\n" +
			"create makes one. The id is 1 to 40 of a-z, 0-9 and -, and stays.",
		Example: "  embedseal group create acme --name 'Acme Inc.' --max-lifetime P30D --rotate-every P90D",
		Args:    cobra.ExactArgs(1),
	}
	m, rules, replay := groupMembers(c), policyMembers(c), replayFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		body := m.made()
		body["id"] = args[0]
		if policy := rules.made(); len(policy) > 0 {
			body["policy"] = policy
		}
		got, err := a.do(ctx, adminCall{method: http.MethodPost, path: "/groups", body: body, replay: replay()})
		if err != nil {
			return err
		}
		return show(p, got.body, func(v groupView) error { return p.sayGroup(v, got.tag) })
	})
}

func (p *program) groupShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show a group and its policy", Example: "  embedseal group show acme", Args: cobra.ExactArgs(1),
	}
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		v, got, err := a.group(ctx, args[0])
		if err != nil {
			return err
		}
		return show(p, got.body, func(groupView) error { return p.sayGroup(v, got.tag) })
	})
}

// group asks for one group.
func (a admin) group(ctx context.Context, id string) (groupView, reply, error) {
	if err := addressable("group", id); err != nil {
		return groupView{}, reply{}, err
	}
	return lookUp[groupView](ctx, a, at("groups", id), nil)
}

func (p *program) sayGroup(v groupView, tag string) error {
	every := "never, unless asked to"
	if v.RotateEvery != nil {
		every = "every " + *v.RotateEvery
	}
	return p.list(append([]string{
		"Group", v.ID, "Name", v.Name, "Created", instant(v.CreatedAt),
		"Keys", strconv.Itoa(v.Keys), "API tokens", strconv.Itoa(v.Tokens),
		"Rotates", every, "Overlap", v.Overlap,
	}, append(v.Policy.pairs(), "ETag", untagged(tag))...)...)
}

func (p *program) groupUpdateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "update ID", Short: "Change a group's name and how it rotates its keys",
		Long:    "update changes what is given, and leaves the rest. An empty value takes back what was set.",
		Example: "  embedseal group update acme --name 'Acme GmbH' --rotate-every ''",
		Args:    cobra.ExactArgs(1),
	}
	m, match := groupMembers(c), matchFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		got, err := a.change(ctx, "group", at("groups", args[0]), args[0], m.body(), *match)
		if err != nil {
			return err
		}
		return show(p, got.body, func(v groupView) error { return p.sayGroup(v, got.tag) })
	})
}

// change sends a merge patch.
func (a admin) change(ctx context.Context, what, path, id string, body map[string]any, match string) (reply, error) {
	if err := addressable(what, id); err != nil {
		return reply{}, err
	}
	if len(body) == 0 {
		return reply{}, usage(errors.New("there is nothing to change: give one of the flags"))
	}
	return a.do(ctx, adminCall{method: http.MethodPatch, path: path, body: body, match: tagged(match)})
}

func (p *program) groupDeleteCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "delete ID", Short: "Delete a group with its keys and API tokens",
		Long: "delete is refused while the group has keys that can still open tokens, unless --force is given: those tokens\n" +
			"stop working at once then.",
		Example: "  embedseal group delete acme",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&force, "force", false, "also while its keys can open tokens that were minted")
	match, sure := matchFlag(c), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := errors.Join(addressable("group", args[0]), sure.possible("deleting a group cannot be undone")); err != nil {
			return err
		}
		call := adminCall{method: http.MethodDelete, path: at("groups", args[0]), match: tagged(*match), query: forced(force)}
		if !sure.yes {
			v, got, err := a.group(ctx, args[0])
			if err != nil {
				return err
			}
			will := fmt.Sprintf("The group %s (%s) will be deleted with its embed secrets (%d) and API tokens (%d). This cannot be undone.",
				shown(v.ID), cell(v.Name), v.Keys, v.Tokens)
			if force {
				will += "\nTokens that its keys sealed stop working at once."
			}
			if err := sure.ask(ctx, will); err != nil {
				return err
			}
			call.match = cmp.Or(call.match, got.tag) // what was shown is what goes
		}
		if _, err := a.do(ctx, call); err != nil {
			return err
		}
		return p.gone("deleted", "group", args[0])
	})
}

func forced(force bool) url.Values {
	if !force {
		return nil
	}
	return url.Values{"force": {"true"}}
}

// gone says that something is no longer there, which the API answers with nothing.
func (p *program) gone(how, what, id string) error {
	if p.output == "json" {
		return p.printJSON(map[string]any{"id": id, how: true})
	}
	p.say("The %s %s is %s.", what, shown(id), how)
	return nil
}
