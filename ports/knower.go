package ports

import "embedseal/domain/group"

// Knower is a [GroupStore] that remembers what it was asked before.
type Knower interface {
	// Knows reports whether something is known of id already, so that asking for it
	// is no question about an invented name. It never asks a backend itself.
	Knows(id group.ID) bool
}
