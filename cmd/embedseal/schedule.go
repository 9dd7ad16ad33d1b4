package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"embedseal/adapters/httpapi"
	"embedseal/app"
	"embedseal/ports"
)

// codes name in the audit log what is answered.
func codes() app.Coder { return httpapi.CodeOf }

const (
	// scheduleInterval is how often it is looked for groups whose default key is due.
	scheduleInterval = 5 * time.Minute
	// scheduleSpread keeps replicas from making a key each at the same second, of
	// which all but one would be thrown away.
	scheduleSpread = 10 * time.Second
)

// keepSchedule replaces default keys when their groups' calendar says so. The
// returned func ends that, and waits for a rotation that is under way.
func keepSchedule(ctx context.Context, s *app.Schedule, log *slog.Logger) (end func()) {
	return beside(ctx, func(ctx context.Context) { rotateOnSchedule(ctx, s, log) })
}

func rotateOnSchedule(ctx context.Context, s *app.Schedule, log *slog.Logger) {
	for {
		done, next, err := s.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn("it cannot be told whether a key is due for rotation", "error", err)
		}
		for _, t := range done {
			switch {
			case errors.Is(t.Err, ports.ErrReadOnly):
				log.Warn("a key is due for rotation, and this server may not write; one that may has to run", "group", string(t.Group), "key_id", string(t.Due))
			case t.Err != nil:
				log.Error("a key is due for rotation and could not be replaced; it will be tried again",
					"group", string(t.Group), "key_id", string(t.Due), "error", t.Err)
			case t.Made != "":
				log.Info("rotated", "group", string(t.Group), "key_id", string(t.Made), "replaces", string(t.Due), "due", t.Since)
			}
		}
		wait := scheduleInterval
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), 0))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + rand.N(scheduleSpread)): //nolint:gosec // nobody gains by guessing it
		}
	}
}
