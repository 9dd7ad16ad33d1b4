package app

import (
	"context"
	"fmt"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// readGroup is the group of that id, with words for what the store answers
// otherwise.
func readGroup(ctx context.Context, from ports.GroupStore, id group.ID) (group.Group, error) {
	g, err := from.Group(ctx, id)
	if err != nil {
		return group.Group{}, fmt.Errorf("read group %s: %w", id, err)
	}
	return g, nil
}

// readRing is readGroup for the ring of a group.
func readRing(ctx context.Context, from ports.KeyStore, id group.ID) (key.Ring, error) {
	ring, err := from.Ring(ctx, id)
	if err != nil {
		return key.Ring{}, fmt.Errorf("read ring of %s: %w", id, err)
	}
	return ring, nil
}
