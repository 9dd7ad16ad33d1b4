package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// tryTimeout and writeTimeout are those of the stores whose requests fail here.
const (
	tryTimeout   = 300 * time.Millisecond
	writeTimeout = 1500 * time.Millisecond
)

// operation is one call of a store, and the state that it begins with.
type operation struct {
	name    string
	prepare func(*testing.T, opened)
	run     func(context.Context, *testing.T, opened) error
	// steps: it writes more than one secret, so that a certain failure may leave
	// an earlier step done.
	steps bool
	// costly: its state takes long to make, so that the short form has a share of its
	// cases only.
	costly bool
}

func operations() []operation {
	const id = group.ID("acme")
	keys := func(names ...string) func(*testing.T, opened) {
		return func(t *testing.T, o opened) { o.add(t, id, names...) }
	}
	withGroup := func(names ...string) func(*testing.T, opened) {
		return func(t *testing.T, o opened) {
			if err := o.groups.CreateGroup(t.Context(), sampleGroup(id)); err != nil {
				t.Fatal(err)
			}
			keys(names...)(t, o)
		}
	}
	// Of these, the one with the number fullLedger moves others into a page.
	revoked := func(n int) func(*testing.T, opened) {
		return func(t *testing.T, o opened) {
			for i := range n {
				if _, err := o.revocations.Revoke(t.Context(), id, largeEntry(i), revocation.MaxEntries); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	revoke := func(ctx context.Context, _ *testing.T, o opened) error {
		_, err := o.revocations.Revoke(ctx, id, largeEntry(99), revocation.MaxEntries)
		return err
	}
	create := func(ctx context.Context, _ *testing.T, o opened) error {
		return o.groups.CreateGroup(ctx, sampleGroup(id))
	}
	return []operation{
		{"add the first key", keys(), func(ctx context.Context, t *testing.T, o opened) error {
			return o.keys.UpdateRing(ctx, id, adding(t, "new"))
		}, false, false},
		{"add a key", keys("k1", "k2"), func(ctx context.Context, t *testing.T, o opened) error {
			return o.keys.UpdateRing(ctx, id, adding(t, "new"))
		}, false, false},
		{"destroy a key", keys("k1", "k2", "k3"), func(ctx context.Context, _ *testing.T, o opened) error {
			return o.keys.UpdateRing(ctx, id, destroying("k2"))
		}, false, false},
		{"create a group", keys(), create, false, false},
		{"create a group over keys that were left", keys("k1", "k2"), create, true, false},
		{"update a group", withGroup(), func(ctx context.Context, _ *testing.T, o opened) error {
			return o.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
				g.Name = "new"
				return g, nil
			})
		}, false, false},
		{"delete a group", withGroup("k1", "k2"), func(ctx context.Context, _ *testing.T, o opened) error {
			return o.groups.DeleteGroup(ctx, id)
		}, true, false},
		{"revoke for the first time", revoked(0), revoke, false, false},
		{"revoke", revoked(2), revoke, false, false},
		{"revoke with a page", revoked(fullLedger), revoke, false, true},
		{"delete a group with revocations", func(t *testing.T, o opened) {
			withGroup()(t, o)
			revoked(2)(t, o)
		}, func(ctx context.Context, _ *testing.T, o opened) error {
			return o.groups.DeleteGroup(ctx, id)
		}, true, false},
	}
}

// fullLedger is how many entries, each as large as one may be, a ledger has beside no
// page.
const fullLedger = 13

// faults are what may happen to a request; applied by Vault or not.
func faults(address string) map[string]vaultfake.Fault {
	lost := http.StatusInternalServerError
	leadership := `{"errors":["leadership lost while committing log"]}`
	return map[string]vaultfake.Fault{
		"lost before it is applied":       {Skip: true, Lost: true},
		"the answer is lost":              {Lost: true},
		"the answer is cut off":           {Cut: true},
		"leadership lost, not applied":    {Skip: true, Status: lost, Body: leadership},
		"leadership lost, applied":        {Status: lost, Body: leadership},
		"sealed, not applied":             {Skip: true, Status: 503, Body: `{"errors":["Vault is sealed"]}`},
		"bad gateway, applied":            {Status: 502, Body: "<html>bad gateway</html>"},
		"missing state, not applied":      {Skip: true, Status: 412, Body: `{"errors":["required index state not present"]}`},
		"a standby of performance":        {Skip: true, Status: 473},
		"redirected in a circle":          {Skip: true, Status: 307, Location: address + "/v1/sys/circle"},
		"redirected to a stranger":        {Skip: true, Status: 307, Location: "http://127.0.0.2:1/v1/x"},
		"too many requests":               {Skip: true, Status: 429, Body: `{"errors":["rate limit quota exceeded"]}`},
		"success in HTML, not applied":    {Skip: true, Status: 200, Body: "<html>maintenance</html>"},
		"success in HTML, applied":        {Status: 200, Body: "<html>maintenance</html>"},
		"success without a body":          {Skip: true, Status: 200},
		"success of something else":       {Skip: true, Status: 200, Body: `{"data":{"version":99},"ok":true}`},
		"not found in HTML":               {Skip: true, Status: 404, Body: "<html>not here</html>"},
		"not found without a body":        {Skip: true, Status: 404},
		"too slow, not applied":           {Delay: 2 * tryTimeout, Skip: true},
		"too slow, applied in the end":    {Delay: 2 * tryTimeout},
		"not done, as it says by itself":  {Skip: true, Status: 400, Body: `{"errors":["something was wrong"]}`},
		"a mismatch, though it was first": {Status: 400, Body: `{"errors":["check-and-set parameter did not match the current version"]}`},
	}
}

// state is what the two secrets hold, less what differs from write to write.
type state struct {
	Group, Ring       string
	GroupVersions     int
	RingVersions      int
	DestroyedMaterial bool
	// Revoked has the numbers and ids of all entries.
	Revoked string
}

func stateOf(t *testing.T, s *site, prefix string, clean *vault.RevocationStore) state {
	t.Helper()
	document := func(folder string) (string, int) {
		r := s.ask(t, s.token, http.MethodGet, "secret/data/"+prefix+"/"+folder+"/acme", "")
		if r.status != http.StatusOK {
			return "", 0
		}
		data := r.member(t, "data")
		text, _ := data["data"].(map[string]any)["document"].(string)
		version, _ := data["metadata"].(map[string]any)["version"].(float64)
		return text, int(version)
	}
	var st state
	st.Group, st.GroupVersions = document("groups")
	st.Ring, st.RingVersions = document("rings")
	all, _ := stored(t, s, prefix, "rings", "acme")
	st.DestroyedMaterial = strings.Contains(all, material("k2"))
	c, err := clean.Changes(t.Context(), "acme", revocation.Cursor{})
	if err != nil || c.More {
		t.Errorf("the revocations cannot be read: %v", err)
	}
	for _, e := range c.Entries {
		st.Revoked += fmt.Sprintf("%d:%s ", e.Seq, e.ID)
	}
	return st
}

// spoiler makes one request of a store fail, or that one and all after it.
type spoiler struct {
	mu    sync.Mutex
	rules map[string]*spoiled
}

type spoiled struct {
	fault    vaultfake.Fault
	at, seen int
	onwards  bool
	hit      bool
}

func (s *spoiler) ask(r *http.Request) *vaultfake.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/sys/circle") {
		return &vaultfake.Fault{Skip: true, Status: 307, Location: r.URL.Path}
	}
	for prefix, rule := range s.rules {
		if !strings.Contains(r.URL.Path, "/"+prefix+"/") {
			continue
		}
		rule.seen++
		if rule.seen == rule.at || rule.onwards && rule.seen > rule.at {
			rule.hit = true
			f := rule.fault
			return &f
		}
	}
	return nil
}

