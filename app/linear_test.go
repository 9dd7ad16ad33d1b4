package app_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func TestRingsAreLinearizable(t *testing.T)         { linear(t, 15) }
func TestCampaignRingsAreLinearizable(t *testing.T) { linear(t, porttest.LongRounds(t, 100, 10)) }

// asked is one call of a use-case: what it does, and to which key, if to one.
type asked struct {
	group group.ID
	verb  string
	id    key.ID
}

// answered is what came of it: the key that was made or that sealed, the default
// that it replaced, or why not.
type answered struct {
	id, previous key.ID
	err          error
}

// book is a ring as everybody should see it. Of a key it has the id, with a minus
// before it while the key is disabled.
type book struct{ keys, standard string }

func (b book) has(id key.ID) bool  { return strings.Contains(b.keys, " "+string(id)+" ") }
func (b book) off(id key.ID) bool  { return strings.Contains(b.keys, " -"+string(id)+" ") }
func (b book) with(id key.ID) book { return book{b.keys + " " + string(id) + " ", b.standard} }
func (b book) swap(id key.ID, from, to string) book {
	b.keys = strings.Replace(b.keys, " "+from+string(id)+" ", " "+to+string(id)+" ", 1)
	return b
}

// after says whether the answer is one that the ring could have given, and what
// the ring is then.
func (b book) after(in asked, out answered) (bool, book) {
	isDefault := string(in.id) == b.standard
	switch in.verb {
	case "create":
		return true, b.with(out.id)
	case "rotate":
		next := b.with(out.id)
		next.standard = string(out.id)
		return string(out.previous) == b.standard, next
	case "disable":
		want := error(nil)
		switch {
		case b.off(in.id):
			want = key.ErrState
		case isDefault:
			want = key.ErrIsDefault
		default:
			return out.err == nil, b.swap(in.id, "", "-")
		}
		return errors.Is(out.err, want), b
	case "enable":
		if b.has(in.id) {
			return errors.Is(out.err, key.ErrState), b
		}
		return out.err == nil, b.swap(in.id, "-", "")
	case "default":
		if b.off(in.id) {
			return errors.Is(out.err, key.ErrState), b
		}
		b.standard = string(in.id)
		return out.err == nil, b
	case "mint":
		if in.id == "" {
			return out.err == nil && string(out.id) == b.standard, b
		}
		if b.off(in.id) {
			return errors.Is(out.err, key.ErrNotActive), b
		}
		return out.err == nil && out.id == in.id, b
	}
	return false, b
}

