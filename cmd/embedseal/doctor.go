package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"embedseal/adapters/vault"
	"embedseal/configs"
	"embedseal/domain/key"
)

// The duties that a server can have.
const (
	dutyMint       = "mint"
	dutyAdminister = "administer"
)

// diagnosis is what doctor prints.
type diagnosis struct {
	// OK says that nothing is missing that this server needs.
	OK       bool      `json:"ok"`
	Store    string    `json:"store"`
	Duty     string    `json:"duty"`
	Findings []finding `json:"findings"`
}

type finding struct {
	// Use is what it matters to.
	Use   string `json:"use"`
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Needed says that this server has that use, with its duty and custody.
	Needed bool   `json:"needed"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

func (p *program) doctorCommand() *cobra.Command {
	var duty string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what this service lacks in Vault, and say how to grant it",
		Long: "doctor logs in to Vault as a server would and looks at everything that this service needs there: the\n" +
			"log-in, the engines, each capability of the token, keys that were not wholly destroyed, and Transit keys\n" +
			"without a ring. It changes nothing and works beside a running server. For what is missing it prints the line\n" +
			"of policy, or the command, that mends it, and exits with 1.\n\n" +
			"It knows the store vault. The other stores are checked whenever they are opened.",
		Example: "  embedseal doctor --store vault --vault-addresses https://vault.example:8200 --vault-token-file token --duty mint",
	}
	c.Flags().StringVar(&duty, "duty", dutyAdminister, "what the server is there for: mint (it only reads), or administer (it also makes groups and keys)")
	load := p.settings(c, storeKeys()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			if duty != dutyMint && duty != dutyAdminister {
				return usage(fmt.Errorf("--duty must be mint or administer, not %.20q", duty))
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			if cfg.Store != storeVault {
				return usage(fmt.Errorf("doctor looks into the store vault, and the store is %s; a store in the data directory is checked when it is opened", cfg.Store))
			}
			return p.examine(c.Context(), cfg, duty)
		})
	}
	return c
}

func (p *program) examine(ctx context.Context, cfg configs.Config, duty string) error {
	found, err := vault.Examine(ctx, vaultConfig(cfg))
	if err != nil {
		return err
	}
	d := diagnosis{OK: true, Store: cfg.Store, Duty: duty}
	uses := usesOf(duty, cfg.Custody == key.VaultTransit || found.TransitKeys)
	for _, f := range found.Findings {
		needed := slices.Contains(uses, f.Use)
		d.OK = d.OK && (f.OK || !needed)
		d.Findings = append(d.Findings, finding{f.Use, f.Check, f.OK, needed, f.Detail, f.Remedy})
	}
	if p.output == "json" {
		err = p.printJSON(d)
	} else {
		p.showDiagnosis(d)
	}
	if err != nil || d.OK {
		return err
	}
	return &failed{code: exitFailure, err: fmt.Errorf("%w: %w", errSaid, errors.New("something is missing"))}
}

// usesOf are the uses that matter to a server.
func usesOf(duty string, transit bool) []string {
	uses := []string{vault.UseAny, vault.UseMint}
	if duty == dutyAdminister {
		uses = append(uses, vault.UseAdminister)
	}
	if !transit {
		return uses
	}
	if uses = append(uses, vault.UseTransitMint); duty == dutyAdminister {
		uses = append(uses, vault.UseTransitAdminister)
	}
	return uses
}

// showDiagnosis prints a line for each finding, and beneath what is wrong the
// remedy, ready to be copied.
func (p *program) showDiagnosis(d diagnosis) {
	wrong := 0
	for _, f := range d.Findings {
		mark := "ok      "
		switch {
		case !f.OK && f.Needed:
			mark, wrong = "FAULT   ", wrong+1
		case !f.OK:
			mark = "unused  "
		}
		p.say("%s%-18s  %s: %s", mark, f.Use, f.Check, f.Detail)
		if f.Remedy != "" && (f.Needed || f.OK) {
			p.say("          %s", strings.ReplaceAll(f.Remedy, "\n", "\n          "))
		}
	}
	p.say("")
	if d.OK {
		p.say("Nothing is missing for a server that is there to %s.", d.Duty)
		return
	}
	p.say("%d of %d checks failed that matter to a server that is there to %s.", wrong, len(d.Findings), d.Duty)
}
