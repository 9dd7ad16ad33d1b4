package key_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/key"
	"embedseal/domain/replay"
)

const (
	day     = 24 * time.Hour
	horizon = 30 * day
)

func TestTheEndOfAnOverlapNeedsNoWrite(t *testing.T) {
	k := active(t, "a")
	k.RetiresAt = noon().Add(day)
	for _, c := range []struct {
		at   time.Time
		want key.State
	}{
		{noon(), key.Active},
		{noon().Add(day - time.Nanosecond), key.Active},
		{noon().Add(day), key.Retiring},
		{noon().Add(1000 * day), key.Retiring},
	} {
		if got := k.StateAt(c.at); got != c.want || k.CanSeal(c.at) != (c.want == key.Active) || !k.CanOpen(c.at) {
			t.Errorf("at %s it is %s, seals %t and opens %t; want %s", c.at, got, k.CanSeal(c.at), k.CanOpen(c.at), c.want)
		}
		r := ringOf(t, "", k)
		if _, err := r.Sealing("a", c.at); (err == nil) != (c.want == key.Active) || err != nil && !errors.Is(err, key.ErrNotActive) {
			t.Errorf("at %s it is asked for: %v", c.at, err)
		}
	}
	for _, s := range []key.State{key.Retiring, key.Disabled, key.Destroyed} {
		k.State = s
		if got := k.StateAt(noon().Add(2 * day)); got != s {
			t.Errorf("%s becomes %s by itself", s, got)
		}
	}
}

func TestARotationReplacesTheDefaultAndLetsItGoSlowly(t *testing.T) {
	r := ringOf(t, "a", active(t, "a"))
	retires, safe := noon().Add(7*day), noon().Add(7*day+horizon)
	next, err := r.Rotate(active(t, "b"), noon(), retires, safe)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, next, "b", "a", "b")
	old, _ := next.Find("a")
	made, _ := next.Find("b")
	if old.State != key.Active || !old.RetiresAt.Equal(retires) || !old.SafeToDestroyAt.Equal(safe) || made.Replaces != "a" || !made.RetiresAt.IsZero() {
		t.Errorf("the old key is %+v, the new one %+v", old, made)
	}
	for ask, want := range map[key.ID]key.ID{"": "b", "a": "a", "b": "b"} {
		if k, err := next.Sealing(ask, noon()); k.ID() != want || err != nil {
			t.Errorf("asked for %q during the overlap: %q and %v", ask, k.ID(), err)
		}
	}
	if _, err := next.Sealing("a", retires); !errors.Is(err, key.ErrNotActive) {
		t.Errorf("after the overlap: %v, want %v", err, key.ErrNotActive)
	}
	at, err := r.Rotate(active(t, "b"), noon(), noon(), noon().Add(horizon))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at.Sealing("a", noon()); !errors.Is(err, key.ErrNotActive) {
		t.Errorf("without an overlap: %v, want %v", err, key.ErrNotActive)
	}
}

func TestTheFirstKeyCanComeByRotation(t *testing.T) {
	r, err := key.Ring{}.Rotate(active(t, "a"), noon(), noon(), noon())
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, r, "a", "a")
	if k, _ := r.Find("a"); k.Replaces != "" {
		t.Errorf("it replaces %q", k.Replaces)
	}
}

func TestARotationIntoAFullRingOrWithATakenIDIsRefused(t *testing.T) {
	r := ringOf(t, "a", active(t, "a"), inState(t, "gone", key.Destroyed))
	if _, err := r.Rotate(active(t, "gone"), noon(), noon(), noon()); !errors.Is(err, key.ErrTaken) {
		t.Errorf("the id of a tombstone: %v, want %v", err, key.ErrTaken)
	}
	keys := make([]key.Key, key.MaxRing)
	for i := range keys {
		keys[i] = active(t, key.ID(fmt.Sprintf("k%d", i)))
	}
	full := ringOf(t, "k0", keys...)
	if next, err := full.Rotate(active(t, "x"), noon(), noon(), noon()); !errors.Is(err, key.ErrFull) || next.Len() != 0 {
		t.Errorf("a full ring: %v, want %v", err, key.ErrFull)
	}
}

