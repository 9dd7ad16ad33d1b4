package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// shown is text of others as it may stand on a terminal: whatever would not print
// as itself is escaped, and then the whole stands in quotes.
func shown(text string) string {
	if strings.HasPrefix(text, `"`) {
		return strconv.Quote(text)
	}
	if strings.TrimSpace(text) != text {
		return strconv.Quote(text)
	}
	for _, r := range text {
		if !strconv.IsPrint(r) || r == '\ufffd' {
			return strconv.Quote(text)
		}
	}
	return text
}

// cell is shown, and a dash for nothing.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return shown(text)
}

// table prints rows in columns. What is in a cell is never taken for more than
// text.
type table struct{ w *tabwriter.Writer }

func (p *program) table(header ...string) table {
	t := table{w: tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)}
	_, _ = fmt.Fprintln(t.w, strings.Join(header, "\t"))
	return t
}

func (t table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = cell(c)
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t table) end() error {
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// list prints names and their values, in turn; what has no value is left out.
func (p *program) list(pairs ...string) error {
	w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", pairs[i], shown(pairs[i+1]))
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// moment is an instant for people, and how far off it is.
func moment(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	text := t.UTC().Format(time.RFC3339)
	if left := t.Sub(now); left > 0 {
		return text + " (in " + roughly(left) + ")"
	}
	return text + " (" + roughly(now.Sub(*t)) + " ago)"
}

// instant is an instant for people.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// hour is when something was, of which only the hour is kept; a moment in it would
// lie before things that came first.
func hour(began *time.Time) string {
	if began == nil {
		return ""
	}
	return "in the hour from " + instant(*began)
}

// roughly is a duration in its largest unit of which there are two, rounded.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*unit.length {
			return strconv.FormatInt(int64(d.Round(unit.length)/unit.length), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10) + "s"
}

// joined is a list of texts on one line.
func joined(texts []string) string {
	out := make([]string, len(texts))
	for i, text := range texts {
		if out[i] = text; strings.ContainsAny(text, `,"`) {
			out[i] = strconv.Quote(text)
		}
	}
	return strings.Join(out, ", ")
}

// printRaw prints an answer of the API as it came.
func (p *program) printRaw(body []byte) error {
	if _, err := fmt.Fprintf(p.stdout, "%s\n", body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// show prints an answer: as it came, or as text makes of it.
func show[T any](p *program, body []byte, text func(T) error) error {
	if p.output == "json" {
		return p.printRaw(body)
	}
	v, err := understood[T](body)
	if err != nil {
		return err
	}
	return text(v)
}

// understood reads an answer. Members that this build does not know are left
// aside: a newer server may have more.
func understood[T any](body []byte) (T, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("read the answer: %w", err)
	}
	return v, nil
}

// explained prints what a server that refuses says, for programs; people get it
// as any other failure.
func (p *program) explained(err error) error {
	var said *problem
	if p.output != "json" || !errors.As(err, &said) {
		return err
	}
	if err := p.printRaw(said.body); err != nil {
		return err
	}
	return &failed{code: exitRefused, err: fmt.Errorf("%w: %w", errSaid, said)}
}
