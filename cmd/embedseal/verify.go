package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/app"
	"embedseal/configs"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// verifyPath is where tokens are judged.
const verifyPath = "/api/verify_jwt/"

// verifyRequest is the body of a verify request; what is not presented is left out.
type verifyRequest struct {
	JWT    string  `json:"jwt"`
	Origin *string `json:"embed_origin,omitempty"`
	Embed  *string `json:"embed_id,omitempty"`
	Chart  *string `json:"chart_id,omitempty"`
}

// goodToken is what is shown of a token that is good, by the server or by verify
// itself.
type goodToken struct {
	Success        int             `json:"success"`
	Active         bool            `json:"active"`
	ProvidedID     string          `json:"provided_id"`
	EmbedID        string          `json:"embed_id"`
	ChartID        *string         `json:"chart_id"`
	Features       []token.Feature `json:"rb_allowed_features"`
	DisableEditing bool            `json:"disable_editable_section_editing"`
	EmbedOrigin    *string         `json:"embed_origin"`
	KeyID          string          `json:"key_id"`
	IssuedAt       *string         `json:"issued_at"`
	ExpiresAt      string          `json:"expires_at"`
	ExpiresIn      int64           `json:"expires_in"`
	Fingerprint    string          `json:"fingerprint"`
}

// badToken is what is shown of one that is not.
type badToken struct {
	Success int            `json:"success"`
	Active  bool           `json:"active"`
	Reason  verdict.Reason `json:"reason"`
	// Problem is the reason in words, where verify opened the token itself.
	Problem string `json:"problem,omitempty"`
}

func (p *program) verifyCommand() *cobra.Command {
	var request verifyRequest
	var secretFile, tokenFile, origin, embed, chart string
	c := &cobra.Command{
		Use:   "verify [TOKEN]",
		Short: "Say whether an embed token is good, and if not, why",
		Long: "verify asks the running server about a token (argument, --token-file, or standard input), with the API token\n" +
			"of api_token or api_token_file, or else DATA-DIR/api-token. With the embed secret's value (--secret-file) it asks\n" +
			"nobody; it then knows nothing of the group's policy nor of what was revoked. A token may come as the whole JSON\n" +
			"answer of the mint endpoint. As an argument it can be read by every user of this machine while the command runs:\n" +
			"where that matters, use a file or standard input.",
		Example: "  embedseal verify --token-file token.txt --embed-origin https://your-domain.com\n" +
			"  embedseal mint --provided-id c1 --embed-id abcde | embedseal verify --secret-file key-value.txt",
		Args: cobra.MaximumNArgs(1),
	}
	flags := c.Flags()
	flags.StringVar(&tokenFile, "token-file", "", "file with the token; - is standard input")
	flags.StringVar(&secretFile, "secret-file", "", "ask no server: file with the embed secret's 32-character value; - is standard input")
	flags.StringVar(&origin, "embed-origin", "", "the origin of the page that embeds; compared with the token's")
	flags.StringVar(&embed, "embed-id", "", "the dashboard or report builder to open; compared with the token's")
	flags.StringVar(&chart, "chart-id", "", "the chart to open; compared with the token's")
	load := p.settings(c, append(clientKeys(), "token.chart_claim", "token.leeway")...)
	c.RunE = func(c *cobra.Command, args []string) error {
		return verb(func() error {
			presented := func(flag string, value *string) *string {
				if !flags.Changed(flag) {
					return nil
				}
				return value
			}
			request.Origin, request.Embed = presented("embed-origin", &origin), presented("embed-id", &embed)
			request.Chart = presented("chart-id", &chart)
			cfg, err := load()
			if err != nil {
				return err
			}
			text, secret, err := p.inspectInput(c.Context(), args, tokenFile, secretFile)
			if err != nil {
				return err
			}
			request.JWT = text
			if secretFile != "" {
				return p.verifyHere(c.Context(), cfg, request, secret)
			}
			return p.verifyThere(c.Context(), cfg, request)
		})
	}
	return c
}

// verifyThere asks the server.
func (p *program) verifyThere(ctx context.Context, cfg configs.Config, request verifyRequest) error {
	apiToken, err := clientToken(cfg)
	if err != nil {
		return err
	}
	body, err := json.Marshal(request) //nolint:gosec // the token goes to whom it is to be judged by
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	answer, data, err := ask(ctx, cfg.Client.Server, verifyPath, apiToken, body)
	if err != nil {
		return err
	}
	if answer.Success != 1 {
		return p.showMinted(answer, cfg)
	}
	var good goodToken
	var bad badToken
	if err := json.Unmarshal(data, &good); err != nil {
		return fmt.Errorf("read the answer of %s: %w", cfg.Client.Server, err)
	}
	if good.Active {
		return p.showGood(good, "The server")
	}
	if err := json.Unmarshal(data, &bad); err != nil || bad.Reason == "" {
		return fmt.Errorf("%s says neither that the token is good nor why not; check --server", cfg.Client.Server)
	}
	return p.showBad(bad, request)
}

