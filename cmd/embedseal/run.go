package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is one run of the command. A test runs it as main does.
type program struct {
	version string
	// self is how the command was called, for commands to paste.
	self           string
	args, environ  []string
	stdin          io.Reader
	stdout, stderr io.Writer
	// terminal says whether somebody sees a question and can answer it; nil looks.
	terminal func() bool
	// around wraps what asks the administration API; nil leaves it.
	around func(http.RoundTripper) http.RoundTripper

	// output is --output: text or json.
	output string
	// printed is stdout, and remembers that something could not be written.
	printed *printer
	// configFile is --config.
	configFile string
}

// run runs the verb that the arguments name, and returns the exit code.
func (p *program) run(ctx context.Context) int {
	p.printed = &printer{to: p.stdout}
	p.stdout = p.printed
	root := p.root()
	root.SetArgs(p.args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	asked, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = verb(p.printed.failure)
	}
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	p.complain(err, code, asked.CommandPath())
	return code
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "embedseal",
		Short: "Mint embed tokens with keys of your own keeping",
		Long: "embedseal mints the embed tokens that let one customer's browser open one dashboard,\n" +
			"over the documented protocol of Generate Embed JWT, with the keys in a store of your own.\n\n" +
			"Begin with: embedseal serve --dev\n" +
			"Or, to keep what is made: embedseal init && embedseal serve\n\n" +
			exitCodesHelp,
		Version: p.version, SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if p.output != "text" && p.output != "json" {
				return usage(fmt.Errorf("--output must be text or json, not %.20q", p.output))
			}
			return nil
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", helpWidth)))
	root.PersistentFlags().StringVar(&p.output, "output", "text", "what is printed: text for people, json for programs")
	closed(root, "output", "text", "json")
	root.PersistentFlags().StringVar(&p.configFile, "config", "", "configuration file (YAML); also EMBEDSEAL_CONFIG")
	root.AddCommand(p.serveCommand(), p.initCommand(), p.mintCommand(), p.verifyCommand(), p.inspectCommand(),
		p.groupCommand(), p.keyCommand(), p.tokenCommand(), p.revokeCommand(), p.auditCommand(), p.statusCommand(), p.doctorCommand(), p.demoCommand(), p.benchCommand(),
		p.configCommand(), p.versionCommand(), p.completionCommand(), p.manCommand())
	root.Args = known
	sayArguments(root)
	return root
}

// helpWidth is how wide the list of flags is in a help text, in columns.
const helpWidth = 100

// wrongFlag is a flag that is unknown, or has no such value. The verbs of a caller
// have no --group, which others have.
func wrongFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedName() == "group" && c.Flags().Lookup("api-token-file") != nil {
		err = fmt.Errorf("%w; the API token decides the group: see --api-token-file", err)
	}
	return usage(err)
}

// known refuses a word that is no verb, and says which one is near.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf("unknown command %.40q for %q", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(errors.New(text))
}

// sayArguments lets every verb that takes an id, or none, say so in words: "accepts
// 1 arg(s)" does not tell which, and "unknown command" is not what was typed.
func sayArguments(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		sayArguments(c)
		switch {
		case c.HasSubCommands():
			c.Args = known
			continue
		case c.Args == nil: // cobra would let every word pass
			c.Args = cobra.NoArgs
		}
		check, takesID := c.Args, strings.HasSuffix(c.Use, " ID")
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			switch {
			case err == nil:
				return nil
			case takesID && len(args) == 0:
				return usage(errors.New("the ID is missing: " + c.CommandPath() + " ID"))
			case takesID:
				return usage(fmt.Errorf("one ID at a time, and %d were given", len(args)))
			case !strings.Contains(c.Use, " ") && c.Flags().Lookup("group") != nil:
				return usage(fmt.Errorf("%s takes no argument, and %.40q was given; a group is named with --group", c.CommandPath(), args[0]))
			}
			return err
		}
	}
}

// printJSON writes v on one line.
func (p *program) printJSON(v any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// printer keeps the first failure, so that text which is printed line by line
// need not be asked about each.
type printer struct {
	to  io.Writer
	err error
}

func (w *printer) Write(data []byte) (int, error) {
	n, err := w.to.Write(data)
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("write the answer: %w", err)
	}
	return n, err //nolint:wrapcheck // as the io.Writer beneath says it
}

// failure is what went wrong so far; nil when all was printed.
func (w *printer) failure() error { return w.err }

func (p *program) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stdout, format+"\n", args...)
}

func (p *program) warn(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, format+"\n", args...)
}

// wantsJSON also looks at the arguments themselves: they may be what is wrong,
// and then nobody has parsed them.
func (p *program) wantsJSON() bool {
	asked := strings.Join(p.args, "\x00") + "\x00"
	return p.output == "json" || strings.Contains(asked, "--output=json\x00") || strings.Contains(asked, "--output\x00json\x00")
}

// complain prints what went wrong: one line, or for a list of faults one each, and
// for wrong usage of a command where its help is.
func (p *program) complain(err error, code int, command string) {
	if errors.Is(err, errSaid) {
		return
	}
	if p.wantsJSON() {
		encoder := json.NewEncoder(p.stderr)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(map[string]any{"error": err.Error(), "exit_code": code})
		return
	}
	p.warn("embedseal: %v", err)
	if code == exitUsage {
		p.warn("Try: %s --help", command)
	}
}
