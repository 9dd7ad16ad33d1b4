package main

import (
	"context"
	"errors"
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
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	tell := func(err error) {
		if err != nil && !errors.Is(err, context.Canceled) { // whatever was cut short, the end writes
			log.Warn("the last use of API tokens could not be written", "error", err)
		}
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(usesInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				tell(uses.Flush(ctx))
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		last, done := context.WithTimeout(context.WithoutCancel(ctx), usesGrace)
		defer done()
		tell(uses.Close(last))
	}
}
