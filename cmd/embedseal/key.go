package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// keyView is an embed secret as the API shows it.
type keyView struct {
	ID              string     `json:"id"`
	State           string     `json:"state"`
	Custody         string     `json:"custody"`
	Default         bool       `json:"default"`
	Label           string     `json:"label"`
	Note            string     `json:"note"`
	CreatedAt       time.Time  `json:"created_at"`
	RetiresAt       *time.Time `json:"retires_at"`
	SafeToDestroyAt *time.Time `json:"safe_to_destroy_at"`
	// Value is there when it is shown: once, or when it is revealed.
	Value    string        `json:"value"`
	Warnings []answerFault `json:"warnings"`
}

// keyValue is the member of an answer that is shown once.
const keyValue = "value"

func (p *program) keyCommand() *cobra.Command {
	return parent("key", "Make, import, rotate, retire and destroy the embed secrets of a group",
		"An embed secret is active (it seals and opens), retiring (it opens only), disabled (neither, until it is enabled)\n"+
			"or destroyed. One of a group's is the default. The verbs ask the running server.",
		p.keyListCommand(), p.keyCreateCommand(), p.keyImportCommand(), p.keyShowCommand(), p.keyUpdateCommand(),
		p.keyRevealCommand(), p.keyExportCommand(), p.keyRotateCommand(),
		p.keyStateCommand("set-default", "default", "Seal with this embed secret where a request names none", nil),
		p.keyStateCommand("retire", "retire", "Seal nothing more with an embed secret; it opens what it sealed", nil),
		p.keyStateCommand("disable", "disable", "Neither seal nor open with an embed secret until it is enabled",
			func(v keyView) string {
				return "Tokens that " + v.named() + " sealed stop working at once, until it is enabled again."
			}),
		p.keyStateCommand("enable", "enable", "Take disable back", nil),
		p.keyDestroyCommand())
}

// named is the key for a sentence.
func (v keyView) named() string {
	text := "the embed secret " + shown(v.ID)
	if v.Label != "" {
		text += " (" + shown(v.Label) + ")"
	}
	return text
}

// state is the state for people, and whether it is the default.
func (v keyView) state() string {
	if v.Default {
		return v.State + ", default"
	}
	return v.State
}

func (p *program) keyListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the embed secrets of a group, without their values", Example: "  embedseal key list --group acme", Args: cobra.NoArgs,
	}
	group, g := groupFlag(c), pagingFlags(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		return printList(ctx, p, a, at("groups", *group, "keys"), g, listed[keyView]{
			header: []string{"ID", "STATE", "CUSTODY", "CREATED", "RETIRES", "SAFE TO DESTROY", "LABEL"},
			row: func(v keyView, now time.Time) []string {
				return []string{v.ID, v.state(), v.Custody, instant(v.CreatedAt), moment(v.RetiresAt, now), moment(v.SafeToDestroyAt, now), v.Label}
			},
		})
	})
}

// wordMembers are the operator's own words about a key.
func wordMembers(c *cobra.Command) *members {
	m := membersOfBody(c)
	m.text("label", "a few words of your own, up to 100 bytes")
	m.text("note", "more words of your own, up to 1000 bytes")
	return m
}

func (p *program) keyCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "create", Short: "Make an embed secret",
		Long:    "create makes an embed secret and shows its value once. With the custody vault-transit nobody ever sees it.",
		Example: "  embedseal key create --group acme --label 'partner portal' --secret-out key-value",
		Args:    cobra.NoArgs,
	}
	group, m, replay, out := groupFlag(c), wordMembers(c), replayFlag(c), secretOutFlag(c, "the value")
	m.text("id", "its id, the kid of the tokens; a new UUID without it")
	m.toggle("default", "make it the group's default")
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		return p.makeKey(ctx, a, *group, m.made(), replay(), out)
	})
}

