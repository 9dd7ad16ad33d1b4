package ports

import (
	"context"

	"embedseal/domain/group"
)

// Viewer is a [GroupStore] that can show a group without copying it and its API
// tokens, of which there may be a thousand.
type Viewer interface {
	// View is Group, and what it returns belongs to the store: nobody changes anything
	// of it, the store neither. After an error it is of no use.
	View(ctx context.Context, id group.ID) (*group.Group, error)
}
