package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(*cobra.Command, []string) error {
			return verb(func() error {
				if p.output == "json" {
					return p.printJSON(map[string]string{
						"version": p.version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
					})
				}
				p.say("embedseal %s (%s, %s/%s)", p.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			})
		},
	}
}

func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion {bash|zsh|fish|powershell}",
		Short:     "Print a script that completes commands in a shell",
		Example:   "  source <(embedseal completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(c *cobra.Command, args []string) error {
			return verb(func() error {
				var script bytes.Buffer
				var err error
				switch args[0] {
				case "bash":
					err = c.Root().GenBashCompletionV2(&script, true)
				case "zsh":
					err = c.Root().GenZshCompletion(&script)
				case "fish":
					err = c.Root().GenFishCompletion(&script, true)
				default:
					err = c.Root().GenPowerShellCompletionWithDesc(&script)
				}
				if err != nil {
					return fmt.Errorf("write the completion: %w", err)
				}
				return p.showText("script", script.String())
			})
		},
	}
}

func (p *program) manCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "man [VERB]",
		Short:   "Print the manual page of the command or of a verb, or write all to a directory",
		Example: "  embedseal man | man -l -\n  embedseal man serve\n  embedseal man --dir /usr/local/share/man/man1",
		Args:    cobra.MaximumNArgs(3),
	}
	c.Flags().StringVar(&dir, "dir", "", "write every page to this directory instead")
	c.RunE = func(c *cobra.Command, args []string) error {
		return verb(func() error {
			header := &doc.GenManHeader{Section: "1", Source: "embedseal " + p.version, Manual: "embedseal"}
			c.Root().DisableAutoGenTag = true
			if dir != "" {
				if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manual pages are for everybody
					return fmt.Errorf("make %s: %w", dir, err)
				}
				if err := doc.GenManTree(c.Root(), header, dir); err != nil {
					return fmt.Errorf("write the pages: %w", err)
				}
				if p.output == "json" {
					return p.printJSON(map[string]string{"dir": dir})
				}
				p.say("%s", dir)
				return nil
			}
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("there is no verb %.40q", args))
			}
			var page bytes.Buffer
			if err := doc.GenMan(of, header, &page); err != nil {
				return fmt.Errorf("write the page: %w", err)
			}
			return p.showText("page", page.String())
		})
	}
	return c
}

// showText prints text as it is, or as one member of an object.
func (p *program) showText(member, text string) error {
	if p.output == "json" {
		return p.printJSON(map[string]string{member: text})
	}
	if _, err := fmt.Fprint(p.stdout, text); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
