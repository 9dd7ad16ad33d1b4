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
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(tallyInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = refusals.Flush(ctx, false) // counted on; the next request is told
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		if err := refusals.Flush(context.WithoutCancel(ctx), true); err != nil {
			log.Error("refusals that were counted could not be recorded", "error", err)
		}
	}
}
