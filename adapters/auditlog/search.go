package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"

	"embedseal/domain/audit"
)

// filter is a query in the form in which lines are written: there is one way to
// write a member, and no text within another one looks like it.
type filter struct {
	members      [][]byte
	since, until string
}

func newFilter(q audit.Query) filter {
	var f filter
	for name, value := range map[string]string{
		"group": q.Group, "action": string(q.Action), "outcome": string(q.Outcome), "code": q.Code, "request_id": q.RequestID,
		"remote": q.Remote, "operator": q.Operator, "token_id": q.TokenID, "key_id": q.KeyID, "target": q.Target, "change": q.Change,
		"customer": q.Customer, "embed": q.Embed, "chart": q.Chart, "fingerprint": q.Fingerprint,
	} {
		if value != "" {
			f.members = append(f.members, appendMember(nil, name, value))
		}
	}
	if !q.Since.IsZero() {
		f.since = q.Since.UTC().Format(timeLayout)
	}
	if !q.Until.IsZero() {
		f.until = q.Until.UTC().Format(timeLayout)
	}
	return f
}

func (f filter) matches(e entry) bool {
	if f.since != "" || f.until != "" {
		at := string(e.text[len(lineStart) : len(lineStart)+timeLength])
		if at < f.since || f.until != "" && at >= f.until {
			return false
		}
	}
	for _, m := range f.members {
		if !bytes.Contains(e.text, m) {
			return false
		}
	}
	return true
}

// Search implements ports.AuditReader.
func (l *Log) Search(ctx context.Context, q audit.Query, w audit.Window) (audit.Found, error) {
	if w.Limit < 1 || w.Limit > audit.MaxPage {
		w.Limit = audit.MaxPage
	}
	sources, head, err := l.snapshot()
	if err != nil {
		return audit.Found{}, err
	}
	found := audit.Found{Seq: head.Seq}
	if w.Last {
		found.Lines, err = lastMatches(ctx, sources, newFilter(q), w)
		return found, err
	}
	var last uint64
	for i, s := range sources {
		if i+1 < len(sources) && sources[i+1].first <= w.After+1 {
			closeUnread(s)
			continue
		}
		err := each(ctx, s, newFilter(q), w.After, func(e entry) bool {
			if len(found.Lines) == w.Limit {
				found.Next, found.Seq = last, last
				return false
			}
			found.Lines, last = append(found.Lines, slices.Clone(e.text)), e.Seq
			return true
		})
		if err != nil {
			return audit.Found{}, err
		}
		if found.Next > 0 {
			for _, rest := range sources[i+1:] {
				closeUnread(rest)
			}
			break
		}
	}
	return found, nil
}

// lastMatches are the last matches of all, looked for from the last file back.
func lastMatches(ctx context.Context, sources []source, f filter, w audit.Window) ([][]byte, error) {
	var found [][]byte
	for _, s := range slices.Backward(sources) {
		missing := w.Limit - len(found)
		if missing == 0 {
			closeUnread(s)
			continue
		}
		ring := make([][]byte, 0, missing)
		oldest := 0
		err := each(ctx, s, f, w.After, func(e entry) bool {
			if len(ring) < missing {
				ring = append(ring, slices.Clone(e.text))
				return true
			}
			ring[oldest] = append(ring[oldest][:0], e.text...)
			oldest = (oldest + 1) % missing
			return true
		})
		if err != nil {
			return nil, err
		}
		found = slices.Concat(ring[oldest:], ring[:oldest], found)
	}
	return found, nil
}

// each calls do with every match of the file after that record, until it returns
// false. What it is given is valid for the call.
func each(ctx context.Context, s source, f filter, after uint64, do func(entry) bool) error {
	err := s.scan(ctx, func(l line) bool {
		e, ok := parse(l.text)
		return !ok || e.Seq <= after || !f.matches(e) || do(e)
	})
	if errors.Is(err, fs.ErrNotExist) { // removed since, as configured
		return nil
	}
	return err
}

// closeUnread gives back what a snapshot holds open.
func closeUnread(s source) {
	if f, err := s.open(); err == nil {
		_ = f.Close()
	}
}