func (p *program) keyImportCommand() *cobra.Command {
	var valueFile string
	c := &cobra.Command{
		Use: "import ID", Short: "Take over an embed secret that is in use elsewhere",
		Long: "import takes the id and the 32-character value of an embed secret that tokens are made with already, so that they\n" +
			"keep working.",
		Example: "  embedseal key import 0a1b2c3d-0000-4000-8000-000000000001 --group acme --value-file key-value",
		Args:    cobra.ExactArgs(1),
	}
	group, m, replay := groupFlag(c), wordMembers(c), replayFlag(c)
	m.toggle("default", "make it the group's default")
	c.Flags().StringVar(&valueFile, "value-file", "", "file with the 32-character value; - is standard input (required)")
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if valueFile == "" {
			return usage(errors.New("--value-file is required: the value is a secret, and is never an argument"))
		}
		text, err := p.readInput(ctx, valueFile, "value of the embed secret")
		if err != nil {
			return err
		}
		body := m.made()
		body["id"], body["value"] = args[0], strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		return p.makeKey(ctx, a, *group, body, replay(), &secretOut{})
	})
}

// makeKey makes a key, or takes one over.
func (p *program) makeKey(ctx context.Context, a admin, group string, body map[string]any, replay string, out *secretOut) error {
	if err := addressable("group", group); err != nil {
		return err
	}
	if err := out.open(); err != nil {
		return err
	}
	defer out.close()
	got, err := a.do(ctx, adminCall{method: http.MethodPost, path: at("groups", group, "keys"), body: body, replay: replay})
	if err != nil {
		return err
	}
	v, err := understood[keyView](got.body)
	if err != nil {
		return err
	}
	rest, lost := out.take(got.body, keyValue)
	p.unseen(got, v, group, out, body["value"] != nil)
	for _, w := range v.Warnings {
		p.warn("embedseal: warning: %s: %s", shown(w.Field), shown(w.Detail))
	}
	return errors.Join(show(p, rest, func(v keyView) error {
		if body["value"] != nil { // whoever imports it has it
			v.Value = ""
		}
		return p.sayKey(v, got.tag)
	}), lost)
}

// unseen says why there is no value, where one could be looked for.
func (p *program) unseen(got reply, v keyView, group string, out *secretOut, imported bool) {
	switch {
	case v.Value != "" || imported:
	case got.replayed:
		p.warn("embedseal: it was made by an earlier try, and its value was shown then; again: embedseal key reveal %s --group %s", shown(v.ID), shown(group))
	case out.path != "":
		p.warn("embedseal: its value stays with the custody %s, and nobody sees it; nothing is written to %s", shown(v.Custody), out.path)
	}
}

func (p *program) showKey(body []byte, tag string) error {
	return show(p, body, func(v keyView) error { return p.sayKey(v, tag) })
}

func (p *program) sayKey(v keyView, tag string) error {
	now := time.Now()
	safe := moment(v.SafeToDestroyAt, now)
	if v.State == "destroyed" {
		safe = ""
	}
	err := p.list("Embed secret", v.ID, "State", v.state(), "Custody", v.Custody, "Label", v.Label, "Note", v.Note,
		"Created", instant(v.CreatedAt), "Retires", moment(v.RetiresAt, now), "Safe to destroy", safe,
		"Value", v.Value, "ETag", untagged(tag))
	if err == nil && v.Value != "" {
		p.say("\nThe value is shown this once; key reveal shows it again, and that is recorded.")
	}
	return err
}

// key asks for one key.
func (a admin) key(ctx context.Context, group, id string) (keyView, reply, error) {
	if err := errors.Join(addressable("group", group), addressable("key", id)); err != nil {
		return keyView{}, reply{}, err
	}
	return lookUp[keyView](ctx, a, at("groups", group, "keys", id), nil)
}

func (p *program) keyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ID", Short: "Show an embed secret, without its value", Example: "  embedseal key show prod-2026 --group acme", Args: cobra.ExactArgs(1),
	}
	group := groupFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		_, got, err := a.key(ctx, *group, args[0])
		if err != nil {
			return err
		}
		return p.showKey(got.body, got.tag)
	})
}

func (p *program) keyUpdateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "update ID", Short: "Change the label and the note of an embed secret",
		Long:    "update changes what is given, and leaves the rest. An empty value takes back what was set.",
		Example: "  embedseal key update prod-2026 --group acme --label 'retired with the old portal'",
		Args:    cobra.ExactArgs(1),
	}
	group, m, match := groupFlag(c), wordMembers(c), matchFlag(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		got, err := a.change(ctx, "key", at("groups", *group, "keys", args[0]), args[0], m.body(), *match)
		if err != nil {
			return err
		}
		return p.showKey(got.body, got.tag)
	})
}