func (s *spoiler) set(prefix string, rule *spoiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[prefix] = rule
}

// end lets all requests pass, and tells how many there were and whether one of
// them failed.
func (s *spoiler) end(prefix string) (seen int, hit bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := s.rules[prefix]
	delete(s.rules, prefix)
	return rule.seen, rule.hit
}

// round runs the operation in a store of its own.
type round struct {
	before, after state
	err           error
	took          time.Duration
	seen          int
	hit           bool
}

func (s *spoiler) round(t *testing.T, at *site, op operation, rule spoiled) round {
	t.Helper()
	cfg := at.tokenConfig()
	clean := mustOpen(t, patient(cfg))
	asRoot := openedOver(clean, cfg.Prefix)
	op.prepare(t, asRoot)
	cfg.TryTimeout, cfg.CallTimeout = tryTimeout, writeTimeout
	b := mustOpen(t, cfg)
	r := round{before: stateOf(t, at, cfg.Prefix, asRoot.revocations)}
	s.set(cfg.Prefix, &rule)
	began := time.Now()
	r.err = op.run(t.Context(), t, openedOver(b, cfg.Prefix))
	r.took = time.Since(began)
	r.seen, r.hit = s.end(cfg.Prefix)
	r.after = stateOf(t, at, cfg.Prefix, asRoot.revocations)
	return r
}

// undisturbed is a round in which nothing fails. On a machine that is busy a request
// may not be answered in time and be made again, so that it is that of three with the
// fewest.
func (s *spoiler) undisturbed(t *testing.T, at *site, op operation) (good round) {
	t.Helper()
	for i := range 3 {
		r := s.round(t, at, op, spoiled{at: never})
		if r.err != nil {
			t.Fatalf("%s: %v", op.name, r.err)
		}
		if i > 0 && r.seen != good.seen {
			t.Logf("%s: %d requests, and %d in another round", op.name, r.seen, good.seen)
		}
		if i == 0 || r.seen < good.seen {
			good = r
		}
	}
	return good
}

// never is the number of a request that is not made.
const never = 1 << 30

func TestNoWriteIsLostOrDoubledWhereverARequestFails(t *testing.T) { spoilEach(t, 4) }

