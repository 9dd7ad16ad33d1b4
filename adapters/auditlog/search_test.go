package auditlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/audit"
)

// found are the request ids of what a search found.
func found(t *testing.T, f audit.Found) []string {
	t.Helper()
	var ids []string
	for _, text := range f.Lines {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		ids = append(ids, l.RequestID)
	}
	return ids
}

func (b *book) search(t *testing.T, q audit.Query, w audit.Window) audit.Found {
	t.Helper()
	f, err := b.Search(t.Context(), q, w)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// library is a log of several files.
func library(t *testing.T) *book {
	t.Helper()
	b := newBook(t, small)
	for i := range 30 {
		e := event(fmt.Sprint("r", i))
		e.Time = noon().Add(time.Duration(i) * time.Minute)
		e.Group = []string{"acme", "globex", "acme2"}[i%3]
		if i%10 == 9 {
			e.Outcome, e.Code = audit.Refused, "unknown_key"
		}
		if i == 20 {
			e.Customer = `x","group":"acme`
		}
		if err := b.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.files(t)) < 5 {
		t.Fatal("the log is in one file: the test looks at too little")
	}
	return b
}

func TestASearchFindsWhatHasAllThatIsAsked(t *testing.T) {
	b := library(t)
	minted := minted()
	for what, tt := range map[string]struct {
		q    audit.Query
		want []string
	}{
		"a group, not one that begins like it": {audit.Query{Group: "acme", Since: noon().Add(21 * time.Minute)}, []string{"r21", "r24", "r27"}},
		"a text in another member is none":     {audit.Query{Group: "acme", Since: noon().Add(20 * time.Minute), Until: noon().Add(21 * time.Minute)}, nil},
		"a text with quotes":                   {audit.Query{Customer: `x","group":"acme`}, []string{"r20"}},
		"an outcome":                           {audit.Query{Outcome: audit.Refused}, []string{"r9", "r19", "r29"}},
		"a code and a group":                   {audit.Query{Code: "unknown_key", Group: "globex"}, []string{"r19"}},
		"an action of the log itself":          {audit.Query{Action: audit.ActionAuditOpened}, []string{""}},
		"a request":                            {audit.Query{RequestID: "r7"}, []string{"r7"}},
		"a time":                               {audit.Query{Since: noon().Add(5 * time.Minute), Until: noon().Add(7 * time.Minute)}, []string{"r5", "r6"}},
		"a time in another zone":               {audit.Query{Since: noon().Add(5 * time.Minute).In(time.FixedZone("", 7200)), Until: noon().Add(6 * time.Minute)}, []string{"r5"}},
		"everything of one record": {audit.Query{
			Group: "globex", Action: audit.ActionMint, Outcome: audit.Granted, RequestID: "r1", Remote: minted.Remote, TokenID: "t1", KeyID: "k1",
			Customer: "customer_1", Embed: "abcde", Chart: "c1", Fingerprint: minted.Fingerprint.String(),
		}, []string{"r1"}},
		"nothing that is there": {audit.Query{Embed: "abc"}, nil},
	} {
		if diff := cmp.Diff(tt.want, found(t, b.search(t, tt.q, audit.Window{}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(tt.want, found(t, b.search(t, tt.q, audit.Window{Last: true}))); diff != "" {
			t.Errorf("the last: %s (-want +got):\n%s", what, diff)
		}
	}
}

// TestPagesTogetherAreTheWhole is the law of windows.
func TestPagesTogetherAreTheWhole(t *testing.T) {
	b := library(t)
	all := found(t, b.search(t, audit.Query{Group: "acme"}, audit.Window{}))
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(rt, "limit")
		var pages []string
		w := audit.Window{Limit: limit}
		for {
			f := b.search(t, audit.Query{Group: "acme"}, w)
			if len(f.Lines) > limit {
				rt.Fatalf("%d lines, want at most %d", len(f.Lines), limit)
			}
			pages = append(pages, found(t, f)...)
			if f.Next == 0 {
				if f.Seq != b.Status().Seq {
					rt.Fatalf("looked up to %d, want %d", f.Seq, b.Status().Seq)
				}
				break
			}
			w.After = f.Next
		}
		if !slices.Equal(pages, all) {
			rt.Fatalf("pages of %d: %v, want %v", limit, pages, all)
		}
		last := found(t, b.search(t, audit.Query{Group: "acme"}, audit.Window{Limit: limit, Last: true}))
		if want := all[max(0, len(all)-limit):]; !slices.Equal(last, want) {
			rt.Fatalf("the last %d: %v, want %v", limit, last, want)
		}
	})
}

func TestWhoWaitsGoesOnBehindWhatWasLookedAt(t *testing.T) {
	b := library(t)
	f := b.search(t, audit.Query{Group: "nobody"}, audit.Window{})
	if len(f.Lines) != 0 || f.Seq != b.Status().Seq {
		t.Fatalf("%+v", f)
	}
	b.record(t, "new1", "new2")
	f = b.search(t, audit.Query{}, audit.Window{After: f.Seq})
	if diff := cmp.Diff([]string{"new1", "new2"}, found(t, f)); diff != "" {
		t.Error(diff)
	}
	if f = b.search(t, audit.Query{}, audit.Window{After: f.Seq}); len(f.Lines) != 0 || f.Next != 0 {
		t.Errorf("%+v", f)
	}
}

func TestASearchIsBoundedAndCanBeGivenUp(t *testing.T) {
	b := newBook(t)
	for i := range audit.MaxPage + 1100 {
		b.record(t, fmt.Sprint("r", i))
	}
	f := b.search(t, audit.Query{}, audit.Window{Limit: 1 << 30})
	if len(f.Lines) != audit.MaxPage || f.Next != audit.MaxPage {
		t.Errorf("%d lines, next %d", len(f.Lines), f.Next)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Search(ctx, audit.Query{Group: "nobody"}, audit.Window{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestIntentsWithoutAnOutcomeAreListed(t *testing.T) {
	b := newBook(t, small)
	for i, outcome := range []audit.Outcome{
		audit.Intent, audit.Granted, audit.Intent, audit.Failed, audit.Intent, audit.Unknown, audit.Intent, audit.Refused, audit.Intent,
	} {
		e := change(fmt.Sprint("r", i))
		e.Outcome, e.Change = outcome, fmt.Sprint("change", i/2)
		if err := b.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	r := b.wantVerified(t, audit.OpenIntent)
	if f := r.Findings[0]; !r.OK() || f.Seq != 10 || !strings.Contains(f.Detail, "create_key") || f.Line == 0 {
		t.Errorf("%+v", r)
	}
}
