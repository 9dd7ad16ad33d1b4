package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// Store is the data that the stores of this package share.
type Store struct {
	mu      sync.RWMutex
	groups  map[group.ID]group.Group
	rings   map[group.ID]key.Ring
	logs    map[string]audit.State
	revoked map[group.ID]revocations
	drawn   uint64
}

// Open returns an empty store.
func Open() *Store {
	return &Store{
		groups: map[group.ID]group.Group{}, rings: map[group.ID]key.Ring{},
		logs: map[string]audit.State{}, revoked: map[group.ID]revocations{},
	}
}

// check answers for a context that is done, and for an id that no constructor
// made.
func check(ctx context.Context, id group.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := group.ParseID(string(id)); err != nil {
		return fmt.Errorf("%w: group %.50q", ports.ErrNotFound, id)
	}
	return nil
}

// clone shares nothing with g that either side could change in place.
func clone(g group.Group) group.Group {
	g.Tokens = slices.Clone(g.Tokens)
	return g
}
