package memory

import (
	"context"
	"slices"
	"strconv"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/ports"
)

var _ ports.RevocationStore = (*RevocationStore)(nil)

// pagesAtOnce is how many pages are read for one question.
const pagesAtOnce = 64

// revocations is the log of one group, and the pages that it lists.
type revocations struct {
	ledger ledger.Ledger
	pages  map[string][]revocation.Entry
}

// RevocationStore is a ports.RevocationStore.
type RevocationStore struct{ store *Store }

// NewRevocationStore returns the revocation store of s.
func NewRevocationStore(s *Store) *RevocationStore { return &RevocationStore{store: s} }

// Revoke implements ports.RevocationStore.
func (s *RevocationStore) Revoke(ctx context.Context, g group.ID, e revocation.Entry, room int) (revocation.Cursor, error) {
	if err := check(ctx, g); err != nil {
		return revocation.Cursor{}, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	log := s.store.revoked[g]
	w, err := log.ledger.With(e, room, s.store.draw)
	if err != nil {
		return revocation.Cursor{}, err
	}
	if log.pages == nil {
		log.pages = map[string][]revocation.Entry{}
	}
	for _, p := range w.Dropped {
		delete(log.pages, p.ID)
	}
	if w.Page != nil {
		log.pages[w.Page.ID] = w.Entries
	}
	log.ledger = w.Ledger
	s.store.revoked[g] = log
	return revocation.Cursor{Log: log.ledger.Log, Seq: log.ledger.Seq}, nil
}

// Changes implements ports.RevocationStore.
func (s *RevocationStore) Changes(ctx context.Context, g group.ID, since revocation.Cursor) (revocation.Changes, error) {
	if err := check(ctx, g); err != nil {
		return revocation.Changes{}, err
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	log := s.store.revoked[g]
	changes, err := log.ledger.Since(since, pagesAtOnce, func(p ledger.Page) ([]revocation.Entry, error) {
		return log.pages[p.ID], nil
	})
	changes.Entries = slices.Clone(changes.Entries)
	return changes, err
}

// draw is a name that no log and no page of this store has had. The lock is held.
func (s *Store) draw() string {
	s.drawn++
	return strconv.FormatUint(s.drawn, 16)
}