// overlapped is an active key whose overlap ends in a day.
func overlapped(t *testing.T, id key.ID) key.Key {
	k := active(t, id)
	k.RetiresAt, k.SafeToDestroyAt = noon().Add(day), noon().Add(day+horizon)
	return k
}

// lapsed is an active key whose overlap has ended.
func lapsed(t *testing.T, id key.ID) key.Key {
	k := active(t, id)
	k.RetiresAt, k.SafeToDestroyAt = noon().Add(-day), noon().Add(horizon-day)
	return k
}

// zoo has a key of each kind, and the default "default".
func zoo(t *testing.T) key.Ring {
	t.Helper()
	paused := overlapped(t, "paused")
	paused.State = key.Disabled
	stopped := lapsed(t, "stopped")
	stopped.State = key.Disabled
	return ringOf(t, "default", active(t, "default"), active(t, "active"), overlapped(t, "overlapped"), lapsed(t, "lapsed"),
		inState(t, "retiring", key.Retiring), inState(t, "disabled", key.Disabled), paused, stopped, inState(t, "destroyed", key.Destroyed))
}

func TestEachStepBeginsFromTheStatesItSays(t *testing.T) {
	all := []key.ID{"default", "active", "overlapped", "lapsed", "retiring", "disabled", "paused", "stopped", "destroyed"}
	state, isDefault, unsafe := key.ErrState, key.ErrIsDefault, key.ErrNotSafe
	later := noon().Add(horizon)
	for _, c := range []struct {
		step string
		do   func(key.Ring, key.ID) (key.Ring, error)
		want []error // in the order of all
		to   []key.State
	}{
		{"set default", func(r key.Ring, id key.ID) (key.Ring, error) { return r.SetDefault(id, noon()) },
			[]error{nil, nil, nil, state, state, state, state, state, state},
			[]key.State{key.Active, key.Active, key.Active}},
		{"retire", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Retire(id, noon(), later) },
			[]error{isDefault, nil, nil, state, state, state, state, state, state},
			[]key.State{0, key.Retiring, key.Retiring}},
		{"disable", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Disable(id, noon(), later) },
			[]error{isDefault, nil, nil, nil, nil, state, state, state, state},
			[]key.State{0, key.Disabled, key.Disabled, key.Disabled, key.Disabled}},
		{"enable", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Enable(id, noon()) },
			[]error{state, state, state, state, state, nil, nil, nil, state},
			[]key.State{0, 0, 0, 0, 0, key.Active, key.Active, key.Retiring}},
		{"destroy", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Destroy(id, noon(), horizon, false) },
			[]error{isDefault, unsafe, unsafe, unsafe, unsafe, unsafe, unsafe, unsafe, nil},
			[]key.State{0, 0, 0, 0, 0, 0, 0, 0, key.Destroyed}},
		{"destroy by force", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Destroy(id, noon(), horizon, true) },
			[]error{isDefault, nil, nil, nil, nil, nil, nil, nil, nil}, make([]key.State, len(all))},
		{"relabel", func(r key.Ring, id key.ID) (key.Ring, error) { return r.Relabel(id, "a label", "a\n\tnote") },
			make([]error, len(all)),
			[]key.State{key.Active, key.Active, key.Active, key.Retiring, key.Retiring, key.Disabled, key.Disabled, key.Disabled, key.Destroyed}},
	} {
		before := zoo(t)
		for i, id := range all {
			next, err := c.do(before, id)
			if !errors.Is(err, c.want[i]) {
				t.Errorf("%s %s: %v, want %v", c.step, id, err, c.want[i])
			}
			if err != nil {
				if next.Len() != 0 || errors.Is(err, state) && !strings.Contains(err.Error(), string(id)+" is ") {
					t.Errorf("%s %s: a ring comes with the error, or it names no state: %v", c.step, id, err)
				}
				continue
			}
			if got, _ := next.Find(id); got.StateAt(noon()) != c.to[i] || got.Secret.IsZero() != (c.to[i] == key.Destroyed) {
				t.Errorf("%s %s: it is %s, want %s", c.step, id, got.StateAt(noon()), c.to[i])
			}
			wantIDs(t, next, map[bool]key.ID{true: id, false: "default"}[c.step == "set default"], all...)
		}
		if _, err := c.do(before, "unknown"); !errors.Is(err, key.ErrUnknown) {
			t.Errorf("%s an unknown key: %v", c.step, err)
		}
		if diff := cmp.Diff(zoo(t).Keys(), before.Keys(), cmp.AllowUnexported(replay.Mark{})); diff != "" {
			t.Errorf("%s changed the ring before:\n%s", c.step, diff)
		}
	}
}