func TestCampaignNoWriteIsLostOrDoubledWhereverARequestFails(t *testing.T) {
	porttest.LongFactor(t) // however long: all of them are needed
	spoilEach(t, 1)
}

// spoilEach makes each request of each operation fail in each way, alone and,
// in one of so many cases, with all that follow; of a costly operation only in one of
// so many cases at all.
func spoilEach(t *testing.T, share int) {
	fake := vaultfake.Start(t)
	at := fakeSite(fake)
	s := &spoiler{rules: map[string]*spoiled{}}
	fake.Intercept(s.ask)
	slots := make(chan struct{}, 24)
	var wg sync.WaitGroup
	cases := 0
	var tally counts
	for _, op := range operations() {
		wg.Wait() // no other round disturbs what is undisturbed
		good := s.undisturbed(t, at, op)
		weight := 1
		if op.costly { // a round of it takes so much of the processor that others run out of time
			weight = cap(slots) / 4
		}
		for name, f := range faults(fake.URL()) {
			for n := 1; n <= good.seen; n++ { // each request of the operation
				for _, onwards := range []bool{false, true} {
					if cases++; (onwards || op.costly) && cases/2%share != 0 {
						continue
					}
					for range weight {
						slots <- struct{}{}
					}
					wg.Go(func() {
						defer func() {
							for range weight {
								<-slots
							}
						}()
						r := s.round(t, at, op, spoiled{fault: f, at: n, onwards: onwards})
						for again := 0; again < 9 && !r.hit; again++ { // a machine that is busy can run out of time before it
							r = s.round(t, at, op, spoiled{fault: f, at: n, onwards: onwards})
						}
						what := fmt.Sprintf("%s: request %d of %d, onwards %t: %s", op.name, n, good.seen, onwards, name)
						tally.add(r.err)
						judgeRound(t, what, op, r, good)
						// One failure that leaves a doubt is settled, unless time runs out.
						if !onwards && errors.Is(r.err, ports.ErrUnknownOutcome) && r.took < writeTimeout/2 {
							t.Errorf("%s: got the error %v", what, r.err)
						}
					})
				}
			}
		}
	}
	wg.Wait()
	t.Logf("rounds by outcome: %v", tally.by)
}

// judgeRound compares what the store said with what is there.
func judgeRound(t *testing.T, what string, op operation, r, good round) {
	t.Helper()
	if !r.hit {
		t.Errorf("%s: the request was never made", what)
	}
	if limit := writeTimeout + time.Second; r.took > limit {
		t.Errorf("%s: it took %v", what, r.took)
	}
	unwritten, written := cmp.Equal(r.before, r.after), cmp.Equal(good.after, r.after)
	switch {
	case r.err == nil:
		if !written {
			t.Errorf("%s: it said done (-want +got):\n%s", what, cmp.Diff(good.after, r.after))
		}
	case errors.Is(r.err, ports.ErrUnknownOutcome):
		// A version more than there should be is a write that was made twice.
		if r.after.RingVersions > good.after.RingVersions && !op.steps || r.after.GroupVersions > max(good.after.GroupVersions, good.before.GroupVersions) ||
			len(r.after.Revoked) > max(len(good.after.Revoked), len(good.before.Revoked)) {
			t.Errorf("%s: a write was doubled: %+v", what, r.after)
		}
	case errors.Is(r.err, ports.ErrUnavailable):
		if !unwritten && !op.steps {
			t.Errorf("%s: it said %v, and something was written (-before +after):\n%s", what, r.err, cmp.Diff(r.before, r.after))
		}
	default:
		t.Errorf("%s: got the error %v", what, r.err)
	}
	for _, other := range sentinels() {
		if r.err != nil && errors.Is(r.err, other) && !errors.Is(r.err, ports.ErrUnavailable) && !errors.Is(other, ports.ErrUnknownOutcome) {
			t.Errorf("%s: the error %v also says %v", what, r.err, other)
		}
	}
}

// counts are rounds by what they ended with.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counts) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	switch {
	case err == nil:
		c.by["done"]++
	case errors.Is(err, ports.ErrUnknownOutcome):
		c.by["unknown"]++
	case errors.Is(err, ports.ErrSealed):
		c.by["sealed"]++
	case errors.Is(err, ports.ErrUnavailable):
		c.by["unavailable"]++
	default:
		c.by["other"]++
	}
}

func TestTheLedgerOfTheseTestsIsFull(t *testing.T) {
	s := fakeSite(vaultfake.Start(t))
	cfg := s.tokenConfig()
	b := mustOpen(t, cfg)
	mustRevoke(t, b, "acme", 0, fullLedger)
	if pages := pagesOf(t, s, cfg.Prefix); len(pages) > 0 {
		t.Errorf("it has the pages %v", pages)
	}
	mustRevoke(t, b, "acme", fullLedger, fullLedger+1)
	if pages := pagesOf(t, s, cfg.Prefix); len(pages) != 1 {
		t.Errorf("it has the pages %v", pages)
	}
}
