package app_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

// monthly is a group that rotates every thirty days.
func (b *governed) monthly(t *testing.T, id group.ID) {
	t.Helper()
	b.found(t, group.Group{ID: id, Policy: policy.Default(), RotateEvery: duration(t, "P30D")})
}

func (b *governed) schedule() *app.Schedule { return app.NewSchedule(b.stores, b.keys, b.clock) }

func TestADefaultIsReplacedWhenItIsDueAndNotBefore(t *testing.T) {
	b := govern(t)
	b.monthly(t, "globex")
	b.monthly(t, "initech") // has no key: the first mint makes one
	b.give(t, "globex", "k1", newKey("k1"))
	b.give(t, "acme", "k1", newKey("k1")) // which does not rotate by the calendar
	s := b.schedule()
	due := newKey("").CreatedAt.Add(30 * day)
	for _, at := range []time.Time{b.clock.now, due.Add(-time.Nanosecond)} {
		b.clock.now = at
		if done, next, err := s.Run(t.Context()); len(done) != 0 || !next.Equal(due) || err != nil {
			t.Errorf("at %s: %+v, next is %s, %v", at, done, next, err)
		}
	}
	b.clock.now = due
	done, _, err := s.Run(t.Context())
	if err != nil || len(done) != 1 || done[0].Group != "globex" || done[0].Due != "k1" || !done[0].Since.Equal(due) || done[0].Err != nil {
		t.Fatalf("done was %+v, %v", done, err)
	}
	ring := b.ring(t, "globex")
	old, _ := ring.Find("k1")
	if ring.DefaultID() != done[0].Made || ring.Len() != 2 || !old.RetiresAt.Equal(due.Add(7*day)) {
		t.Errorf("the default is %s, the old key %+v", ring.DefaultID(), old)
	}
	if b.ring(t, "acme").Len() != 1 || b.ring(t, "initech").Len() != 0 {
		t.Error("another group was rotated")
	}
	if e := b.log.of(audit.ActionRotateKey); len(e) != 2 || e[1].Operator != "schedule" || e[1].Outcome != audit.Granted || e[1].Group != "globex" {
		t.Errorf("recorded are %+v", e)
	}
	if done, next, err := s.Run(t.Context()); len(done) != 0 || !next.Equal(due.Add(30*day)) || err != nil {
		t.Errorf("at once again: %+v, next is %s, %v", done, next, err)
	}
}

func TestOfManyReplicasOneRotates(t *testing.T) {
	const replicas = 8
	b := govern(t)
	b.monthly(t, "globex")
	b.give(t, "globex", "k1", newKey("k1"))
	b.clock.now = b.clock.now.Add(31 * day)
	b.stores.onRing = gate(replicas) // all of them see that it is due
	made := make([]key.ID, replicas)
	var all sync.WaitGroup
	for i := range replicas {
		all.Go(func() {
			done, _, err := b.schedule().Run(t.Context())
			if err != nil || len(done) != 1 || done[0].Err != nil {
				t.Errorf("done was %+v, %v", done, err)
				return
			}
			made[i] = done[0].Made
		})
	}
	all.Wait()
	b.stores.onRing = nil
	ring, winners := b.ring(t, "globex"), 0
	for _, id := range made {
		if id != "" {
			winners++
		}
	}
	if winners != 1 || ring.Len() != 2 || !cmp.Equal(b.vault.there, []key.ID{ring.DefaultID()}) {
		t.Errorf("%d won, the ring has %d keys, the custody keeps %v", winners, ring.Len(), b.vault.there)
	}
}

func TestAGroupThatFailsIsTriedAgainLaterAndKeepsNobodyWaiting(t *testing.T) {
	b := govern(t)
	b.monthly(t, "aaa")
	b.monthly(t, "globex")
	b.give(t, "aaa", "k1", newKey("k1"))
	b.give(t, "globex", "k1", newKey("k1"))
	b.clock.now = b.clock.now.Add(31 * day)
	b.log.refuse = func(e audit.Event) error {
		if e.Group == "aaa" {
			return ports.ErrUnavailable
		}
		return nil
	}
	s := b.schedule()
	done, _, err := s.Run(t.Context())
	if err != nil || len(done) != 2 || !errors.Is(done[0].Err, app.ErrAudit) || done[1].Err != nil || done[1].Made == "" {
		t.Fatalf("done was %+v, %v", done, err)
	}
	for _, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		b.clock.now = b.clock.now.Add(pause - time.Second)
		if done, _, err := s.Run(t.Context()); len(done) != 0 || err != nil {
			t.Fatalf("before %s had gone by: %+v, %v", pause, done, err)
		}
		b.clock.now = b.clock.now.Add(time.Second)
		if done, _, err := s.Run(t.Context()); len(done) != 1 || done[0].Err == nil || err != nil {
			t.Fatalf("after %s: %+v, %v", pause, done, err)
		}
	}
	b.log.refuse = nil
	b.clock.now = b.clock.now.Add(time.Hour)
	if done, _, err := s.Run(t.Context()); err != nil || len(done) != 1 || done[0].Group != "aaa" || done[0].Made == "" {
		t.Errorf("once the log can be written: %+v, %v", done, err)
	}
}

func TestAStoreThatCannotBeReadIsSaid(t *testing.T) {
	b := govern(t)
	b.monthly(t, "globex")
	b.stores.ringErr = ports.ErrSealed
	if done, _, err := b.schedule().Run(t.Context()); err != nil || len(done) != 1 || !errors.Is(done[0].Err, ports.ErrSealed) {
		t.Errorf("the ring: %+v, %v", done, err)
	}
	b.stores.groupErr = ports.ErrSealed
	if done, _, err := b.schedule().Run(t.Context()); err != nil || len(done) != 2 || !errors.Is(done[1].Err, ports.ErrSealed) {
		t.Errorf("the groups: %+v, %v", done, err)
	}
}

func TestOfManyReplicasOneRotatesOnEveryStore(t *testing.T) {
	const replicas = 8
	eachSite(t, func(t *testing.T, s *site) {
		if err := s.groups.CreateGroup(t.Context(), group.Group{ID: "acme", Policy: policy.Default(), RotateEvery: duration(t, "P30D")}); err != nil {
			t.Fatal(err)
		}
		old := newKey("old") // made in March
		if err := s.stores.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) { return r.WithDefault(old) }); err != nil {
			t.Fatal(err)
		}
		clock := &movable{old.CreatedAt.Add(31 * day)}
		keys := app.NewKeys(s.groups, s.stores, s.custody, newChanges(&journal{}), clock, &dice{}, 0)
		var all sync.WaitGroup
		for range replicas {
			all.Go(func() {
				done, _, err := app.NewSchedule(s.groups, keys, clock).Run(t.Context())
				for _, one := range done {
					if one.Err != nil {
						t.Error(one.Err)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		ring, err := s.stores.Ring(t.Context(), "acme")
		if err != nil || ring.Len() != 2 || ring.DefaultID() == "old" || !cmp.Equal(s.custody.there, []key.ID{ring.DefaultID()}) {
			t.Errorf("the ring has %d keys, the default is %s, the custody keeps %v; %v", ring.Len(), ring.DefaultID(), s.custody.there, err)
		}
	})
}