// verifyHere does what inspect does, and answers like the server.
func (p *program) verifyHere(ctx context.Context, cfg configs.Config, request verifyRequest, secret key.Secret) error {
	presented, err := verdict.Present(request.Origin, request.Embed, request.Chart)
	if err != nil {
		return usage(err)
	}
	found := newInspector(cfg.ChartClaim, app.Leeway(cfg.Leeway)).Inspect(ctx, request.JWT, secret, presented)
	switch {
	case found.Reason != "":
		return p.showBad(badToken{Success: 1, Reason: found.Reason, Problem: inWords(found, request)}, request)
	case found.Problem != nil:
		return found.Problem
	}
	claims := found.Claims
	good := goodToken{
		Success: 1, Active: true, ProvidedID: claims.Customer, EmbedID: claims.Embed, ChartID: given(claims.Chart),
		Features: claims.Features.Expanded(), DisableEditing: claims.DisableEditing == token.Yes, EmbedOrigin: given(claims.Origin.String()),
		KeyID: found.Compact.Header().KeyID, ExpiresAt: claims.ExpiresAt.Format(time.RFC3339), ExpiresIn: int64(found.Left / time.Second),
		Fingerprint: token.FingerprintOf(found.Compact).String(),
	}
	if !claims.IssuedAt.IsZero() {
		good.IssuedAt = given(claims.IssuedAt.Format(time.RFC3339))
	}
	if err := p.showGood(good, "The embed secret"); err != nil || p.output == "json" {
		return err
	}
	p.say("Not asked    whether it was revoked, its key disabled, or the group's policy changed: only the server knows")
	return nil
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (p *program) showGood(good goodToken, whose string) error {
	if p.output == "json" {
		return p.printJSON(good)
	}
	orElse := func(s *string, otherwise string) string {
		if s == nil {
			return otherwise
		}
		return shown(*s)
	}
	words := make([]string, len(good.Features))
	for i, f := range good.Features {
		words[i] = shown(string(f))
	}
	p.say("Good         %s says so", whose)
	p.say("Customer     %s", shown(good.ProvidedID))
	p.say("Embed        %s", shown(good.EmbedID))
	p.say("Chart        %s", orElse(good.ChartID, "the whole dashboard"))
	p.say("Origin       %s", orElse(good.EmbedOrigin, "any"))
	p.say("Features     %s", orElse(given(strings.Join(words, ", ")), "none"))
	p.say("Editing      %s", map[bool]string{true: "disabled", false: "allowed"}[good.DisableEditing])
	p.say("Key          %s", shown(good.KeyID))
	p.say("Issued       %s", orElse(good.IssuedAt, "not said"))
	p.say("Expires      %s, in %s", shown(good.ExpiresAt), time.Duration(good.ExpiresIn)*time.Second)
	p.say("Fingerprint  %s", shown(good.Fingerprint))
	return nil
}

func (p *program) showBad(bad badToken, request verifyRequest) error {
	said := &failed{code: exitRefused, err: fmt.Errorf("%w: the token is not good: %s", errSaid, bad.Reason)}
	if p.output == "json" {
		if err := p.printJSON(bad); err != nil {
			return err
		}
		return said
	}
	problem := bad.Problem
	if problem == "" {
		problem = meaning(bad.Reason, request)
	}
	p.say("Not good     %s: %s", shown(string(bad.Reason)), problem)
	return said
}

// inWords is the problem of a token that was opened here: what the reason means, and
// what only the token itself tells.
func inWords(found app.Inspection, request verifyRequest) string {
	claims := found.Claims
	switch found.Reason {
	case verdict.Malformed:
		if _, detail, of := strings.Cut(found.Problem.Error(), token.ErrClaims.Error()+": "); of {
			return "its claims cannot be read: " + detail
		}
		return "this is not the text of a token: " + strings.TrimPrefix(found.Problem.Error(), jwe.ErrMalformed.Error()+": ")
	case verdict.BadTag:
		return "it was not sealed with this secret, or was changed since"
	case verdict.Expired:
		return fmt.Sprintf("its time was over at %s, %s ago", instant(claims.ExpiresAt), (-found.Left).Truncate(time.Second))
	case verdict.NotYetValid:
		return meaning(found.Reason, request) + "; embedseal inspect shows its iat and nbf"
	case verdict.OriginMismatch:
		return "it is for the origin " + claims.Origin.String() + ", and " + presentedAs(request.Origin) + " was presented"
	case verdict.EmbedMismatch:
		return "it is for the embed " + shown(claims.Embed) + ", and " + presentedAs(request.Embed) + " was presented"
	case verdict.ChartMismatch:
		what := "the chart " + shown(claims.Chart)
		if claims.Chart == "" {
			what = "the whole dashboard"
		}
		return "it is for " + what + ", and the chart " + presentedAs(request.Chart) + " was presented"
	case verdict.UnknownKey, verdict.KeyDisabled, verdict.Policy, verdict.Revoked: // only a server finds these
	}
	return meaning(found.Reason, request)
}

// presentedAs is what was presented, for people.
func presentedAs(value *string) string {
	if value == nil {
		return "nothing"
	}
	return shown(*value)
}

// meaning is the reason in a sentence, as far as a server tells it: what is in a
// token that is not good, it does not.
func meaning(reason verdict.Reason, request verifyRequest) string {
	switch reason {
	case verdict.Malformed:
		return "this is not the text of a token, or its claims cannot be read; embedseal inspect says more"
	case verdict.UnknownKey:
		return "the group of the API token has no such key, or has destroyed it"
	case verdict.KeyDisabled:
		return "an operator has disabled its key"
	case verdict.BadTag:
		return "it was not sealed with that key, or was changed since"
	case verdict.Expired:
		return "its time is over; since when, only the embed secret tells: --secret-file"
	case verdict.NotYetValid:
		return "its time has not come"
	case verdict.Policy:
		return "it would live longer than the group allows, or than its retiring key is needed"
	case verdict.Revoked:
		return "it was taken back"
	case verdict.OriginMismatch:
		return "it is for another origin than " + presentedAs(request.Origin)
	case verdict.EmbedMismatch:
		return "it is for another embed than " + presentedAs(request.Embed)
	case verdict.ChartMismatch:
		return "it is for another chart than " + presentedAs(request.Chart) + ", or for the whole dashboard"
	}
	return "see docs/errors.md"
}
