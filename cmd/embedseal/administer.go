package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"embedseal/configs"
	"embedseal/domain/apitoken"
)

// adminKeys are the settings of a client of the administration API.
func adminKeys() []string {
	return append(adminServerKeys(), "admin.socket", "data_dir")
}

// administer completes a verb that asks the administration API.
func (p *program) administer(c *cobra.Command, do func(ctx context.Context, a admin, args []string) error) *cobra.Command {
	load := p.settings(c, adminKeys()...)
	c.Flags().SortFlags = false // its own before those of every such verb
	c.RunE = func(c *cobra.Command, args []string) error {
		return verb(func() error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if err := nearestServer(c, &cfg); err != nil {
				return err
			}
			a, err := newAdmin(cfg)
			if err != nil {
				return err
			}
			if p.around != nil {
				a.http.Transport = p.around(a.http.Transport)
			}
			return p.explained(do(c.Context(), a, args))
		})
	}
	return c
}

// nearestServer lets a socket that a flag names go before a server that was named
// farther away.
func nearestServer(c *cobra.Command, cfg *configs.Config) error {
	if !c.Flags().Changed("admin-socket") {
		return nil
	}
	if c.Flags().Changed("admin-server") {
		return usage(errors.New("--admin-socket and --admin-server name two servers; leave one out"))
	}
	cfg.Client.AdminServer = ""
	return nil
}

// parent is a verb that only has others beneath it.
func parent(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(verbs...)
	return c
}

// groupFlag is the group that a verb works in.
func groupFlag(c *cobra.Command) *string {
	return c.Flags().String("group", string(firstGroup), "id of the group")
}

// matchFlag is the tag that a thing must still have.
func matchFlag(c *cobra.Command) *string {
	return c.Flags().String("if-match", "", "change it only if it still has this ETag, which show prints")
}

// tagged is a tag as If-Match takes it: people may leave out its quotes.
func tagged(tag string) string {
	if tag == "" || tag == "*" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}

// untagged is a tag as it is easily pasted.
func untagged(tag string) string { return strings.Trim(tag, `"`) }

// replayFlag makes a creation safe to ask for again.
func replayFlag(c *cobra.Command) func() string {
	given := c.Flags().String("idempotency-key", "", "any text of up to 128 characters: the same command with the same text makes nothing twice")
	return func() string {
		if *given != "" {
			return *given
		}
		return newReplay()
	}
}

// closed are the values that a flag can be completed with.
func closed(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// lookUp asks for something, which it returns understood and as it came.
func lookUp[T any](ctx context.Context, a admin, path string, query url.Values) (T, reply, error) {
	got, err := a.do(ctx, adminCall{method: http.MethodGet, path: path, query: query})
	if err != nil {
		var none T
		return none, reply{}, err
	}
	v, err := understood[T](got.body)
	return v, got, err
}

// page is a piece of a list.
type page struct {
	Items []json.RawMessage `json:"items"`
	Next  *string           `json:"next"`
}

// paging is which piece of a list is wanted: all of it without a limit.
type paging struct {
	limit int
	after string
}

func pagingFlags(c *cobra.Command) *paging {
	g := &paging{}
	c.Flags().IntVar(&g.limit, "limit", 0, "print one page of at most so many; all without it")
	c.Flags().StringVar(&g.after, "after", "", "begin behind the page that ended with this")
	return g
}

// listed is a list for people: its header, and what stands in the row of an item.
type listed[T any] struct {
	header []string
	row    func(item T, now time.Time) []string
}

// printList prints a list, or the page of it that is wanted.
func printList[T any](ctx context.Context, p *program, a admin, path string, g *paging, l listed[T]) error {
	if p.output == "json" {
		return p.printItems(ctx, a, path, url.Values{}, g)
	}
	var items []T
	next, err := a.pages(ctx, path, url.Values{}, g, func(item json.RawMessage) error {
		v, err := understood[T](item)
		items = append(items, v)
		return err
	})
	if err != nil {
		return err
	}
	t, now := p.table(l.header...), time.Now()
	for _, item := range items {
		t.row(l.row(item, now)...)
	}
	if err := t.end(); err != nil {
		return err
	}
	if next != "" {
		p.warn("There are more: --after %s", shown(next))
	}
	return nil
}

// printItems prints a list for programs: the page as it came, or all pages as one.
func (p *program) printItems(ctx context.Context, a admin, path string, query url.Values, g *paging) error {
	items, separator := []byte(`{"items":[`), ""
	next, err := a.pages(ctx, path, query, g, func(item json.RawMessage) error {
		items = append(append(items, separator...), item...)
		separator = ","
		return nil
	})
	if err != nil {
		return err
	}
	shownNext := []byte("null")
	if next != "" {
		if shownNext, err = json.Marshal(next); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	return p.printRaw(append(append(append(items, `],"next":`...), shownNext...), '}'))
}

// pages hands out the items of the wanted page, or of all of them, and returns
// where the next page begins.
func (a admin) pages(ctx context.Context, path string, query url.Values, g *paging, each func(json.RawMessage) error) (next string, err error) {
	after := g.after
	for {
		if g.limit > 0 {
			query.Set("limit", strconv.Itoa(g.limit))
		}
		if after != "" {
			query.Set("after", after)
		}
		one, _, err := lookUp[page](ctx, a, path, query)
		if err != nil {
			return "", err
		}
		for _, item := range one.Items {
			if err := each(item); err != nil {
				return "", err
			}
		}
		switch {
		case one.Next == nil:
			return "", nil
		case g.limit > 0:
			return *one.Next, nil
		case *one.Next == after:
			return "", fmt.Errorf("%s gives the same page again and again", a.where)
		}
		after = *one.Next
	}
}

// modeNames, featureNames and scopeNames are closed values, for completion.
func modeNames() []string { return []string{"reject", "clamp"} }

func featureNames() []string { return []string{"flt", "srt", "core", "crt-view", "fork", "*"} }

func scopeNames() []string {
	return append(apitoken.All.Names(), "read-only", "read-write")
}

// orNone says nothing in words.
func orNone(texts []string, none string) string {
	if len(texts) == 0 {
		return none
	}
	return joined(texts)
}

// deref is what a pointer points to, or nothing.
func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
