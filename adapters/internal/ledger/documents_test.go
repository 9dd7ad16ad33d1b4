package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/domain/label"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

func names() func() string {
	return func() string { return fmt.Sprintf("%08x", rand.Uint32()) }
}

// longest is an entry that takes as much in a document as one can.
func longest(t *testing.T, n int, char string) revocation.Entry {
	t.Helper()
	e := entry(n, start(), time.Hour)
	e.Note = strings.Repeat(char, label.MaxNote/len(char))
	e.Subject = strings.Repeat(char, token.MaxID/len(char))
	if char == "\n" || char == "\u2028" { // not in an id, and not in a note
		e.Subject = strings.Repeat("\"", token.MaxID)
	}
	if char == "\u2028" {
		e.Subject, e.Note = strings.Repeat(char, token.MaxID/len(char)), ""
	}
	var err error
	if e.Creation, err = replay.Of("key", "scope", nil); err != nil {
		t.Fatal(err)
	}
	return e
}

// No document is longer than Vault takes where it lies in Consul, whose values have up
// to 512 KiB; there, it is a text within JSON.
func TestNoDocumentIsLongerThanItsStoreTakes(t *testing.T) {
	const (
		most      = 480 << 10
		mostPage  = 130 << 10
		mostVault = 512 << 10
	)
	g := group.ID(strings.Repeat("g", group.MaxID))
	for _, char := range []string{"<", "\"", "\\", "\n", "\u2028", "a", "ü", ""} {
		t.Run(fmt.Sprintf("%q", char), func(t *testing.T) {
			// As many pages as there may be, and numbers as long as they may be.
			l := ledger.Ledger{Log: "00000000"}
			for n := range ledger.MaxPages - 1 {
				l.Seq = math.MaxUint32 + uint64(n)*1000
				l.Pages = append(l.Pages, ledger.Page{ID: fmt.Sprintf("%08x", n), Last: l.Seq, Count: 500, Dies: start().Add(time.Hour)})
			}
			var largest, page, inVault int
			for n := 0; ; n++ {
				e := entry(n, start(), time.Hour)
				if char != "" {
					e = longest(t, n, char)
				}
				w, err := l.With(e, math.MaxInt, names())
				if errors.Is(err, revocation.ErrFull) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				l = w.Ledger
				if w.Page == nil && ledger.Size(l.Tail) < ledger.TailSize-10_000 {
					continue
				}
				doc, err := codec.EncodeLedger(g, l)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := json.Marshal(string(doc))
				largest, inVault = max(largest, len(doc)), max(inVault, len(text))
				if w.Page != nil {
					doc, err := codec.EncodePage(g, l.Log, *w.Page, w.Entries)
					if err != nil {
						t.Fatal(err)
					}
					page = max(page, len(doc))
				}
			}
			t.Logf("a ledger has up to %d bytes, in Vault %d, a page %d", largest, inVault, page)
			if largest > most || page > mostPage || inVault > mostVault {
				t.Errorf("the most are %d, in Vault %d, a page %d", most, mostVault, mostPage)
			}
		})
	}
}

// Dead pages that are still listed do not count.
func TestDeadPagesThatAreStillListedTakeNoRoom(t *testing.T) {
	l := ledger.Ledger{Log: "00000000"}
	for n := range 3 * ledger.MaxDrops {
		l.Seq += 10
		l.Pages = append(l.Pages, ledger.Page{ID: fmt.Sprintf("%08x", n), Last: l.Seq, Count: 10, Dies: start()})
	}
	later := start().Add(revocation.Slack + time.Second)
	for n := range 3 {
		w, err := l.With(entry(n, later, time.Hour), 3, names())
		if err != nil {
			t.Fatalf("entry %d: %v", n, err)
		}
		l = w.Ledger
	}
	if _, err := l.With(entry(3, later, time.Hour), 3, names()); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("got %v, want %v", err, revocation.ErrFull)
	}
}
