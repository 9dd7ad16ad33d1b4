package main

import (
	"context"
	"log/slog"
	"time"

	"embedseal/app"
)

// tallyInterval is how often what was counted of strangers is recorded.
const tallyInterval = time.Second

// keepTallies records what was counted of refusals, every second and when the
// returned func is called.
func keepTallies(ctx context.Context, refusals *app.Refusals, log *slog.Logger) (end func()) {
	ctx = context.WithoutCancel(ctx)
	stop := beside(ctx, ticking(tallyInterval, func(ctx context.Context) {
		_ = refusals.Flush(ctx, false) // counted on; the next request is told
	}))
	return func() {
		stop()
		if err := refusals.Flush(ctx, true); err != nil {
			log.Error("refusals that were counted could not be recorded", "error", err)
		}
	}
}
