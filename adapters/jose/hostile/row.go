package hostile

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"embedseal/domain/key"
	"embedseal/domain/verdict"
)

//go:embed tokens.txt
var table string

// Good is what a row expects that is no attack, so that the others are refused for
// what they are and not for what they have in common.
const Good = "active"

// Row is one token that is presented.
type Row struct {
	// Line is its place in tokens.txt.
	Line int
	// Section is the heading that it stands under.
	Section string
	// Reason is what is to be said of it; empty where it is good.
	Reason verdict.Reason
	// Check is the check of the gate that it is to fail at, or words of the refusal; empty where the reason says it all.
	Check    string
	Sentence string
	// Text is the token.
	Text string
	// Origin, Embed and Chart are presented with it; nil is not given.
	Origin, Embed, Chart *string
}

// Rows makes every row, for a service whose clock shows now and whose group has
// [Ring].
func Rows(now time.Time) ([]Row, error) {
	var rows []Row
	section := ""
	for i, line := range strings.Split(table, "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = heading
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row, err := parse(line, now)
		if err != nil {
			return nil, fmt.Errorf("hostile: line %d: %w", i+1, err)
		}
		row.Line, row.Section = i+1, section
		rows = append(rows, row)
	}
	return rows, nil
}

var errColumns = errors.New("a row has three columns")

func parse(line string, now time.Time) (Row, error) {
	columns := strings.SplitN(line, " | ", 3)
	if len(columns) != 3 {
		return Row{}, errColumns
	}
	want, check, _ := strings.Cut(strings.TrimSpace(columns[0]), "/")
	row := Row{Reason: verdict.Reason(want), Check: check, Sentence: strings.TrimSpace(columns[1])}
	if want == Good {
		row.Reason = ""
	}
	m := newMaker(now)
	for step := range strings.SplitSeq(strings.TrimSpace(columns[2]), " ;; ") {
		if err := m.take(step, &row); err != nil {
			return Row{}, fmt.Errorf("%q: %w", step, err)
		}
	}
	row.Text = m.text()
	return row, nil
}

// The keys of the group that the rows are presented to. The last is of another group.
const (
	Active    = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	Overlap   = "in-its-overlap"
	Retiring  = "retiring"
	Disabled  = "disabled"
	Destroyed = "destroyed"
	Foreign   = "foreign"
)

// Value is the value of an embed secret of that id, of any id.
func Value(id string) string {
	const fill = "0123456789abcdef0123456789abcdef"
	return (id + fill)[:key.SecretSize]
}

// Needed is for how long after now [Retiring] is needed yet: no token of it is good
// that lives on.
const Needed = time.Hour

// Ring is the keys of the group, but for [Foreign]. Its maximum lifetime is to be 30
// days.
func Ring(now time.Time) (key.Ring, error) {
	var ring key.Ring
	past := now.Add(-24 * time.Hour).UTC().Truncate(time.Second)
	for _, k := range []key.Key{
		{ID: Active, State: key.Active},
		{ID: Overlap, State: key.Active, RetiresAt: past.Add(48 * time.Hour), SafeToDestroyAt: past.Add(40 * 24 * time.Hour)},
		{ID: Retiring, State: key.Retiring, RetiresAt: past.Add(-40 * 24 * time.Hour), SafeToDestroyAt: now.Add(Needed).UTC().Truncate(time.Second)},
		{ID: Disabled, State: key.Disabled},
		{ID: Destroyed, State: key.Destroyed},
	} {
		k.Custody, k.CreatedAt = key.Material, past.Add(-60*24*time.Hour)
		if k.State != key.Destroyed {
			secret, err := key.ParseSecret(Value(string(k.ID)))
			if err != nil {
				return key.Ring{}, fmt.Errorf("hostile: %w", err)
			}
			k.Secret = secret
		}
		var err error
		if ring, err = ring.With(k); err != nil {
			return key.Ring{}, fmt.Errorf("hostile: %w", err)
		}
	}
	return ring, nil
}
