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

	"embedseal/domain/audit"
	"embedseal/domain/iso8601"
)

const (
	// auditPage is how many records are asked for at once.
	auditPage = 1000
	// auditPoll is how long tail --follow waits before it looks again.
	auditPoll = time.Second
	// verifyPatience is how long a server may take to read its whole log.
	verifyPatience = time.Hour
)

func (p *program) auditCommand() *cobra.Command {
	return parent("audit", "Look into the audit log, search and verify it",
		"The audit log says who asked for what, and what came of it. The verbs ask the running server; verify also reads\n"+
			"files that were archived.",
		p.auditTailCommand(), p.auditSearchCommand(), p.auditVerifyCommand(), p.auditKeyCommand())
}

func (p *program) auditTailCommand() *cobra.Command {
	var n int
	var follow bool
	c := &cobra.Command{
		Use: "tail", Short: "Print the last records of the audit log, and those to come",
		Long:    "tail prints the last records, the newest last. With --output json each is a line as it stands in the log.",
		Example: "  embedseal audit tail -n 50\n  embedseal audit tail --follow --output json | jq 'select(.outcome != \"granted\")'",
	}
	c.Flags().IntVarP(&n, "lines", "n", 10, "how many records, from 1 to 1000")
	c.Flags().BoolVar(&follow, "follow", false, "go on with the records to come, until interrupted")
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if n < 1 || n > auditPage {
			return usage(fmt.Errorf("-n must be 1 to %d, not %d", auditPage, n))
		}
		one, err := a.records(ctx, url.Values{"last": {strconv.Itoa(n)}})
		if err != nil {
			return err
		}
		var last position
		if err := p.printRecords(one.Items, &last); err != nil || !follow {
			return err
		}
		return p.follow(ctx, a, last)
	})
}

// records asks for records.
func (a admin) records(ctx context.Context, query url.Values) (page, error) {
	one, _, err := lookUp[page](ctx, a, "/audit/records", query)
	return one, err
}

// position is the last record that was printed.
type position struct {
	Seq uint64 `json:"seq"`
}

// follow prints what is written from now on. A server that is away is waited for.
func (p *program) follow(ctx context.Context, a admin, last position) error {
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(auditPoll):
		}
		err := p.catchUp(ctx, a, &last)
		var said *problem
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &said), err != nil && p.printed.failure() != nil:
			return err
		case err != nil && !away:
			p.warn("embedseal: %v; waiting for it", err)
		}
		away = err != nil
	}
}

// catchUp prints what was written since the last record that was printed.
func (p *program) catchUp(ctx context.Context, a admin, last *position) error {
	query := url.Values{"after": {strconv.FormatUint(last.Seq, 10)}, "limit": {strconv.Itoa(auditPage)}}
	for {
		one, err := a.records(ctx, query)
		if err != nil {
			return err
		}
		if err := p.printRecords(one.Items, last); err != nil || one.Next == nil {
			return err
		}
		query.Set("after", *one.Next)
	}
}

