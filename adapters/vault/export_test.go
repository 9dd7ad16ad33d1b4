package vault

import "context"

// Doctor is what [Examine] finds, where one is logged in already.
func (b *Backend) Doctor(ctx context.Context) []Finding { return b.examine(ctx).Findings }
