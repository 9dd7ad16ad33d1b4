package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

// stepping is a log of one entry for each step, and each takes a second to read. The last
// one revokes what [process.ask] asks about.
type stepping struct {
	ports.RevocationStore
	steps int
	asked atomic.Int64
	// fails is the question that is not answered, counted from 1.
	fails atomic.Int64
	why   error
}

func (s *stepping) Changes(ctx context.Context, _ group.ID, since revocation.Cursor) (revocation.Changes, error) {
	asked := s.asked.Add(1)
	time.Sleep(time.Second)
	if asked == s.fails.Load() {
		return revocation.Changes{}, fmt.Errorf("store: %w", s.why)
	}
	if err := ctx.Err(); err != nil {
		return revocation.Changes{}, err
	}
	next := revocation.Cursor{Log: "log", Seq: since.Seq + 1}
	e := revocation.Entry{
		Seq: next.Seq, ID: revocation.NewID([8]byte{byte(next.Seq)}), Kind: revocation.Customer, Subject: fmt.Sprint("another-", next.Seq),
		Before: now().Truncate(time.Second), CreatedAt: now().Truncate(time.Second), ExpiresAt: now().Truncate(time.Second).AddDate(100, 0, 0),
	}
	if next.Seq == uint64(s.steps) {
		e.Subject = "customer_1"
	}
	return revocation.Changes{
		Entries: []revocation.Entry{e}, Next: next, Anew: since == revocation.Cursor{}, More: next.Seq < uint64(s.steps),
	}, nil
}

// bubble is the clock of a test with a time of its own.
type bubble struct{}

func (bubble) Now() time.Time { return time.Now() }

func askFor(t *testing.T, r *app.Revoked) (bool, error) {
	t.Helper()
	return r.Revoked(t.Context(), "acme", token.Fingerprint{1}, token.Claims{
		Customer: "customer_1", Embed: "abcde", IssuedAt: now().Add(-time.Minute),
	}, "key-1")
}

// Requests give up after four seconds; reading does not, and whoever asks later finds
// it done.
func TestALogThatTakesLongToReadIsReadOnceWhileRequestsGiveUp(t *testing.T) {
	for name, fresh := range map[string]app.Freshness{"alone": {}, "shared": {Shared: true, FreshFor: time.Minute, Grace: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &stepping{steps: 11}
				revoked := app.NewRevoked(store, fresh, bubble{})
				began := time.Now()
				for _, after := range []time.Duration{4 * time.Second, 8 * time.Second} {
					if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrUnavailable) || time.Since(began) != after {
						t.Fatalf("after %s: got %v, want %v after %s", time.Since(began), err, ports.ErrUnavailable, after)
					}
				}
				if is, err := askFor(t, revoked); err != nil || !is || time.Since(began) != 11*time.Second {
					t.Fatalf("after %s: revoked is %t (%v)", time.Since(began), is, err)
				}
				// Those who gave up need not have waited.
				store.asked.Store(0)
				if is, err := askFor(t, revoked); err != nil || !is || store.asked.Load() > 0 {
					t.Errorf("revoked is %t (%v), after %d more questions", is, err, store.asked.Load())
				}
			})
		})
	}
}

func TestALogIsReadWhileNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stepping{steps: 30}
		revoked := app.NewRevoked(store, app.Freshness{Shared: true, FreshFor: time.Minute, Grace: time.Hour}, bubble{})
		if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatal(err)
		}
		time.Sleep(27 * time.Second)
		began := time.Now()
		if is, err := askFor(t, revoked); err != nil || !is || time.Since(began) > 0 || store.asked.Load() != 30 {
			t.Errorf("after %s: revoked is %t (%v), %d questions", time.Since(began), is, err, store.asked.Load())
		}
	})
}

// A store that does not answer in the middle costs one step, not all of them: else a
// long log might never be read while the store is under load.
func TestALogWhoseReadingFailsInTheMiddleIsReadOnFromThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stepping{steps: 9, why: ports.ErrUnavailable}
		store.fails.Store(3)
		revoked := app.NewRevoked(store, app.Freshness{Shared: true, FreshFor: time.Minute, Grace: time.Hour}, bubble{})
		if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if held := revoked.Held(); len(held) > 0 {
			t.Errorf("half a log counts as known: %+v", held)
		}
		store.fails.Store(4) // nothing was read at all in that try
		if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		for {
			is, err := askFor(t, revoked)
			if err == nil && is {
				break
			}
			if !errors.Is(err, ports.ErrUnavailable) || store.asked.Load() > 30 {
				t.Fatalf("revoked is %t (%v)", is, err)
			}
		}
		if held := revoked.Held(); store.asked.Load() != 9+2 || len(held) != 1 || held[0].Entries != 9 {
			t.Errorf("%d questions for 9 steps, held are %+v", store.asked.Load(), held)
		}
	})
}

func TestALogThatCannotBeReadInTheMiddleIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stepping{steps: 3, why: ports.ErrUnavailable}
		store.fails.Store(2)
		revoked := app.NewRevoked(store, app.Freshness{}, bubble{})
		if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		store.why = ports.ErrCorrupt
		store.fails.Store(3)
		if _, err := askFor(t, revoked); !errors.Is(err, ports.ErrCorrupt) {
			t.Fatalf("got %v", err)
		}
		is, err := askFor(t, revoked)
		if held := revoked.Held(); err != nil || !is || store.asked.Load() != 3+3 || len(held) != 1 || held[0].Entries != 3 {
			t.Errorf("revoked is %t (%v) after %d questions, held are %+v", is, err, store.asked.Load(), held)
		}
	})
}
