package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/app"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// inspection is the answer of inspect.
type inspection struct {
	OK          bool            `json:"ok"`
	Problem     string          `json:"problem,omitempty"`
	Reason      verdict.Reason  `json:"reason,omitempty"`
	Header      *headerShown    `json:"header,omitempty"`
	IVBytes     int             `json:"iv_bytes,omitempty"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Opened      bool            `json:"opened"`
	Claims      json.RawMessage `json:"claims,omitempty"`
	ExpiresAt   string          `json:"expires_at,omitempty"`
	SecondsLeft *int64          `json:"seconds_left,omitempty"`
}

type headerShown struct {
	Alg string `json:"alg"`
	Enc string `json:"enc"`
	Kid string `json:"kid"`
}

func (p *program) inspectCommand() *cobra.Command {
	var secretFile, tokenFile string
	c := &cobra.Command{
		Use:   "inspect [TOKEN]",
		Short: "Take an embed token apart, offline, and say what is wrong with it",
		Long: "inspect reads a token (argument, --token-file, or standard input) and shows its header. With the embed\n" +
			"secret's value (--secret-file) it opens the token too and shows the claims. Nothing is asked of a server.\n" +
			"A token may come as the whole JSON answer of the mint endpoint. As an argument it can be read by every user of\n" +
			"this machine while the command runs: where that matters, use a file or standard input.",
		Example: "  embedseal mint --provided-id c1 --embed-id abcde | embedseal inspect --secret-file key-value.txt",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the embed secret's 32-character value; - is standard input")
	c.Flags().StringVar(&tokenFile, "token-file", "", "file with the token; - is standard input")
	load := p.settings(c, "token.chart_claim", "token.leeway")
	c.RunE = func(c *cobra.Command, args []string) error {
		return verb(func() error {
			cfg, err := load()
			if err != nil {
				return err
			}
			text, secret, err := p.inspectInput(c.Context(), args, tokenFile, secretFile)
			if err != nil {
				return err
			}
			return p.showInspection(newInspector(cfg.ChartClaim, app.Leeway(cfg.Leeway)).Inspect(c.Context(), text, secret, verdict.Presented{}))
		})
	}
	return c
}

func (p *program) inspectInput(ctx context.Context, args []string, tokenFile, secretFile string) (string, key.Secret, error) {
	given := len(args) == 1
	if given && tokenFile == "" && args[0] == standardInput {
		given, tokenFile = false, standardInput
	}
	if !given && tokenFile == "" {
		tokenFile = standardInput
	}
	switch {
	case given && tokenFile != "":
		return "", key.Secret{}, usage(errors.New("the token is given twice: as an argument and with --token-file"))
	case tokenFile == standardInput && secretFile == standardInput:
		return "", key.Secret{}, usage(errors.New("the token and the secret cannot both come from standard input"))
	}
	var secret key.Secret
	if secretFile != "" {
		value, err := p.readInput(ctx, secretFile, "value of the embed secret")
		if err != nil {
			return "", secret, err
		}
		if secret, err = key.ParseSecret(strings.TrimSpace(value)); err != nil {
			return "", secret, fmt.Errorf("the value in %s: %w", secretFile, err)
		}
	}
	if !given {
		text, err := p.readToken(ctx, tokenFile)
		return text, secret, err
	}
	text := unwrapAnswer(args[0])
	if text == "" {
		return "", secret, usage(errors.New("no token was given: the argument is empty"))
	}
	return text, secret, notAFile(text)
}

// notAFile refuses the path of a file in the place of a token.
func notAFile(text string) error {
	if _, err := jwe.ParseCompact(text); err == nil {
		return nil
	}
	if info, err := os.Stat(text); err != nil || info.IsDir() {
		return nil //nolint:nilerr // it is no file: whatever it is, it is judged as a token
	}
	return usage(fmt.Errorf("%s is a file: use --token-file %s", shown(text), shellQuote(shown(text))))
}

// unwrapAnswer takes the token out of the endpoint's answer, and the newline
// off a token that a shell wrote. Nothing else is mended: the gate shall see it.
func unwrapAnswer(text string) string {
	trimmed := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if !strings.HasPrefix(trimmed, "{") {
		return trimmed
	}
	var answer mintAnswer
	if err := json.Unmarshal([]byte(trimmed), &answer); err != nil || answer.JWT == "" {
		return trimmed
	}
	return answer.JWT
}

func (p *program) showInspection(found app.Inspection) error {
	out := inspection{OK: found.Problem == nil, Reason: found.Reason, Opened: found.Opened}
	if found.Problem != nil {
		out.Problem = found.Problem.Error()
	}
	if kid := found.Compact.Header().KeyID; kid != "" {
		out.Header = &headerShown{Alg: "dir", Enc: "A256GCM", Kid: kid}
		out.IVBytes = len(found.Compact.IV())
		out.Fingerprint = token.FingerprintOf(found.Compact).String()
	}
	if found.Opened && json.Valid(found.Payload) {
		out.Claims = found.Payload
	}
	if !found.Claims.ExpiresAt.IsZero() {
		left := int64(found.Left / time.Second)
		out.ExpiresAt, out.SecondsLeft = found.Claims.ExpiresAt.Format(time.RFC3339), &left
	}
	if p.output == "json" {
		if err := p.printJSON(out); err != nil {
			return err
		}
	} else {
		p.sayInspection(out)
	}
	if found.Problem != nil {
		return &failed{code: exitRefused, err: fmt.Errorf("%w: %w", errSaid, found.Problem)}
	}
	return nil
}

func (p *program) sayInspection(out inspection) {
	if out.Header != nil {
		p.say("Header       alg %s, enc %s, kid %s", out.Header.Alg, out.Header.Enc, out.Header.Kid)
		p.say("IV           %d bytes", out.IVBytes)
		p.say("Fingerprint  %s", out.Fingerprint)
	}
	if out.Claims != nil {
		p.say("Claims       %s", out.Claims)
	}
	if out.SecondsLeft != nil {
		left := time.Duration(*out.SecondsLeft) * time.Second
		if left > 0 {
			p.say("Expires      %s, in %s", out.ExpiresAt, left)
		} else {
			p.say("Expired      %s, %s ago", out.ExpiresAt, -left)
		}
	}
	switch {
	case out.Problem != "":
		p.say("Not good     %s", out.Problem)
	case !out.Opened:
		p.say("The text is that of a token. What is in it, only the embed secret's value can tell: --secret-file FILE")
	default:
		p.say("Good         sealed with this secret, and not expired")
	}
}
