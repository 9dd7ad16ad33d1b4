package app_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/ports"
)

// wrist is a clock that is set.
type wrist struct {
	mu  sync.Mutex
	now time.Time
}

func (w *wrist) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wrist) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// flood is strangers who are refused.
type flood struct {
	*app.Refusals
	log   *noting
	clock *wrist
}

func newFlood() flood {
	log, clock := &noting{}, &wrist{now: now()}
	return flood{app.NewRefusals(log, clock), log, clock}
}

func (f flood) refuse(t *testing.T, name, code string, times int) {
	t.Helper()
	for i := range times {
		what := app.Refusal{Action: audit.ActionRequest, Code: code}
		if err := f.Count(t.Context(), app.Call{RequestID: fmt.Sprint(code, i), Remote: name}, app.Actor{}, name, what); err != nil {
			t.Fatal(err)
		}
	}
}

// want compares what was recorded, as remote, code and how many.
func (f flood) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, e := range f.log.events {
		got = append(got, fmt.Sprint(e.Remote, " ", e.Code, " ", max(e.Alike, 1)))
	}
	f.log.events = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

func TestAFloodOfStrangersIsTwoRecordsASecond(t *testing.T) {
	f := newFlood()
	f.refuse(t, "192.0.2.1", "unauthenticated", 1000)
	f.want(t, "192.0.2.1 unauthenticated 1")
	f.refuse(t, "192.0.2.2", "unauthenticated", 2)
	f.refuse(t, "192.0.2.1", "rate_limited", 3)
	f.want(t, "192.0.2.2 unauthenticated 1", "192.0.2.1 rate_limited 1")
	if err := f.Flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	f.want(t) // the second is not over
	f.clock.advance(time.Second)
	f.refuse(t, "192.0.2.2", "unauthenticated", 1)
	f.want(t, "192.0.2.2 unauthenticated 2") // with the one before
	if err := f.Flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, e := range f.log.events {
		total += e.Alike
	}
	if len(f.log.events) != 2 || total != 999+2 {
		t.Errorf("recorded %+v", f.log.events)
	}
}

func TestTheLastCountIsNotLost(t *testing.T) {
	f := newFlood()
	f.refuse(t, "192.0.2.1", "unauthenticated", 5)
	f.want(t, "192.0.2.1 unauthenticated 1")
	if err := f.Flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	f.want(t, "192.0.2.1 unauthenticated 4")
	if err := f.Flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	f.want(t)
}

func TestWhatCannotBeRecordedIsCountedOn(t *testing.T) {
	f := newFlood()
	f.refuse(t, "192.0.2.1", "unauthenticated", 5)
	f.want(t, "192.0.2.1 unauthenticated 1")
	f.log.err = ports.ErrUnavailable
	if err := f.Flush(t.Context(), true); !errors.Is(err, app.ErrAudit) {
		t.Fatalf("got %v, want %v", err, app.ErrAudit)
	}
	what := app.Refusal{Action: audit.ActionRequest, Code: "unauthenticated"}
	for range 3 { // each is answered with the error
		if err := f.Count(t.Context(), app.Call{Remote: "192.0.2.1"}, app.Actor{}, "192.0.2.1", what); !errors.Is(err, app.ErrAudit) {
			t.Fatalf("got %v, want %v", err, app.ErrAudit)
		}
	}
	f.log.err, f.log.events = nil, nil
	f.refuse(t, "192.0.2.1", "unauthenticated", 1)
	f.want(t, "192.0.2.1 unauthenticated 5")
}

func TestNoRefusalIsLostAmongMany(t *testing.T) {
	const callers, each = 8, 500
	f := newFlood()
	log := &journal{}
	refusals := app.NewRefusals(log, f.clock)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				what := app.Refusal{Action: audit.ActionRequest, Code: "unauthenticated"}
				if err := refusals.Count(t.Context(), app.Call{}, app.Actor{}, fmt.Sprint(i%3), what); err != nil {
					t.Error(err)
				}
				f.clock.advance(7 * time.Millisecond)
			}
		})
		wg.Go(func() {
			for range each / 10 {
				if err := refusals.Flush(t.Context(), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := refusals.Flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, e := range log.events {
		total += max(e.Alike, 1)
	}
	if total != callers*each {
		t.Errorf("%d refusals were recorded, want %d", total, callers*each)
	}
}
