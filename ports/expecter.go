package ports

import "embedseal/domain/group"

// Expecter is a [GroupStore] that likes to know which group it will be asked for in a
// moment, and fetches meanwhile what it has at hand of it.
type Expecter interface {
	// Expect says so. It answers nothing, waits for nobody and asks no backend: anybody can
	// name a group here, which need not be one, and nobody need ask for it after all.
	Expect(id group.ID)
}
