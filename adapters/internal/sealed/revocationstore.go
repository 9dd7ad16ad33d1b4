package sealed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/ledger"
	"embedseal/adapters/internal/records"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/ports"
)

var _ ports.RevocationStore = (*RevocationStore)(nil)

// pagesAtOnce is how many pages are read for one question.
const pagesAtOnce = 64

// RevocationStore is a ports.RevocationStore: one record for the ledger of each
// group, and one for each of its pages.
type RevocationStore struct{ store *records.Store }

// NewRevocationStore returns the revocation store that lies in s.
func NewRevocationStore(s *records.Store) *RevocationStore { return &RevocationStore{store: s} }

// Revoke implements ports.RevocationStore.
func (s *RevocationStore) Revoke(ctx context.Context, g group.ID, e revocation.Entry, room int) (revocation.Cursor, error) {
	if err := checkID(ctx, g); err != nil {
		return revocation.Cursor{}, err
	}
	var end revocation.Cursor
	err := s.store.Update(ctx, func(tx *records.Tx) error {
		l, err := readLedger(tx.Get, g)
		if err != nil {
			return err
		}
		w, err := l.With(e, room, draw)
		if err != nil {
			return err
		}
		end = revocation.Cursor{Log: w.Ledger.Log, Seq: w.Ledger.Seq}
		for _, p := range w.Dropped {
			if err := tx.Delete(records.KindRevoked, pageName(g, p)); err != nil {
				return err
			}
		}
		if w.Page != nil {
			doc, err := codec.EncodePage(g, w.Ledger.Log, *w.Page, w.Entries)
			if err != nil {
				return err
			}
			if err := tx.Put(records.KindRevoked, pageName(g, *w.Page), doc); err != nil {
				return err
			}
		}
		doc, err := codec.EncodeLedger(g, w.Ledger)
		if err != nil {
			return err
		}
		return tx.Put(records.KindRevocation, string(g), doc)
	})
	return end, err
}

// Changes implements ports.RevocationStore. A page that vanishes while it is read
// belonged to a ledger that has been replaced: that is read anew.
func (s *RevocationStore) Changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error) {
	for {
		if err := checkID(ctx, g); err != nil {
			return revocation.Changes{}, err
		}
		l, err := readLedger(s.store.Get, g)
		if err != nil {
			return revocation.Changes{}, err
		}
		changes, err := l.Since(since, pagesAtOnce, func(p ledger.Page) ([]revocation.Entry, error) {
			doc, err := s.store.Get(records.KindRevoked, pageName(g, p))
			if err != nil {
				return nil, err
			}
			if doc == nil {
				return nil, errVanished
			}
			return codec.DecodePage(g, l.Log, p, doc)
		})
		if err == nil {
			return changes, nil
		}
		now, readErr := readLedger(s.store.Get, g)
		if readErr != nil || now.Log == l.Log && now.Seq == l.Seq {
			return revocation.Changes{}, err
		}
	}
}

// errVanished is of a page that a ledger lists and that is not there.
var errVanished = fmt.Errorf("sealed: read a page of revocations: %w: it is missing", ports.ErrCorrupt)

// verify reads the whole log of a group.
func (s *RevocationStore) verify(ctx context.Context, g group.ID) error {
	var at revocation.Cursor
	for {
		changes, err := s.Changes(ctx, g, at)
		if err != nil || !changes.More {
			return err
		}
		at = changes.Next
	}
}

// readLedger is the ledger of a group, an empty one if it has none.
func readLedger(get func(records.Kind, string) ([]byte, error), g group.ID) (ledger.Ledger, error) {
	doc, err := get(records.KindRevocation, string(g))
	if err != nil || doc == nil {
		return ledger.Ledger{}, err
	}
	return codec.DecodeLedger(g, doc)
}

// forgetRevocations removes the ledger of a group with its pages.
func forgetRevocations(tx *records.Tx, g group.ID) error {
	l, err := readLedger(tx.Get, g)
	if err != nil {
		return err
	}
	for _, p := range l.Pages {
		if err := tx.Delete(records.KindRevoked, pageName(g, p)); err != nil {
			return err
		}
	}
	return tx.Delete(records.KindRevocation, string(g))
}

func pageName(g group.ID, p ledger.Page) string { return string(g) + "-" + p.ID }

// draw is the name of a log or of a page.
func draw() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
