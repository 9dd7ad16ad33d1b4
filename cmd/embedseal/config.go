package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"embedseal/adapters/vault"
	"embedseal/configs"
)

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration, or show where each value comes from",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.configValidateCommand(), p.configShowCommand())
	return c
}

func (p *program) configValidateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "validate",
		// The words that others have for it.
		SuggestFor: []string{"check", "test", "lint", "verify"},
		Short:      "Say every fault of the configuration at once",
		Example:    "  embedseal config validate --config configs/production.yaml",
		Args:       cobra.NoArgs,
	}
	load := p.settings(c)
	c.RunE = func(*cobra.Command, []string) error {
		return verb(func() error {
			cfg, err := load()
			if err == nil {
				err = serveable(cfg)
			}
			var invalid *configs.Invalid
			if errors.As(err, &invalid) && p.output == "json" {
				if err := p.printJSON(map[string]any{"valid": false, "faults": invalid.Faults}); err != nil {
					return err
				}
				return fmt.Errorf("%w: %w", errSaid, err)
			}
			if err != nil {
				return err
			}
			if p.output == "json" {
				return p.printJSON(map[string]any{"valid": true, "file": cfg.File, "warnings": append([]string{}, cfg.Warnings...)})
			}
			p.say("The configuration is valid.")
			return nil
		})
	}
	return c
}

func (p *program) configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show",
		Short: "Show every value and where it comes from, secrets redacted",
		Args:  cobra.NoArgs,
	}
	load := p.settings(c)
	c.RunE = func(*cobra.Command, []string) error {
		return verb(func() error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if p.output == "json" {
				return p.printJSON(cfg.Settings())
			}
			table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "KEY\tVALUE\tFROM")
			for _, s := range cfg.Settings() {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, s.Value, s.Source)
			}
			if err := table.Flush(); err != nil {
				return fmt.Errorf("write the table: %w", err)
			}
			return nil
		})
	}
	return c
}

// serveable finds what serve would refuse beyond the settings themselves: what it
// has nowhere to write to, and files and variables that the adapter of Vault
// looks at.
func serveable(cfg configs.Config) error {
	if cfg.Store != storeVault {
		return nil
	}
	var faults []configs.Fault
	if err := vault.Validate(vaultConfig(cfg)); err != nil {
		faults = append(faults, configs.Fault{Key: "vault", Source: "what it names", Detail: err.Error()})
	}
	if cfg.Audit.Path == "" {
		faults = append(faults, configs.Fault{Key: "audit.path", Source: "default", Detail: noAuditPath})
	}
	if faults == nil {
		return nil
	}
	return &configs.Invalid{Faults: faults}
}
