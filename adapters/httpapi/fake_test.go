package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// recorder is an auditor that remembers, and can refuse, wait or panic.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
	fail   error
	// spare is how many records are taken before fail.
	spare int
	// refuse, when set, is what is answered to an event.
	refuse func(audit.Event) error
	panics any
	// entered gets a value before each record, and gate holds it back.
	entered, gate chan struct{}
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	if r.entered != nil {
		r.entered <- struct{}{}
	}
	if r.gate != nil {
		<-r.gate
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panics != nil {
		panic(r.panics)
	}
	if r.fail != nil && r.spare == 0 {
		return r.fail
	}
	if r.refuse != nil {
		if err := r.refuse(e); err != nil {
			return err
		}
	}
	r.spare = max(r.spare-1, 0)
	r.events = append(r.events, e)
	return nil
}

// take returns what was recorded since the last time.
func (r *recorder) take() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// all returns what was recorded and not taken.
func (r *recorder) all() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Event{}, r.events...)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// logbook is where a test's server logs to.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// faultyGroups, faultyKeys, faultyCustody and faultyCipher answer with fail, or
// panic with it, where it is set.
type faultyGroups struct {
	ports.GroupStore
	fail error
}

func (f faultyGroups) Group(ctx context.Context, id group.ID) (group.Group, error) {
	if f.fail != nil {
		return group.Group{}, f.fail
	}
	return f.GroupStore.Group(ctx, id)
}

type faultyKeys struct {
	ports.KeyStore
	fail, failUpdate error
	// entered gets a value before each read of a ring, which then waits for its
	// context to end.
	entered chan struct{}
	panics  any
}

func (f faultyKeys) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if f.entered != nil {
		f.entered <- struct{}{}
		<-ctx.Done()
		return key.Ring{}, ctx.Err()
	}
	if f.panics != nil {
		panic(f.panics)
	}
	if f.fail != nil {
		return key.Ring{}, f.fail
	}
	return f.KeyStore.Ring(ctx, g)
}

func (f faultyKeys) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	if f.failUpdate != nil {
		return f.failUpdate
	}
	return f.KeyStore.UpdateRing(ctx, g, change)
}

type faultyCustody struct {
	ports.KeyCustody
	fail error
}

func (f faultyCustody) Create(context.Context, group.ID, key.ID) (key.Key, error) {
	return key.Key{}, f.fail
}

type faultyCipher struct{ fail error }

func (f faultyCipher) Seal(context.Context, group.ID, *key.Sealer, []byte) ([]byte, error) {
	return nil, f.fail
}

func (f faultyCipher) Open(context.Context, group.ID, key.Key, jwe.Compact) ([]byte, error) {
	return nil, f.fail
}

// meter counts answers by their code, and those of the administration API.
type meter struct {
	mu           sync.Mutex
	answers      map[string]int
	verified     map[string]int
	administered map[string]int
	forwarded    map[string]int
}

// Verified counts what was answered to tokens.
func (m *meter) Verified(code string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.verified == nil {
		m.verified = map[string]int{}
	}
	m.verified[code]++
}

func (m *meter) Answered(code string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[code]++
}

// Administered counts under the route and the status, such as
// "/admin/v1/groups 200".
func (m *meter) Administered(route string, status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.administered == nil {
		m.administered = map[string]int{}
	}
	m.administered[fmt.Sprintf("%s %d", route, status)]++
}

// Forwarded counts under the outcome.
func (m *meter) Forwarded(outcome string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forwarded == nil {
		m.forwarded = map[string]int{}
	}
	m.forwarded[outcome]++
}

// forwards is how many answers to proxies had each outcome.
func (m *meter) forwards() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.forwarded)
}

// count is how many answers had that code, and how many there were.
func (m *meter) count(code string) (of, all int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.answers {
		all += n
	}
	return m.answers[code], all
}
