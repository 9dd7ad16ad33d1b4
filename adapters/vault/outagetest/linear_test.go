package outagetest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

const (
	linearWriters = 16
	linearReaders = 4
)

func TestTwoReplicasAreLinearizable(t *testing.T)         { linear(t, 10) }
func TestCampaignTwoReplicasAreLinearizable(t *testing.T) { linear(t, porttest.LongRounds(t, 150, 10)) }

// asked is one call, and answered what came of it. A ring is what spell makes
// of it.
type asked struct {
	group group.ID
	read  bool
}

type answered struct {
	saw, wrote string
	// unknown: it may have been written or not.
	unknown bool
}

// ringModel is a ring as everybody should see it: a write sees what was written
// last, and so does a read.
func ringModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			groups := map[group.ID][]porcupine.Operation{}
			for _, op := range history {
				g := op.Input.(asked).group
				groups[g] = append(groups[g], op)
			}
			var all [][]porcupine.Operation
			for _, one := range groups {
				all = append(all, one)
			}
			return all
		},
		Init: func() any { return spell(key.Ring{}) },
		Step: func(state, input, output any) (bool, any) {
			in, out := input.(asked), output.(answered)
			switch {
			case out.saw != state && out.unknown:
				return true, state // it was not written here
			case out.saw != state:
				return false, state
			case in.read:
				return true, state
			}
			return true, out.wrote
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
}

// spell writes a ring down.
func spell(r key.Ring) string {
	var text strings.Builder
	for _, k := range r.Keys() {
		fmt.Fprintf(&text, "%s:%s ", k.ID, k.State)
	}
	return text.String() + "default:" + string(r.DefaultID())
}

// history is what the clients saw.
type history struct {
	mu         sync.Mutex
	operations []porcupine.Operation
	refused    int // and nothing was written
	unknowns   int
}

func (h *history) add(client int, in asked, out answered, call, back time.Time, began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := back.Sub(began).Nanoseconds()
	if out.unknown {
		h.unknowns++
		end = 1 << 62 // it may still happen
	}
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: in, Call: call.Sub(began).Nanoseconds(), Output: out, Return: end,
	})
}

// linear has writers rotate and disable keys of four groups through two
// replicas, one of which loses answers all the time.
func linear(t *testing.T, each int) {
	seed := porttest.Seed(t)
	s := vaulttest.Dev(t)
	proxy := vaulttest.NewProxy(t, s.Address)
	replicas := []replica{newReplica(t, s, vault.Config{}), newReplica(t, s, through(proxy))}
	groups := []group.ID{"g0", "g1", "g2", "g3"}
	create(t, replicas[0], groups...)

	var h history
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	began := time.Now()
	for i := range linearWriters {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := range each {
				g := groups[random.IntN(len(groups))]
				change := rotateAndForget(key.ID(fmt.Sprintf("w%d-%d", i, n)))
				if random.IntN(2) == 0 {
					change = disableOne(random.IntN(1 << 16))
				}
				h.write(t, i, replicas[i%2].keys, g, change, began)
			}
		})
	}
	for i := range linearReaders {
		others.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(linearWriters+i)))
			for !closed(done) {
				h.read(t, linearWriters+i, replicas[i%2].keys, groups[random.IntN(len(groups))], began)
				time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
			}
		})
	}
	others.Go(func() {
		for !closed(done) {
			proxy.DropAnswers(1, writes)
			time.Sleep(50 * time.Millisecond)
		}
	})
	writers.Wait()
	close(done)
	others.Wait()
	proxy.Pass()
	for _, g := range groups { // what is there in the end is part of it
		h.read(t, linearWriters+linearReaders, replicas[0].keys, g, began)
	}
	t.Logf("%d writers and %d readers, %d calls in %s, %d answers lost, %d refused with nothing written, %d unknown outcomes",
		linearWriters, linearReaders, len(h.operations), time.Since(began).Round(time.Millisecond), proxy.Dropped(), h.refused, h.unknowns)
	if proxy.Dropped() == 0 || len(h.operations) < linearWriters*each/2 {
		t.Error("too little happened to show anything")
	}
	if result := porcupine.CheckOperationsTimeout(ringModel(), h.operations, time.Minute); result != porcupine.Ok {
		t.Errorf("the history is %s to a ring that everybody shares", result)
	}
}

