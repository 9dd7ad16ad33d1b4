package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// confirmation is a verb's --yes, and the question it stands for.
type confirmation struct {
	p   *program
	yes bool
}

func (p *program) confirmation(c *cobra.Command) *confirmation {
	q := &confirmation{p: p}
	c.Flags().BoolVar(&q.yes, "yes", false, "do not ask; needed where there is no terminal to ask on")
	return q
}

// possible refuses what can neither be asked nor was answered. It stands before
// anything else is done.
func (q *confirmation) possible(what string) error {
	if q.yes || q.p.interactive() {
		return nil
	}
	return usage(fmt.Errorf("%s, and there is no terminal to ask on: add --yes if that is wanted", what))
}

// ask shows what will happen, unless --yes was given, and waits for a yes.
func (q *confirmation) ask(ctx context.Context, will string) error {
	if q.yes {
		return nil
	}
	_, _ = fmt.Fprintf(q.p.stderr, "%s\nGo on? [y/N] ", will)
	line, err := q.p.line(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not confirmed; nothing was done")
}

// line reads one line, which is empty at the end of the input.
func (p *program) line(ctx context.Context) (string, error) {
	text, err := unlessDone(ctx, func() (string, error) {
		text, _ := bufio.NewReader(p.stdin).ReadString('\n')
		return text, nil
	})
	if err != nil {
		return "", fmt.Errorf("not confirmed; nothing was done: %w", err)
	}
	return text, nil
}

// interactive reports whether somebody sees a question and can answer it.
func (p *program) interactive() bool {
	if p.terminal != nil {
		return p.terminal()
	}
	return isTerminal(p.stdin) && isTerminal(p.stderr)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
