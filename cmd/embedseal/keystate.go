package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// rotation is the answer of a rotation.
type rotation struct {
	Key             keyView    `json:"key"`
	Previous        *keyView   `json:"previous"`
	SafeToDestroyAt *time.Time `json:"safe_to_destroy_at"`
}

func (p *program) keyRotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rotate", Short: "Make a new default embed secret, and let the old one retire",
		Long: "rotate makes an embed secret and makes it the default at once. The one before still seals for requests that name it\n" +
			"until the overlap has passed, then it only opens. The answer says from when on it can be destroyed.",
		Example: "  embedseal key rotate --group acme --overlap P14D",
		Args:    cobra.NoArgs,
	}
	group, m, replay, out := groupFlag(c), wordMembers(c), replayFlag(c), secretOutFlag(c, "the new value")
	m.text("overlap", "how long the old one still seals for requests that name it; the group's own overlap without it")
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := addressable("group", *group); err != nil {
			return err
		}
		if err := out.open(); err != nil {
			return err
		}
		defer out.close()
		got, err := a.do(ctx, adminCall{method: http.MethodPost, path: at("groups", *group, "rotate"), body: m.made(), replay: replay()})
		if err != nil {
			return err
		}
		v, err := understood[rotation](got.body)
		if err != nil {
			return err
		}
		rest, lost := out.take(got.body, "key", keyValue)
		p.unseen(got, v.Key, *group, out, false)
		return errors.Join(show(p, rest, p.sayRotation), lost)
	})
}

func (p *program) sayRotation(v rotation) error {
	if err := p.sayKey(v.Key, ""); err != nil || v.Previous == nil {
		return err
	}
	now := time.Now()
	p.say("")
	return p.list("Replaces", v.Previous.ID, "which retires", moment(v.Previous.RetiresAt, now), "and is safe to destroy", moment(v.SafeToDestroyAt, now))
}

// keyStateCommand is a verb that brings a key into another state. Where will is
// not nil it asks first.
func (p *program) keyStateCommand(use, action, short string, will func(keyView) string) *cobra.Command {
	c := &cobra.Command{
		Use: use + " ID", Short: short, Example: "  embedseal key " + use + " prod-2026 --group acme", Args: cobra.ExactArgs(1),
	}
	group, match := groupFlag(c), matchFlag(c)
	sure := &confirmation{p: p, yes: true}
	if will != nil {
		sure = p.confirmation(c)
	}
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := errors.Join(addressable("group", *group), addressable("key", args[0]), sure.possible("this stops tokens from working at once")); err != nil {
			return err
		}
		call := adminCall{method: http.MethodPost, path: at("groups", *group, "keys", args[0], action), match: tagged(*match)}
		if !sure.yes {
			v, got, err := a.key(ctx, *group, args[0])
			if err != nil {
				return err
			}
			if err := sure.ask(ctx, will(v)); err != nil {
				return err
			}
			call.match = cmp.Or(call.match, got.tag) // what was shown is what goes
		}
		got, err := a.do(ctx, call)
		if err != nil {
			return err
		}
		return p.showKey(got.body, got.tag)
	})
}

func (p *program) keyDestroyCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "destroy ID", Short: "Destroy the material of an embed secret for ever",
		Long: "destroy is refused before no token can be left that the embed secret sealed, unless --force is given: what is left\n" +
			"of them stops working at once then. The id stays taken.",
		Example: "  embedseal key destroy prod-2025 --group acme",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&force, "force", false, "also while there can be tokens that it sealed")
	group, match, sure := groupFlag(c), matchFlag(c), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		if err := errors.Join(addressable("group", *group), addressable("key", args[0]), sure.possible("destroying an embed secret cannot be undone")); err != nil {
			return err
		}
		call := adminCall{
			method: http.MethodDelete, path: at("groups", *group, "keys", args[0]), query: forced(force), match: tagged(*match),
		}
		if !sure.yes {
			v, got, err := a.key(ctx, *group, args[0])
			if err != nil {
				return err
			}
			if err := sure.ask(ctx, v.destroyed(force, time.Now())); err != nil {
				return err
			}
			call.match = cmp.Or(call.match, got.tag)
		}
		got, err := a.do(ctx, call)
		if err != nil {
			return err
		}
		return p.showKey(got.body, got.tag)
	})
}

// destroyed says what goes when the key goes.
func (v keyView) destroyed(force bool, now time.Time) string {
	text := fmt.Sprintf("The material of %s, which is %s, will be destroyed. This cannot be undone.", v.named(), shown(v.state()))
	switch {
	case v.SafeToDestroyAt == nil:
		text += "\nIt is not known whether tokens are left that it sealed"
	case v.SafeToDestroyAt.After(now):
		text += "\nTokens that it sealed can be left until " + moment(v.SafeToDestroyAt, now)
	default:
		return text + "\nNo token that it sealed is left."
	}
	if force {
		return text + "; they stop working at once."
	}
	return text + "; the server will refuse this without --force."
}