func (h *history) write(t *testing.T, client int, store *vault.KeyStore, g group.ID, change func(key.Ring) (key.Ring, error), began time.Time) {
	var out answered
	call := time.Now()
	err := store.UpdateRing(t.Context(), g, func(r key.Ring) (key.Ring, error) {
		next, err := change(r)
		out.saw, out.wrote = spell(r), spell(next)
		return next, err
	})
	back := time.Now()
	switch {
	case errors.Is(err, ports.ErrConflict), errors.Is(err, ports.ErrUnavailable):
		h.mu.Lock() // that nothing was written, the history shows
		h.refused++
		h.mu.Unlock()
		return
	case errors.Is(err, ports.ErrUnknownOutcome):
		out.unknown = true
	case err != nil:
		t.Errorf("update the ring of %s: %v", g, err)
		return
	}
	h.add(client, asked{group: g}, out, call, back, began)
}

func (h *history) read(t *testing.T, client int, store *vault.KeyStore, g group.ID, began time.Time) {
	call := time.Now()
	r, err := store.Ring(t.Context(), g)
	if err != nil {
		t.Errorf("read the ring of %s: %v", g, err)
		return
	}
	h.add(client, asked{group: g, read: true}, answered{saw: spell(r)}, call, time.Now(), began)
}

// rotateAndForget makes the key id the default, and drops old keys when there
// are many: then Vault is made to destroy the versions that held them.
func rotateAndForget(id key.ID) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) {
		if keys := r.Keys(); len(keys) >= 24 {
			var err error
			if r, err = key.NewRing(keys[12:], ""); err != nil {
				return r, err
			}
		}
		return rotate(id)(r)
	}
}

// disableOne disables a key, and enables it when it is disabled already.
func disableOne(which int) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) {
		keys := r.Keys()
		if len(keys) == 0 {
			return r, nil
		}
		k := &keys[which%len(keys)]
		if k.State == key.Active {
			k.State = key.Disabled
		} else {
			k.State = key.Active
		}
		return key.NewRing(keys, r.DefaultID())
	}
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// The checker has to find what is wrong, or its verdict means nothing.
func TestTheModelRefusesALostUpdateAndAStaleRead(t *testing.T) {
	op := func(client int, read bool, saw, wrote string, call, back int64) porcupine.Operation {
		return porcupine.Operation{
			ClientId: client, Input: asked{"g", read}, Output: answered{saw: saw, wrote: wrote}, Call: call, Return: back,
		}
	}
	none := spell(key.Ring{})
	for _, c := range []struct {
		what string
		ops  []porcupine.Operation
		want bool
	}{
		{"one after the other", []porcupine.Operation{op(0, false, none, "a", 0, 1), op(1, false, "a", "b", 2, 3), op(2, true, "b", "", 4, 5)}, true},
		{"side by side", []porcupine.Operation{op(0, false, "b", "a", 0, 9), op(1, false, none, "b", 1, 8)}, true},
		{"a lost update", []porcupine.Operation{op(0, false, none, "a", 0, 9), op(1, false, none, "b", 1, 8)}, false},
		{"a stale read", []porcupine.Operation{op(0, false, none, "a", 0, 1), op(1, true, none, "", 2, 3)}, false},
		{"a doubled write", []porcupine.Operation{op(0, false, none, "a", 0, 1), op(1, false, "aa", "b", 2, 3)}, false},
	} {
		if got := porcupine.CheckOperations(ringModel(), c.ops); got != c.want {
			t.Errorf("%s: linearizable is %t, want %t", c.what, got, c.want)
		}
	}
}
