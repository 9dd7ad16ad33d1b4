package records

import (
	"context"
	"fmt"

	"embedseal/ports"
)

// Verify reads and verifies every record that the index lists.
//
// Errors: ErrCorrupt, which names kind and id; those of the medium; ctx.Err().
func (s *Store) Verify(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	x, err := s.settle()
	if err != nil {
		return err
	}
	for i := range x.shards {
		for _, e := range x.shards[i].entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := s.load(e.name, e.version); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckKey reports whether the store in m was made under key, from its header
// alone.
//
// Errors: ErrNotFound, ErrWrongMasterKey, ErrCorrupt, ErrMasterKey, those of the
// medium.
func CheckKey(m Medium, key MasterKey) error {
	if key.IsZero() {
		return fmt.Errorf("records: check the master key: %w: there is none", ErrMasterKey)
	}
	header, err := m.Load(headerName)
	if err != nil {
		return err
	}
	if header == nil {
		return fmt.Errorf("records: check the master key: %w: there is no header", ports.ErrNotFound)
	}
	_, err = decodeHeader(header, key)
	return err
}
