package ports

import (
	"context"

	"embedseal/domain/group"
)

// Viewer is a [GroupStore] that can show a group without copying its API tokens,
// of which there may be a thousand.
type Viewer interface {
	// View is Group, and what it returns belongs to the store: the caller changes
	// nothing in its slices, and does not hand them on.
	View(ctx context.Context, id group.ID) (group.Group, error)
}
