package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"embedseal/configs"
	"embedseal/domain/secret"
)

// dryRunAnswer is what the endpoint answers to a dry run.
type dryRunAnswer struct {
	Success  int             `json:"success"`
	DryRun   bool            `json:"dry_run"`
	Allowed  bool            `json:"allowed"`
	Claims   json.RawMessage `json:"claims"`
	KeyID    *string         `json:"key_id"`
	Errors   []answerFault   `json:"errors"`
	Warnings []answerFault   `json:"warnings"`
}

// errNoDryRun is of a server that takes a dry run for a mint.
var errNoDryRun = errors.New("the server does not know dry runs, and made a token; it is not shown")

// tryOut asks for a dry run, and shows what comes of it.
func (p *program) tryOut(ctx context.Context, cfg configs.Config, apiToken secret.Text, body []byte) error {
	answer, data, err := ask(ctx, cfg.Client.Server, mintPath+"?dry_run=1", apiToken, body)
	if err != nil {
		return err
	}
	if answer.Success != 1 {
		return p.showMinted(answer, cfg)
	}
	var tried dryRunAnswer
	if err := json.Unmarshal(data, &tried); err != nil || !tried.DryRun {
		return fmt.Errorf("ask %s: %w", cfg.Client.Server, errNoDryRun)
	}
	return p.showDryRun(tried)
}

// showDryRun prints what would become of a request. One that would be refused
// ends like one that is.
func (p *program) showDryRun(a dryRunAnswer) error {
	if p.output == "json" {
		if err := p.printJSON(a); err != nil {
			return err
		}
	} else {
		p.sayDryRun(a)
	}
	if !a.Allowed {
		return &failed{code: exitRefused, err: fmt.Errorf("%w: the request would be refused", errSaid)}
	}
	return nil
}

func (p *program) sayDryRun(a dryRunAnswer) {
	if !a.Allowed {
		p.say("Allowed   no; no token was made")
		for _, f := range a.Errors {
			p.say("  %s", f)
		}
		return
	}
	p.say("Allowed   yes; no token was made")
	if a.KeyID != nil {
		p.say("Key       %s", *a.KeyID)
	} else {
		p.say("Key       the group's default key, which would be made first")
	}
	p.say("Claims    %s", a.Claims)
	var times struct{ Exp, Iat int64 }
	if err := json.Unmarshal(a.Claims, &times); err == nil {
		p.say("Lifetime  %s, until %s", time.Duration(times.Exp-times.Iat)*time.Second, time.Unix(times.Exp, 0).UTC().Format(time.RFC3339))
	}
	for _, f := range a.Warnings {
		p.say("Cut       %s", f)
	}
}
