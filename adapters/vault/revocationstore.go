package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/ports"
)

var _ ports.RevocationStore = (*RevocationStore)(nil)

const (
	// pagesAtOnce is how many pages are read for one question.
	pagesAtOnce = 32
	// readers is how many of them are asked for at the same time: a million entries
	// are thousands of pages, and whoever starts waits for all.
	readers = 8
)

// RevocationStore is a ports.RevocationStore: one secret for the ledger of each
// group, which is written with a check-and-set, and one for each of its pages, which
// is written once, before the ledger lists it.
type RevocationStore struct{ b *Backend }

// NewRevocationStore returns the revocation store that lies in b.
func NewRevocationStore(b *Backend) *RevocationStore { return &RevocationStore{b} }

// Revoke implements ports.RevocationStore.
func (s *RevocationStore) Revoke(ctx context.Context, g group.ID, e revocation.Entry, room int) (revocation.Cursor, error) {
	if err := checkID(ctx, g); err != nil {
		return revocation.Cursor{}, err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	var end revocation.Cursor
	err := race(ctx, within, "revoke in "+string(g), func() error {
		l, old, err := s.b.readLedger(within, g)
		if err != nil {
			return err
		}
		w, err := l.With(e, room, drawName)
		if err != nil {
			return &refusal{err}
		}
		if ctx.Err() != nil {
			return &refusal{ctx.Err()}
		}
		end = revocation.Cursor{Log: w.Ledger.Log, Seq: w.Ledger.Seq}
		return s.write(within, g, old, w)
	})
	if err != nil {
		return revocation.Cursor{}, err
	}
	return end, nil
}

// write writes the page, if there is one, the ledger, and removes the pages that
// it lists no more. Those that cannot be removed now stay, and nobody reads them.
func (s *RevocationStore) write(ctx context.Context, g group.ID, old record, w ledger.Written) error {
	var page record
	if w.Page != nil {
		doc, err := codec.EncodePage(g, w.Ledger.Log, *w.Page, w.Entries)
		if err != nil {
			return &refusal{err}
		}
		if page, err = s.b.put(ctx, folderRevoked, pageName(g, *w.Page), record{}, doc, false); err != nil {
			return err
		}
	}
	doc, err := codec.EncodeLedger(g, w.Ledger)
	if err != nil {
		return &refusal{err}
	}
	_, err = s.b.put(ctx, folderRevocations, g, old, doc, false)
	switch {
	case err == nil:
		s.b.erasePages(ctx, g, w.Dropped)
	case w.Page != nil && !errors.Is(err, ports.ErrUnknownOutcome): // no ledger lists it
		_ = s.b.erase(ctx, folderRevoked, pageName(g, *w.Page), page, false)
	}
	return err
}

// Changes implements ports.RevocationStore. A page that is not there any more
// belonged to a ledger that has been replaced: that is read anew.
func (s *RevocationStore) Changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error) {
	if err := checkID(ctx, g); err != nil {
		return revocation.Changes{}, err
	}
	changes, err := s.changes(ctx, g, since)
	return changes, explain(ctx, "read the revocations of "+string(g), err)
}

func (s *RevocationStore) changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error) {
	var last int64
	for {
		l, r, err := s.b.readLedger(ctx, g)
		if err != nil {
			return revocation.Changes{}, err
		}
		pages := s.readPages(ctx, g, l, l.Unread(since, pagesAtOnce))
		changes, err := l.Since(since, pagesAtOnce, func(p ledger.Page) ([]revocation.Entry, error) {
			read := pages[p.ID]
			return read.entries, read.err
		})
		if !errors.Is(err, errVanished) || r.version == last {
			return changes, err
		}
		last = r.version
	}
}

// pageRead is what came of reading a page.
type pageRead struct {
	entries []revocation.Entry
	err     error
}

// readPages reads pages, a few at a time.
func (s *RevocationStore) readPages(ctx context.Context, g group.ID, l ledger.Ledger, pages []ledger.Page) map[string]pageRead {
	read := make([]pageRead, len(pages))
	var next atomic.Int64
	var reading sync.WaitGroup
	for range min(readers, len(pages)) {
		reading.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(pages); i = int(next.Add(1)) - 1 {
				read[i].entries, read[i].err = s.readPage(ctx, g, l, pages[i])
			}
		})
	}
	reading.Wait()
	all := make(map[string]pageRead, len(pages))
	for i, p := range pages {
		all[p.ID] = read[i]
	}
	return all
}

func (s *RevocationStore) readPage(ctx context.Context, g group.ID, l ledger.Ledger, p ledger.Page) ([]revocation.Entry, error) {
	page, err := s.b.read(ctx, folderRevoked, pageName(g, p))
	if err != nil {
		return nil, err
	}
	if !page.found {
		return nil, errVanished
	}
	return codec.DecodePage(g, l.Log, p, []byte(page.Document))
}

// errVanished is of a page that a ledger lists and that is not there.
var errVanished = fmt.Errorf("%w: a page of revocations is missing", ports.ErrCorrupt)

// readLedger is the ledger of a group, an empty one if it has none.
func (b *Backend) readLedger(ctx context.Context, g group.ID) (ledger.Ledger, record, error) {
	r, err := b.read(ctx, folderRevocations, g)
	if err != nil || !r.found {
		return ledger.Ledger{}, r, err
	}
	l, err := codec.DecodeLedger(g, []byte(r.Document))
	return l, r, err
}

// emptyLedger begins the log of a group anew, over what an earlier group left. It
// does not remove it: with a check-and-set nothing is lost that a group has written
// which was made in the meantime.
func (b *Backend) emptyLedger(ctx context.Context, g group.ID) error {
	l, old, err := b.readLedger(ctx, g)
	if err != nil || l.Seq == 0 {
		return err
	}
	doc, err := codec.EncodeLedger(g, ledger.Ledger{Log: drawName()})
	if err != nil {
		return &refusal{err}
	}
	if _, err := b.put(ctx, folderRevocations, g, old, doc, false); err != nil {
		return err
	}
	b.erasePages(ctx, g, l.Pages)
	return nil
}

// erasePages removes pages that no ledger lists, as many as there is time for.
func (b *Backend) erasePages(ctx context.Context, g group.ID, pages []ledger.Page) {
	for _, p := range pages {
		if ctx.Err() != nil || b.erase(ctx, folderRevoked, pageName(g, p), record{}, false) != nil {
			return
		}
	}
}

func pageName(g group.ID, p ledger.Page) group.ID { return g + "-" + group.ID(p.ID) }

// drawName is the name of a log or of a page.
func drawName() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
