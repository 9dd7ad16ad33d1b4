package ledger

import "embedseal/domain/revocation"

// The bounds, for the tests.
const (
	TailSize = tailSize
	MaxDrops = maxDrops
)

// Size bounds what entries take in a document.
func Size(entries []revocation.Entry) int { return size(entries) }
