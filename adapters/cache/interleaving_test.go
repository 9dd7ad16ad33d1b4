package cache_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"embedseal/adapters/cache"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
)

// TestAFillThatBeganBeforeAWriteIsDropped stops a reader between the store's
// answer and the cache, lets a write happen in the meantime, and looks at what
// the cache says afterwards.
func TestAFillThatBeganBeforeAWriteIsDropped(t *testing.T) {
	ring := func(l *cache.Local) { _, _ = l.Ring(t.Context(), "acme") }
	grp := func(l *cache.Local) { _, _ = l.Group(t.Context(), "acme") }
	update := func(l *cache.Local) error { return l.UpdateRing(t.Context(), "acme", adding("k2")) }
	rename := func(l *cache.Local) error { return l.UpdateGroup(t.Context(), "acme", naming("two")) }
	recreate := func(l *cache.Local) error {
		return errors.Join(l.DeleteGroup(t.Context(), "acme"), l.CreateGroup(t.Context(), group.Group{ID: "acme", Name: "two", Policy: policy.Default()}))
	}
	for _, tt := range []struct {
		sentence  string
		read      func(*cache.Local)
		write     func(*cache.Local) error
		defaultID key.ID
		name      string
	}{
		{"a ring and its update", ring, update, "k2", "one"},
		{"a group and its update", grp, rename, "k1", "two"},
		{"a ring and the group made anew", ring, recreate, "", "two"},
		{"a group and the group made anew", grp, recreate, "", "two"},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, never read before: %t", tt.sentence, first), func(t *testing.T) {
				s := newSlow()
				l := filled(t, s)
				if first {
					l = cache.NewLocal(s, s) // knows nothing, not even a generation
				}
				answered, goOn := make(chan struct{}), make(chan struct{})
				var once sync.Once
				s.answered = func() {
					once.Do(func() {
						close(answered)
						<-goOn
					})
				}
				var reader sync.WaitGroup
				reader.Go(func() { tt.read(l) })
				<-answered // the reader holds what was there before…
				if err := tt.write(l); err != nil {
					t.Fatal(err)
				}
				close(goOn) // …and brings it to the cache now
				reader.Wait()
				wants(t, l, tt.defaultID, tt.name)
				wants(t, l, tt.defaultID, tt.name)
			})
		}
	}
}

func TestReadersAndWritersTogetherNeverSeeAnOlderRingAgain(t *testing.T) {
	const updates = 200
	s := newSlow()
	l := filled(t, s)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := 0; ; {
				r, err := l.Ring(t.Context(), "acme")
				if err != nil || r.Len() < last {
					t.Errorf("got %d keys after %d, and %v", r.Len(), last, err)
					return
				}
				last = r.Len()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range updates {
		if err := l.UpdateRing(t.Context(), "acme", adding(key.ID(fmt.Sprint("n", i)))); err != nil {
			t.Fatal(err)
		}
		if r, err := l.Ring(t.Context(), "acme"); err != nil || r.Len() != i+2 {
			t.Fatalf("after update %d the writer sees %d keys (%v)", i, r.Len(), err)
		}
	}
	close(done)
	readers.Wait()
}

// TestWhoSawTheNewRingIsNotShownTheOldOneAgain stops one reader with the old
// ring in hand and the writer between the store and its answer.
func TestWhoSawTheNewRingIsNotShownTheOldOneAgain(t *testing.T) {
	s := newSlow()
	l := filled(t, s)
	oldRead, giveOld := make(chan struct{}), make(chan struct{})
	newWritten, answer := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	s.answered = func() {
		if !asked.Swap(true) { // not sync.Once: that would hold back the later readers too
			close(oldRead)
			<-giveOld
		}
	}
	s.written = func() {
		close(newWritten)
		<-answer
	}
	var reader, writer sync.WaitGroup
	reader.Go(func() { _, _ = l.Ring(t.Context(), "acme") })
	<-oldRead
	writer.Go(func() {
		if err := l.UpdateRing(t.Context(), "acme", adding("k2")); err != nil {
			t.Error(err)
		}
	})
	<-newWritten
	wants(t, l, "k2", "one")
	close(giveOld) // the old ring comes to the cache, and the write is not over
	reader.Wait()
	wants(t, l, "k2", "one")
	close(answer)
	writer.Wait()
	wants(t, l, "k2", "one")
}