// printRecords prints the records behind the last one that was printed.
func (p *program) printRecords(items []json.RawMessage, last *position) error {
	for _, item := range items {
		at, err := understood[position](item)
		if err != nil {
			return err
		}
		if at.Seq <= last.Seq {
			continue
		}
		*last = at
		if err := p.printRecord(item); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) printRecord(item json.RawMessage) error {
	if p.output == "json" {
		return p.printRaw(item)
	}
	line, err := recordLine(item)
	if err != nil {
		return err
	}
	p.say("%s", line)
	return nil
}

// recordLine is a record for people: when, what came of what, then everything else
// by name, in the order of the log and without what only the chain needs.
func recordLine(item json.RawMessage) (string, error) {
	members := map[string]string{}
	var rest []string
	err := eachMember(item, func(name string, value json.RawMessage) error {
		var text string
		var list []string
		switch {
		case json.Unmarshal(value, &text) == nil:
		case json.Unmarshal(value, &list) == nil:
			text = strings.Join(list, ",")
		default:
			text = string(value)
		}
		switch name {
		case "time", "action", "outcome", "seq":
			members[name] = shown(text)
		case "mac", "log":
		default:
			if shown(text) != text || strings.Contains(text, " ") {
				text = strconv.Quote(text)
			}
			rest = append(rest, shown(name)+"="+text)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-7s  %-7s  %-13s  %s", members["time"], "#"+members["seq"], members["outcome"], members["action"],
		strings.Join(rest, " ")), " "), nil
}

// auditFilters are the flags of search that are parameters of the API.
func auditFilters() [][2]string {
	return [][2]string{
		{"group", "records of this group"},
		{"action", "records of this action, such as mint or rotate_key"},
		{"outcome", "records of this outcome: granted, refused, failed, intent or unknown"},
		{"since", "records of this time (RFC 3339, UTC) and later; a duration such as PT1H or P1D means so long ago"},
		{"until", "records before this time, or so long ago"},
		{"customer", "mints for this customer"},
		{"embed", "mints for this dashboard"},
		{"token-id", "requests with this API token"},
		{"key-id", "records of this embed secret"},
		{"fingerprint", "the mint of the embed token with this fingerprint, which inspect prints"},
		{"request-id", "records of the request that was answered with this X-Request-Id"},
	}
}

func (p *program) auditSearchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "search", Short: "Print the records that match every flag that is given",
		Long: "search prints the records that match, the newest last; all of them without --limit.",
		Example: "  embedseal audit search --group acme --outcome refused --since P1D\n" +
			"  embedseal audit search --customer customer_1 --since 2026-01-01T00:00:00Z --output json | jq '.items[].fingerprint'",
	}
	values := map[string]*string{}
	for _, f := range auditFilters() {
		values[f[0]] = c.Flags().String(f[0], "", f[1])
	}
	g := pagingFlags(c)
	closed(c, "action", auditActions()...)
	closed(c, "outcome", auditOutcomes()...)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		query := url.Values{}
		for flag, value := range values {
			if *value == "" {
				continue
			}
			text := *value
			if flag == "since" || flag == "until" {
				var err error
				if text, err = ago(text, time.Now()); err != nil {
					return usage(fmt.Errorf("--%s: %w", flag, err))
				}
			}
			query.Set(strings.ReplaceAll(flag, "-", "_"), text)
		}
		if p.output == "json" {
			return p.printItems(ctx, a, "/audit/records", query, g)
		}
		next, err := a.pages(ctx, "/audit/records", query, g, p.printRecord)
		if err == nil && next != "" {
			p.warn("There are more: --after %s", shown(next))
		}
		return err
	})
}

// ago is an instant: the one that is named, or the one so long before now.
func ago(text string, now time.Time) (string, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return instant(t), nil
	}
	d, err := iso8601.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%.40q is neither a time (RFC 3339) nor an ISO 8601 duration", text)
	}
	end, err := d.AddTo(now)
	if err != nil {
		return "", fmt.Errorf("%.40q is too long ago", text)
	}
	return instant(now.Add(now.Sub(end))), nil
}

// auditOutcomes are what can have come of it, for completion.
func auditOutcomes() []string { return []string{"granted", "refused", "failed", "intent", "unknown"} }

// auditActions are what records can be of, for completion.
func auditActions() []string {
	var names []string
	for _, a := range audit.Actions() {
		names = append(names, string(a))
	}
	return names
}

func (p *program) auditKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Show the key that the audit log is chained with",
		Long: "key shows what audit verify --key-file needs for archived files. Whoever has it can forge records: keep it apart\n" +
			"from them. Over TCP it needs a right of its own, and that it was shown is recorded.",
		Example: "  embedseal audit key --yes --secret-out audit-key",
	}
	out, sure := secretOutFlag(c, "the key"), p.confirmation(c)
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		if err := sure.possible("this shows a secret"); err != nil {
			return err
		}
		if err := sure.ask(ctx, "The key of the audit log will be shown: whoever has it can forge records. That it was shown will stand in the log."); err != nil {
			return err
		}
		if err := out.open(); err != nil {
			return err
		}
		defer out.close()
		got, err := a.do(ctx, adminCall{method: http.MethodGet, path: "/audit/key"})
		if err != nil {
			return err
		}
		body, lost := out.take(got.body, "key")
		return errors.Join(lost, show(p, body, func(v auditKey) error {
			if v.Key == "" {
				p.say("The key of the log %s is in %s.", shown(v.Log), out.path)
				return nil
			}
			p.say("%s", shown(v.Key))
			return nil
		}))
	})
}

// auditKey is the key of a log.
type auditKey struct {
	Log string `json:"log"`
	Key string `json:"key"`
}
