package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func (p *program) keyRevealCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "reveal ID", Short: "Show the value of an embed secret",
		Long: "reveal shows the value: whoever has it can make tokens for every customer of the group. It is recorded. Over TCP it\n" +
			"needs a right of its own. The custody vault-transit gives no value to anybody.",
		Example: "  embedseal key reveal prod-2026 --group acme --yes --secret-out key-value",
		Args:    cobra.ExactArgs(1),
	}
	group, out, sure := groupFlag(c), secretOutFlag(c, "the value"), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		body, err := p.reveal(ctx, a, sure, out, *group, args[0],
			adminCall{method: http.MethodPost, path: at("groups", *group, "keys", args[0], "reveal")})
		if err != nil {
			return err
		}
		defer out.close()
		body, lost := out.take(body, keyValue)
		return errors.Join(lost, show(p, body, func(v keyView) error {
			if v.Value == "" {
				p.say("The value is in %s.", out.path)
				return nil
			}
			p.say("%s", shown(v.Value))
			return nil
		}))
	})
}

// reveal asks for something secret, once that is confirmed and there is a place
// for it. The caller closes out when there is no error.
func (p *program) reveal(ctx context.Context, a admin, sure *confirmation, out *secretOut, group, id string, call adminCall) ([]byte, error) {
	if err := errors.Join(addressable("group", group), addressable("key", id), sure.possible("this shows a secret")); err != nil {
		return nil, err
	}
	if !sure.yes {
		v, _, err := a.key(ctx, group, id)
		if err != nil {
			return nil, err
		}
		where := "on this terminal"
		if out.path != "" {
			where = "in " + out.path
		}
		if err := sure.ask(ctx, fmt.Sprintf("The value of %s of the group %s will stand %s, and that it was shown will stand in the audit log.",
			v.named(), shown(group), where)); err != nil {
			return nil, err
		}
	}
	if err := out.open(); err != nil {
		return nil, err
	}
	got, err := a.do(ctx, call)
	if err != nil {
		out.close()
		return nil, err
	}
	return got.body, nil
}

// webKey is a JWK as far as it may be shown.
type webKey struct {
	Kid string `json:"kid"`
}

func (p *program) keyExportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export ID", Short: "Print an embed secret as a JWK",
		Long: "export prints a JSON Web Key (kty oct, the value in base64url, no alg) for libraries that read those. It is as\n" +
			"secret as the value, needs the same right as reveal, and is recorded.",
		Example: "  embedseal key export prod-2026 --group acme --yes --secret-out key.jwk",
		Args:    cobra.ExactArgs(1),
	}
	group, out, sure := groupFlag(c), secretOutFlag(c, "the JWK"), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, args []string) error {
		body, err := p.reveal(ctx, a, sure, out, *group, args[0],
			adminCall{method: http.MethodGet, path: at("groups", *group, "keys", args[0], "jwk")})
		if err != nil {
			return err
		}
		defer out.close()
		if out.f == nil {
			return p.printRaw(body)
		}
		if err := out.write(string(body)); err != nil {
			return err
		}
		rest, _, err := without(body, "k")
		if err != nil {
			return err
		}
		return show(p, rest, func(webKey) error {
			p.say("The JWK is in %s.", out.path)
			return nil
		})
	})
}
