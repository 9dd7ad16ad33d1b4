package main

import (
	"context"
	"log/slog"
	"time"

	"embedseal/app"
)

const (
	// usesInterval is how often it is looked for last uses of API tokens that may be
	// written again.
	usesInterval = time.Minute
	// usesGrace bounds the last write, which a server that ends waits for.
	usesGrace = 5 * time.Second
)

// keepUses writes the last uses of API tokens. The returned func ends that, with
// what is not written yet.
func keepUses(ctx context.Context, uses *app.LastUse, log *slog.Logger) (end func()) {
	ctx = context.WithoutCancel(ctx)
	failing := false // it is tried every minute, and said once
	stop := beside(ctx, ticking(usesInterval, func(ctx context.Context) {
		err := uses.Flush(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn("the last use of API tokens cannot be written now, and will be", "error", err)
		}
		failing = err != nil
	}))
	return func() {
		stop()
		last, done := context.WithTimeout(ctx, usesGrace)
		defer done()
		if err := uses.Close(last); err != nil {
			log.Warn("the last use of API tokens could not be written", "error", err)
		}
	}
}
