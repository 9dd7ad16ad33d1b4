package sealed

import (
	"context"

	"embedseal/adapters/internal/records"
)

// Verify reads every record of the store, and says how many groups there are. The
// index was verified when s was opened.
//
// Errors: ErrCorrupt, which names the record; those of the medium; ctx.Err().
func Verify(ctx context.Context, s *records.Store) (groups int, err error) {
	if err := s.Verify(ctx); err != nil {
		return 0, err
	}
	ids, err := NewGroupStore(s).Groups(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := NewGroupStore(s).Group(ctx, id); err != nil {
			return 0, err
		}
		if _, err := NewKeyStore(s).Ring(ctx, id); err != nil {
			return 0, err
		}
		if err := NewRevocationStore(s).verify(ctx, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