func TestADefaultDoesNotRetire(t *testing.T) {
	r, err := zoo(t).SetDefault("overlapped", noon())
	if err != nil {
		t.Fatal(err)
	}
	if k, err := r.Sealing("", noon().Add(1000*day)); k.ID() != "overlapped" || err != nil {
		t.Errorf("a thousand days later: %q and %v", k.ID(), err)
	}
	if k, _ := r.Find("overlapped"); !k.RetiresAt.IsZero() || !k.SafeToDestroyAt.IsZero() {
		t.Errorf("it is still on its way out: %+v", k)
	}
	if k, _ := r.Find("default"); !k.CanSeal(noon().Add(1000 * day)) {
		t.Error("the default before it does not seal any more")
	}
	if _, err := r.WithDefault(overlapped(t, "x")); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("a new default that is to retire: %v", err)
	}
}

func TestEnablingGivesBackNoMoreThanThereWas(t *testing.T) {
	for id, want := range map[key.ID]struct {
		state key.State
		safe  bool
	}{"active": {key.Active, false}, "overlapped": {key.Active, true}, "lapsed": {key.Retiring, true}, "retiring": {key.Retiring, true}} {
		off, err := zoo(t).Disable(id, noon(), noon().Add(horizon))
		if err != nil {
			t.Fatal(err)
		}
		if k, _ := off.Find(id); k.SafeToDestroyAt.IsZero() || k.CanOpen(noon()) {
			t.Errorf("%s: disabled it is %+v", id, k)
		}
		on, err := off.Enable(id, noon().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		k, _ := on.Find(id)
		if k.StateAt(noon().Add(time.Hour)) != want.state || k.SafeToDestroyAt.IsZero() == want.safe {
			t.Errorf("%s: enabled it is %+v", id, k)
		}
		late, err := off.Enable(id, noon().Add(10*day))
		if err != nil {
			t.Fatal(err)
		}
		if k, _ := late.Find(id); k.CanSeal(noon().Add(10*day)) != (id == "active") {
			t.Errorf("%s: enabled after its overlap it is %s", id, k.StateAt(noon().Add(10*day)))
		}
	}
}

func TestAKeyIsDestroyedWhenNoTokenOfItCanBeOpen(t *testing.T) {
	retired, err := zoo(t).Retire("active", noon(), noon().Add(horizon))
	if err != nil {
		t.Fatal(err)
	}
	safe := noon().Add(horizon)
	for _, c := range []struct {
		at      time.Time
		horizon time.Duration
		want    error
	}{
		{safe.Add(-time.Second), horizon, key.ErrNotSafe},
		{safe, horizon, nil},
		{safe, horizon / 2, nil},                  // the horizon of then counts,
		{safe, 2 * horizon, key.ErrNotSafe},       // and that of now if it is longer
		{safe.Add(horizon), 2 * horizon, nil},     //
		{safe.Add(-time.Hour), 0, key.ErrNotSafe}, //
	} {
		next, err := retired.Destroy("active", c.at, c.horizon, false)
		if !errors.Is(err, c.want) {
			t.Errorf("at %s with %s: %v, want %v", c.at, c.horizon, err, c.want)
		}
		if k, _ := next.Find("active"); err == nil && (k.State != key.Destroyed || !k.Secret.IsZero()) {
			t.Errorf("it is %+v", k)
		}
	}
	again, err := retired.Destroy("destroyed", noon(), horizon, false)
	if diff := cmp.Diff(retired.Keys(), again.Keys(), cmp.AllowUnexported(replay.Mark{})); diff != "" || err != nil {
		t.Errorf("destroyed twice: %v\n%s", err, diff)
	}
}

func TestTheTimeToDestroyIsNeverBeforeTheLastTokenOfAnOverlap(t *testing.T) {
	k := overlapped(t, "a")
	if got := k.SafeAt(horizon); !got.Equal(k.SafeToDestroyAt) {
		t.Errorf("got %s, want %s", got, k.SafeToDestroyAt)
	}
	// The policy was widened while the key still sealed.
	if got, want := k.SafeAt(3*horizon), k.RetiresAt.Add(3*horizon); !got.Equal(want) {
		t.Errorf("with a longer horizon: got %s, want %s", got, want)
	}
	if got := active(t, "b").SafeAt(horizon); !got.IsZero() {
		t.Errorf("a key that goes nowhere may be destroyed from %s on", got)
	}
}

func TestAKeyWhoseMaterialIsGoneIsNobodysDefault(t *testing.T) {
	r, err := zoo(t).Gone("default")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sealing("", noon()); !errors.Is(err, key.ErrNoDefault) {
		t.Errorf("got %v, want %v", err, key.ErrNoDefault)
	}
	if _, err := r.Gone("unknown"); !errors.Is(err, key.ErrUnknown) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestTimesOfRecordsAreWholeSecondsOnTheSafeSide(t *testing.T) {
	now := noon().Add(987654321)
	r, err := zoo(t).Retire("active", now, now.Add(horizon))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := r.Find("active")
	if !k.RetiresAt.Equal(noon()) || !k.SafeToDestroyAt.Equal(noon().Add(horizon+time.Second)) {
		t.Errorf("it retires at %s and is safe at %s", k.RetiresAt, k.SafeToDestroyAt)
	}
}

func TestWordsThatDeceiveAreNotLetIn(t *testing.T) {
	for _, c := range [][2]string{{"a\nb", ""}, {"\x00", ""}, {"", "\x1b[31m"}, {"", "\xff"}, {strings.Repeat("x", 101), ""}, {"", strings.Repeat("x", 1001)}} {
		if _, err := zoo(t).Relabel("active", c[0], c[1]); !errors.Is(err, key.ErrInvalid) {
			t.Errorf("label %.10q, note %.10q: %v", c[0], c[1], err)
		}
	}
	if _, err := zoo(t).Relabel("active", `=cmd|'/c calc'!A1`, "<script>alert(1)</script>\n\t"+strings.Repeat("ß", 400)); err != nil {
		t.Error(err)
	}
}

func TestARingRefusesTimesThatContradictThemselves(t *testing.T) {
	endless := active(t, "a")
	endless.SafeToDestroyAt = noon()
	early := overlapped(t, "a")
	early.SafeToDestroyAt = early.RetiresAt.Add(-time.Second)
	replaces := active(t, "a")
	replaces.Replaces = "no id"
	for i, k := range []key.Key{endless, early, replaces} {
		if _, err := key.NewRing([]key.Key{k}, ""); !errors.Is(err, key.ErrInvalid) {
			t.Errorf("number %d: %v", i, err)
		}
	}
}

func TestTheRequestThatMadeAKeyFindsIt(t *testing.T) {
	mark := func(key, request string) replay.Mark {
		m, err := replay.Of(key, "keys/acme", []byte(request))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	k := active(t, "b")
	k.Creation = mark("once", "{}")
	r := ringOf(t, "a", active(t, "a"), k)
	if got, again, err := r.Made(mark("once", "{}")); got.ID != "b" || !again || err != nil {
		t.Errorf("the same request: %q, %t, %v", got.ID, again, err)
	}
	if _, again, err := r.Made(mark("once", "{1}")); again || !errors.Is(err, replay.ErrOther) {
		t.Errorf("another request with its key: %t, %v", again, err)
	}
	for _, m := range []replay.Mark{{}, mark("twice", "{}")} {
		if _, again, err := r.Made(m); again || err != nil {
			t.Errorf("%q: %t, %v", m, again, err)
		}
	}
}

// Whatever is done in whatever order, the ring stays one that can be stored, no
// key is lost or given away, and a group that had a default that could seal has
// one.
func TestNoSequenceOfStepsLosesAKeyOrTheDefault(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ring, now := key.Ring{}, noon()
		var made, gone []key.ID
		sealed := map[key.ID]time.Time{} // when the last token of a key is over
		for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(rt, "pause")))
			fresh := active(t, key.ID(fmt.Sprintf("k%d", i)))
			id := fresh.ID
			if len(made) > 0 {
				id = rapid.SampledFrom(made).Draw(rt, "id")
			}
			if rapid.Bool().Draw(rt, "mint first") {
				if k, err := ring.Sealing(rapid.SampledFrom(append(made, "")).Draw(rt, "named"), now); err == nil {
					sealed[k.ID()] = now.Add(horizon)
				}
			}
			var next key.Ring
			var err error
			step := rapid.SampledFrom([]string{"with", "default", "rotate", "set", "retire", "disable", "enable", "destroy", "relabel"}).Draw(rt, "step")
			force := step == "destroy" && rapid.IntRange(0, 9).Draw(rt, "force") == 0
			switch step {
			case "with":
				next, err = ring.With(fresh)
			case "default":
				next, err = ring.WithDefault(fresh)
			case "rotate":
				retires := now.Add(time.Duration(rapid.Int64Range(0, int64(14*day)).Draw(rt, "overlap")))
				next, err = ring.Rotate(fresh, now, retires, retires.Add(horizon))
			case "set":
				next, err = ring.SetDefault(id, now)
			case "retire":
				next, err = ring.Retire(id, now, now.Add(horizon))
			case "disable":
				next, err = ring.Disable(id, now, now.Add(horizon))
			case "enable":
				next, err = ring.Enable(id, now)
			case "destroy":
				next, err = ring.Destroy(id, now, horizon, force)
			case "relabel":
				next, err = ring.Relabel(id, "label", "note")
			}
			if err != nil {
				if !slices.ContainsFunc([]error{key.ErrUnknown, key.ErrIsDefault, key.ErrState, key.ErrNotSafe},
					func(known error) bool { return errors.Is(err, known) }) {
					rt.Fatalf("%s: %v", step, err)
				}
				continue
			}
			if next.Len() > len(made) {
				made = append(made, fresh.ID)
			}
			if k, _ := next.Find(id); step == "destroy" && !slices.Contains(gone, id) {
				if until := sealed[id]; !force && now.Before(until) {
					rt.Fatalf("%s was destroyed at %s, and a token of it is open until %s", id, now, until)
				}
				if k.State != key.Destroyed {
					rt.Fatalf("%s is %s", id, k.State)
				}
				gone = append(gone, id)
			}
			ring = next
			check(rt, ring, now, made, gone)
		}
	})
}

func check(t *rapid.T, r key.Ring, now time.Time, made, gone []key.ID) {
	if _, err := key.NewRing(r.Keys(), r.DefaultID()); err != nil {
		t.Fatalf("the ring cannot be stored: %v", err)
	}
	if diff := cmp.Diff(made, ids(r)); diff != "" {
		t.Fatalf("keys were lost (-made +there):\n%s", diff)
	}
	for _, k := range r.Keys() {
		if (k.State == key.Destroyed) != slices.Contains(gone, k.ID) || k.Secret.IsZero() != (k.State == key.Destroyed) {
			t.Fatalf("%s is %s, with material: %t", k.ID, k.State, !k.Secret.IsZero())
		}
	}
	if r.DefaultID() == "" {
		return
	}
	for _, at := range []time.Time{now, now.Add(10000 * day)} {
		if _, err := r.Sealing("", at); err != nil {
			t.Fatalf("the default %s does not seal at %s: %v", r.DefaultID(), at, err)
		}
	}
}
