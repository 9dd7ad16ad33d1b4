package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/adapters/datadir"
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

// useAdvice is the use of what a server can do without, and better has.
const useAdvice = vault.UseAdvice

func (p *program) doctorCommand() *cobra.Command {
	var duty string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is missing, damaged or about to fail, and say how to mend it",
		Long: "doctor looks at everything that a server with these settings needs: the data directory and who may look\n" +
			"into it, the disk, the clock, who holds the store, the store itself with every record, the master key, the\n" +
			"audit log, and the server that is running. With the store vault it logs in as a server would and looks at\n" +
			"the engines, each capability of the token, keys that were not wholly destroyed, and Transit keys without a\n" +
			"ring.\n\n" +
			"It changes nothing and works beside a running server. Beneath each fault it prints the command, or the line\n" +
			"of policy, that mends it, and exits with 1.",
		Example: "  embedseal doctor --data-dir /var/lib/embedseal\n" +
			"  embedseal doctor --store vault --vault-addresses https://vault.example:8200 --vault-token-file token --duty mint",
	}
	c.Flags().StringVar(&duty, "duty", dutyAdminister, "what the server is there for, with the store vault: mint (it only reads), or administer (it also makes groups and keys)")
	load := p.settings(c, append(storeKeys(), "ops.listen", "admin.socket")...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return verb(func() error {
			if duty != dutyMint && duty != dutyAdminister {
				return usage(fmt.Errorf("--duty must be mint or administer, not %.20q", duty))
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			if cfg.Store == storeMemory {
				return usage(errors.New("a store in memory has nothing that could be looked at from outside"))
			}
			return p.examine(c.Context(), cfg, duty)
		})
	}
	return c
}

func (p *program) examine(ctx context.Context, cfg configs.Config, duty string) error {
	d := diagnosis{OK: true, Store: cfg.Store, Duty: duty}
	uses := []string{vault.UseAny}
	x := &examiner{cfg: cfg, dir: datadir.At(cfg.DataDir), now: time.Now()}
	if cfg.Store == storeVault {
		found, err := vault.Examine(ctx, vaultConfig(cfg))
		if err != nil {
			return err
		}
		uses = usesOf(duty, cfg.Custody == key.VaultTransit || found.TransitKeys)
		for _, f := range found.Findings {
			x.findings = append(x.findings, finding{Use: f.Use, Check: f.Check, OK: f.OK, Detail: f.Detail, Remedy: f.Remedy})
		}
		x.surroundings(ctx)
	} else {
		x.all(ctx)
	}
	for _, f := range x.findings {
		f.Needed = slices.Contains(uses, f.Use)
		d.OK = d.OK && (f.OK || !f.Needed)
		d.Findings = append(d.Findings, f)
	}
	var err error
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
	wrong, advice := 0, 0
	for _, f := range d.Findings {
		mark := "ok      "
		switch {
		case !f.OK && f.Needed:
			mark, wrong = "FAULT   ", wrong+1
		case !f.OK && f.Use == useAdvice:
			mark, advice = "ADVICE  ", advice+1
		case !f.OK:
			mark = "unused  "
		}
		subject := f.Check
		if d.Store == storeVault {
			subject = fmt.Sprintf("%-18s  %s", f.Use, f.Check)
		}
		p.say("%s%s: %s", mark, subject, f.Detail)
		if f.Remedy != "" && (f.Needed || f.OK || f.Use == useAdvice) {
			p.say("          %s", strings.ReplaceAll(f.Remedy, "\n", "\n          "))
		}
	}
	p.say("")
	suffix := ""
	if advice > 0 {
		suffix = fmt.Sprintf(" Advice: %d.", advice)
	}
	purpose := ""
	if d.Store == storeVault {
		purpose = " that is there to " + d.Duty
	}
	if d.OK {
		p.say("Nothing is missing for a server%s.%s", purpose, suffix)
		return
	}
	p.say("%d of %d checks failed that matter to a server%s.%s", wrong, len(d.Findings), purpose, suffix)
}