func ringModel(first map[group.ID]key.ID) porcupine.Model {
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
		// Every group begins with a key; which one, its first operation says.
		Init: func() any { return book{} },
		Step: func(state, input, output any) (bool, any) {
			b, in := state.(book), input.(asked)
			if b == (book{}) {
				b = book{standard: string(first[in.group])}.with(first[in.group])
			}
			return wrap(b.after(in, output.(answered)))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
}

func wrap(ok bool, b book) (bool, any) { return ok, b }

// linear has clients create, rotate, disable, enable, choose and mint in a few
// groups at once.
func linear(t *testing.T, each int) {
	const clients = 12
	seed := porttest.Seed(t)
	eachSite(t, func(t *testing.T, s *site) {
		groups, first := []group.ID{"g0", "g1", "g2"}, map[group.ID]key.ID{}
		known := &ids{of: map[group.ID][]key.ID{}}
		for _, g := range groups {
			first[g] = s.found(t, g)
			known.add(g, first[g])
		}
		var mu sync.Mutex
		var history []porcupine.Operation
		outcomes := map[string]int{}
		began := time.Now()
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				for range each {
					in := asked{group: groups[random.IntN(len(groups))]}
					in.verb = []string{"create", "rotate", "disable", "disable", "enable", "default", "mint", "mint", "mint"}[random.IntN(9)]
					if in.id = known.pick(in.group, random); in.verb == "mint" && random.IntN(2) == 0 {
						in.id = ""
					}
					start := time.Since(began)
					out := s.ask(t, in)
					end := time.Since(began)
					if errors.Is(out.err, ports.ErrConflict) {
						continue // nothing was written, as the rest of the history shows
					}
					known.add(in.group, out.id)
					mu.Lock()
					history = append(history, porcupine.Operation{
						ClientId: i, Input: in, Call: start.Nanoseconds(), Output: out, Return: end.Nanoseconds(),
					})
					outcomes[fmt.Sprintf("%s %t", in.verb, out.err == nil)]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		t.Logf("%d calls in %s: %v", len(history), time.Since(began).Round(time.Millisecond), outcomes)
		if len(history) < clients*each/2 || outcomes["disable true"] == 0 || outcomes["rotate true"] == 0 || outcomes["mint true"] == 0 {
			t.Error("too little happened to show anything")
		}
		if result := porcupine.CheckOperationsTimeout(ringModel(first), history, time.Minute); result != porcupine.Ok {
			t.Errorf("the history is %s to a ring that everybody shares", result)
		}
	})
}

// ask calls the use-case.
func (s *site) ask(t *testing.T, in asked) answered {
	ctx, by := t.Context(), operator()
	var out answered
	switch in.verb {
	case "create":
		made, err := s.keys.Create(ctx, call(), by, in.group, app.NewKey{})
		out = answered{id: made.Key.ID, err: err}
	case "rotate":
		done, err := s.keys.Rotate(ctx, call(), by, in.group, app.Rotation{})
		out = answered{id: done.Key.ID, previous: done.Key.Replaces, err: err}
	case "disable":
		_, out.err = s.keys.Disable(ctx, call(), by, in.group, in.id, "")
	case "enable":
		_, out.err = s.keys.Enable(ctx, call(), by, in.group, in.id, "")
	case "default":
		_, out.err = s.keys.SetDefault(ctx, call(), by, in.group, in.id, "")
	case "mint":
		d := draft()
		if in.id != "" {
			d.KeyID = new(string(in.id))
		}
		minted, err := s.minter.Mint(ctx, call(), caller(in.group), d)
		out = answered{id: minted.KeyID, err: err}
	}
	return out
}

// ids are the keys that the clients know of, by group.
type ids struct {
	mu sync.Mutex
	of map[group.ID][]key.ID
}

func (k *ids) add(g group.ID, id key.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id != "" && !slices.Contains(k.of[g], id) {
		k.of[g] = append(k.of[g], id)
	}
}

func (k *ids) pick(g group.ID, random *rand.Rand) key.ID {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Of the last few: those are what everybody works on.
	few := k.of[g][max(0, len(k.of[g])-4):]
	return few[random.IntN(len(few))]
}

// The checker has to find what is wrong, or its verdict means nothing.
func TestTheModelOfRingsRefusesWhatNoRingAnswers(t *testing.T) {
	type step struct {
		verb string
		id   key.ID
		out  answered
		side bool // by side with the one before
	}
	for _, c := range []struct {
		what  string
		steps []step
		want  bool
	}{
		{"one after the other", []step{{"rotate", "", answered{id: "b", previous: "a"}, false}, {"mint", "", answered{id: "b"}, false}, {"mint", "a", answered{id: "a"}, false}}, true},
		{"a mint by the side of a rotation", []step{{"rotate", "", answered{id: "b", previous: "a"}, false}, {"mint", "", answered{id: "a"}, true}}, true},
		{"a mint with the default of before", []step{{"rotate", "", answered{id: "b", previous: "a"}, false}, {"mint", "", answered{id: "a"}, false}}, false},
		{"two rotations of one key", []step{{"rotate", "", answered{id: "b", previous: "a"}, false}, {"rotate", "", answered{id: "c", previous: "a"}, true}}, false},
		{"a mint with a disabled key", []step{{"create", "", answered{id: "b"}, false}, {"disable", "b", answered{}, false}, {"mint", "b", answered{id: "b"}, false}}, false},
		{"a disabled default", []step{{"disable", "a", answered{}, false}}, false},
		{"a default of a disabled key", []step{{"create", "", answered{id: "b"}, false}, {"disable", "b", answered{}, false}, {"default", "b", answered{}, false}}, false},
		{"it was disabled and is enabled", []step{{"create", "", answered{id: "b"}, false}, {"disable", "b", answered{}, false}, {"enable", "b", answered{}, false}, {"mint", "b", answered{id: "b"}, false}}, true},
	} {
		var history []porcupine.Operation
		for i, s := range c.steps {
			op := porcupine.Operation{ClientId: i, Input: asked{"g", s.verb, s.id}, Output: s.out, Call: int64(10 * i), Return: int64(10*i + 5)}
			if s.side {
				op.Call = history[i-1].Call
			}
			history = append(history, op)
		}
		if got := porcupine.CheckOperations(ringModel(map[group.ID]key.ID{"g": "a"}), history); got != c.want {
			t.Errorf("%s: linearizable is %t, want %t", c.what, got, c.want)
		}
	}
}
