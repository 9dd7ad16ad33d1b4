package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

// slowKeys makes a race of updates likely, and remembers what was written.
type slowKeys struct {
	ports.KeyStore
	mu      *sync.Mutex
	defined *[]key.ID
}

func (s slowKeys) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	return s.KeyStore.UpdateRing(ctx, g, func(r key.Ring) (key.Ring, error) {
		time.Sleep(time.Millisecond)
		next, err := change(r)
		if err == nil {
			s.mu.Lock()
			*s.defined = append(*s.defined, next.DefaultID())
			s.mu.Unlock()
		}
		return next, err
	})
}

func TestAHundredFirstRequestsMakeOneDefaultKey(t *testing.T) {
	var defined []key.ID
	s := open(t, func(s *setup) { s.keys = slowKeys{KeyStore: s.keys, mu: &sync.Mutex{}, defined: &defined} })
	defined = nil
	answers := make([]answer, 100)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range answers {
		all.Go(func() {
			<-begin
			answers[i] = s.send(t, request{body: minimal, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("bare", "rw")}})
		})
	}
	close(begin)
	all.Wait()

	ring, err := s.keys.Ring(t.Context(), "bare")
	if err != nil {
		t.Fatal(err)
	}
	if ring.Len() != 1 || len(defined) != 1 || ring.DefaultID() != defined[0] {
		t.Fatalf("the ring has %d keys, its default is %s, written were %v", ring.Len(), ring.DefaultID(), defined)
	}
	k := ring.Keys()[0]
	for _, a := range answers {
		got := unseal(t, a.jwt(t), k.Secret.Reveal())
		if want := fmt.Sprintf(`{"alg":"dir","enc":"A256GCM","kid":"%s"}`, k.ID); got.header != want {
			t.Errorf("the header is %s, want %s", got.header, want)
		}
	}
	made := 0
	for _, e := range s.audit.take() {
		if e.Action == audit.ActionCreateKey && e.Outcome == audit.Granted {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d keys were recorded, want 1", made)
	}
}

func TestTheDefaultKeyOfAGroupThatHasNoneIsWrittenBeforeTheAnswerLeaves(t *testing.T) {
	s := open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, failUpdate: broken(ports.ErrUnknownOutcome)} })
	got := s.send(t, request{body: minimal, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("bare", "rw")}})
	if p := got.problem(t); got.status != http.StatusServiceUnavailable || p.Code != "outcome_unknown" || strings.Contains(got.body, `"jwt"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAFullRingWithoutADefaultIsAConflict(t *testing.T) {
	s := open(t)
	err := s.keys.UpdateRing(t.Context(), "bare", func(key.Ring) (key.Ring, error) {
		keys := make([]key.Key, key.MaxRing)
		for i := range keys {
			keys[i] = key.Key{ID: key.ID(fmt.Sprintf("gone-%d", i)), State: key.Destroyed, Custody: key.Material}
		}
		return key.NewRing(keys, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	got := s.send(t, request{body: minimal, headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken("bare", "rw")}})
	if p := got.problem(t); got.status != http.StatusConflict || p.Code != "no_default_key" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
