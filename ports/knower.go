package ports

import "embedseal/domain/group"

// Knower is a [GroupStore] that remembers what it was asked before.
type Knower interface {
	// Knows reports whether [GroupStore.Group] can answer for id without asking a
	// backend. It never asks one itself.
	Knows(id group.ID) bool
}
