package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"embedseal/adapters/datadir"
	"embedseal/configs"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// mintRequest is the body of a mint request; what was not asked for is left
// out. Features is a pointer because an empty list is not an absent one.
type mintRequest struct {
	ProvidedID     string    `json:"provided_id,omitempty"`
	EmbedID        string    `json:"embed_id,omitempty"`
	KeyID          string    `json:"key_id,omitempty"`
	Expiration     string    `json:"expiration,omitempty"`
	ChartID        string    `json:"chart_id,omitempty"`
	Features       *[]string `json:"rb_allowed_features,omitempty"`
	DisableEditing *bool     `json:"disable_editable_section_editing,omitempty"`
	EmbedOrigin    string    `json:"embed_origin,omitempty"`
}

func (p *program) mintCommand() *cobra.Command {
	var request mintRequest
	var features []string
	var noFeatures, disable, dry bool
	var batchFile string
	c := &cobra.Command{
		Use:   "mint",
		Short: "Ask the running server for an embed token",
		Long: "mint sends one request to the public endpoint and prints the token. It uses the API token of\n" +
			"api_token or api_token_file, or else DATA-DIR/api-token. With --dry-run it makes no token and\n" +
			"shows what would be in one, or which rules say no. With --batch it asks for many at once: a JSON object on\n" +
			"each line of the file, which takes what it leaves out from the flags, and as many lines of JSON come out.",
		Example: "  embedseal mint --provided-id customer_1 --embed-id abcde --expiration PT1H\n" +
			"  embedseal mint --provided-id customer_1 --embed-id abcde --expiration P90D --dry-run\n" +
			"  embedseal mint --batch tiles.jsonl --provided-id customer_1 --expiration PT1H",
	}
	flags := c.Flags()
	flags.StringVar(&request.ProvidedID, "provided-id", "", "id of the customer (required, or of each line of --batch)")
	flags.StringVar(&request.EmbedID, "embed-id", "", "id of the dashboard or report builder (required, or of each line of --batch)")
	flags.StringVar(&request.KeyID, "key-id", "", "embed secret to seal with; the group's default without it")
	flags.StringVar(&request.Expiration, "expiration", "", "how long it lives, an ISO 8601 duration such as PT1H")
	flags.StringVar(&request.ChartID, "chart-id", "", "embed this one chart only")
	flags.StringVar(&request.EmbedOrigin, "embed-origin", "", "the origin that may embed it, such as https://your-domain.com/")
	flags.StringSliceVar(&features, "feature", nil, "allowed report-builder feature, repeatable: flt, srt, core, crt-view, fork, or * alone")
	flags.BoolVar(&noFeatures, "no-features", false, "allow no report-builder editing at all: an empty list")
	flags.BoolVar(&disable, "disable-editing", false, "disable_editable_section_editing")
	flags.BoolVar(&dry, "dry-run", false, "make no token: show what would be in it, or which rules say no")
	flags.StringVar(&batchFile, "batch", "", "file with a request on each line, as JSON; - is standard input")
	c.MarkFlagsMutuallyExclusive("feature", "no-features")
	c.MarkFlagsMutuallyExclusive("batch", "dry-run")
	load := p.settings(c, clientKeys()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			if batchFile == "" && (request.ProvidedID == "" || request.EmbedID == "") {
				return usage(errors.New("--provided-id and --embed-id are required"))
			}
			if noFeatures {
				features = []string{}
			}
			if noFeatures || flags.Changed("feature") {
				request.Features = &features
			}
			if flags.Changed("disable-editing") {
				request.DisableEditing = &disable
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			apiToken, err := clientToken(cfg)
			if err != nil {
				return err
			}
			body, err := json.Marshal(request)
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			if batchFile != "" {
				return p.mintBatch(c.Context(), cfg, apiToken, body, batchFile)
			}
			if dry {
				return p.tryOut(c.Context(), cfg, apiToken, body)
			}
			var answer mintAnswer
			if answer, _, err = ask(c.Context(), cfg.Client.Server, mintPath, apiToken, body); err != nil {
				return err
			}
			return p.showMinted(answer, cfg)
		})
	}
	return c
}

// clientTokenFrom is where [clientToken] has it from, for people.
func clientTokenFrom(cfg configs.Config) string {
	switch {
	case cfg.Client.APIToken.IsZero():
		return "in " + datadir.At(cfg.DataDir).Path(datadir.APIToken)
	case cfg.Client.APITokenFile != "":
		return "in " + cfg.Client.APITokenFile
	}
	return "of the setting api_token"
}

// clientToken is the configured API token, or the one init left.
func clientToken(cfg configs.Config) (secret.Text, error) {
	if !cfg.Client.APIToken.IsZero() {
		return cfg.Client.APIToken, nil
	}
	dir := datadir.At(cfg.DataDir)
	text, err := dir.Read(datadir.APIToken)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Text{}, fmt.Errorf("no API token: name its file with --api-token-file, or set EMBEDSEAL_API_TOKEN; %s is not there",
			dir.Path(datadir.APIToken))
	}
	return text, err
}

func (p *program) showMinted(a mintAnswer, cfg configs.Config) error {
	if a.Success == 1 {
		if p.output == "json" {
			return p.printJSON(a)
		}
		p.say("%s", a.JWT)
		for _, w := range a.Warnings {
			p.warn("warning: %s", w)
		}
		return nil
	}
	refused := &failed{code: exitRefused, err: errors.New(a.explain(cfg))}
	if p.output != "json" {
		return refused
	}
	if err := p.printJSON(a); err != nil {
		return err
	}
	refused.err = fmt.Errorf("%w: %w", errSaid, refused.err)
	return refused
}

// mintAnswer is what the endpoint answers, either way.
type mintAnswer struct {
	Success   int           `json:"success"`
	JWT       string        `json:"jwt,omitempty"`
	Status    int           `json:"status,omitempty"`
	Code      string        `json:"code,omitempty"`
	Detail    string        `json:"detail,omitempty"`
	RequestID string        `json:"request_id,omitempty"`
	Errors    []answerFault `json:"errors,omitempty"`
	// Warnings are what was asked for and not given.
	Warnings []answerFault `json:"warnings,omitempty"`
}

type answerFault struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// String is the fault for people, with the flag to look at.
func (f answerFault) String() string {
	return fmt.Sprintf("%s: %s (%s)%s", f.Field, f.Detail, f.Code, flagFor(f.Field))
}

// explain is for whoever is at the command line, who sent no header and asked for no
// path: there it says what they gave instead.
func (a mintAnswer) explain(cfg configs.Config) string {
	detail := a.Detail
	switch a.Code {
	case "unauthenticated":
		detail = "the API token " + clientTokenFrom(cfg) + " is not good at " + cfg.Client.Server +
			": it is of another server, was revoked, has expired, or may not be used from this address"
	case "not_found":
		detail = cfg.Client.Server + " is not the public listener; check --server"
	}
	text := fmt.Sprintf("the server refused: %d %s: %s", a.Status, shown(a.Code), shown(detail))
	for _, f := range a.Errors {
		text += "\n  " + f.String()
	}
	return text + "\n  request id " + a.RequestID
}

// flagFor names the flag behind a field whose flag is not called like it.
func flagFor(field string) string {
	switch field {
	case token.FieldFeatures:
		return ", see --feature"
	case token.FieldDisableEditing:
		return ", see --disable-editing"
	}
	return ""
}
