package key_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/key"
	"embedseal/domain/secret"
)

// noon is what the clock shows in every test.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// active is a key with material.
func active(t *testing.T, id key.ID) key.Key {
	t.Helper()
	return key.Key{
		ID: id, State: key.Active, Custody: key.Material, Secret: secretOf(t, canary),
		CreatedAt: noon(),
	}
}

func ringOf(t *testing.T, defaultID key.ID, keys ...key.Key) key.Ring {
	t.Helper()
	r, err := key.NewRing(keys, defaultID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inState is a key in any state, with the material that the state asks for.
func inState(t *testing.T, id key.ID, state key.State) key.Key {
	t.Helper()
	k := active(t, id)
	k.State = state
	if state == key.Destroyed {
		k.Secret = key.Secret{}
	}
	return k
}

func TestTheKeyToSealWithIsTheOneNamedOrTheDefault(t *testing.T) {
	r := ringOf(t, "b", inState(t, "a", key.Active), inState(t, "b", key.Active), inState(t, "c", key.Retiring),
		inState(t, "d", key.Disabled), inState(t, "e", key.Destroyed))
	for _, tt := range []struct {
		ask  key.ID
		want key.ID
		err  error
	}{
		{"", "b", nil},
		{"a", "a", nil},
		{"b", "b", nil},
		{"c", "", key.ErrNotActive},
		{"d", "", key.ErrNotActive},
		{"e", "", key.ErrNotActive},
		{"f", "", key.ErrUnknown},
		{"A", "", key.ErrUnknown},
		{"a ", "", key.ErrUnknown},
	} {
		k, err := r.Sealing(tt.ask, noon())
		if !errors.Is(err, tt.err) || k.ID() != tt.want {
			t.Errorf("asked for %q: got %q and %v, want %q and %v", tt.ask, k.ID(), err, tt.want, tt.err)
		}
		if err != nil && k != nil {
			t.Errorf("asked for %q: a refusal hands out the material", tt.ask)
		}
	}
}

func TestADefaultThatMayNotSealIsNotReplacedByAnother(t *testing.T) {
	for _, state := range []key.State{key.Retiring, key.Disabled, key.Destroyed} {
		r := ringOf(t, "b", active(t, "a"), inState(t, "b", state))
		if k, err := r.Sealing("", noon()); !errors.Is(err, key.ErrNotActive) {
			t.Errorf("the default is %s: got %q and %v, want %v", state, k.ID(), err, key.ErrNotActive)
		}
	}
	if k, err := ringOf(t, "", active(t, "a")).Sealing("", noon()); !errors.Is(err, key.ErrNoDefault) {
		t.Errorf("no default: got %q and %v, want %v", k.ID(), err, key.ErrNoDefault)
	}
}

func TestARetiringKeyIsStillFound(t *testing.T) {
	k, found := ringOf(t, "", inState(t, "a", key.Retiring)).Find("a")
	if !found || !k.CanOpen(noon()) || k.Secret.Reveal() != canary {
		t.Errorf("got %t, opens %t", found, k.CanOpen(noon()))
	}
}

func TestARingIsNotPutTogetherFromWhatContradictsItself(t *testing.T) {
	bare := active(t, "a")
	bare.Secret = key.Secret{}
	full := inState(t, "a", key.Disabled)
	full.State = key.Destroyed
	short := active(t, "a")
	short.Secret = key.Secret{Text: secret.New("canary")}
	transit := active(t, "a")
	transit.Custody = key.VaultTransit
	lost := transit
	lost.Secret = key.Secret{}
	spaced := lost
	spaced.Ref = "svc.acme.a :1"
	long := lost
	long.Ref = strings.Repeat("r", 256)
	both := active(t, "a")
	both.Ref = "svc.acme.a:1"
	nowhere := active(t, "a")
	nowhere.Custody = key.CustodyUnknown
	custody3 := active(t, "a")
	custody3.Custody = 3
	state4 := active(t, "a")
	state4.State = 4
	tooMany := make([]key.Key, key.MaxRing+1)
	for i := range tooMany {
		tooMany[i] = active(t, key.ID("k"+strconv.Itoa(i)))
	}
	for what, tt := range map[string]struct {
		keys      []key.Key
		defaultID key.ID
	}{
		"two keys of one id":                {[]key.Key{active(t, "a"), active(t, "b"), active(t, "a")}, ""},
		"a default that is not there":       {[]key.Key{active(t, "a")}, "b"},
		"a default of no keys":              {nil, "a"},
		"an id that is none":                {[]key.Key{active(t, "a/b")}, ""},
		"no id":                             {[]key.Key{active(t, "")}, ""},
		"an active key without material":    {[]key.Key{bare}, ""},
		"material of another length":        {[]key.Key{short}, ""},
		"a destroyed key with material":     {[]key.Key{full}, ""},
		"a key in Transit with material":    {[]key.Key{transit}, ""},
		"a key in Transit without its name": {[]key.Key{lost}, ""},
		"a reference with a space":          {[]key.Key{spaced}, ""},
		"a reference without end":           {[]key.Key{long}, ""},
		"a reference beside material":       {[]key.Key{both}, ""},
		"a key in no custody":               {[]key.Key{nowhere}, ""},
		"a custody that is none":            {[]key.Key{custody3}, ""},
		"a state that is none":              {[]key.Key{state4}, ""},
		"one key more than a ring may have": {tooMany, ""},
	} {
		r, err := key.NewRing(tt.keys, tt.defaultID)
		if !errors.Is(err, key.ErrInvalid) || r.Len() != 0 || r.DefaultID() != "" {
			t.Errorf("%s: got %d keys and %v, want none and %v", what, r.Len(), err, key.ErrInvalid)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the secret: %v", what, err)
		}
	}
	if r := ringOf(t, "k999", tooMany[:key.MaxRing]...); r.Len() != key.MaxRing {
		t.Errorf("a full ring holds %d keys", r.Len())
	}
}

func TestAFullRingIsPutTogetherInOneGo(t *testing.T) {
	keys := make([]key.Key, key.MaxRing)
	for i := range keys {
		keys[i] = active(t, key.ID("k"+strconv.Itoa(i)))
	}
	full := ringOf(t, "k0", keys...)
	if _, err := full.With(active(t, "one-more")); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("one more: got %v, want %v", err, key.ErrInvalid)
	}
	// A copy of the ring for each key would be a thousand times a thousand.
	if n := testing.AllocsPerRun(5, func() { ringOf(t, "k0", keys...) }); n > 50 {
		t.Errorf("putting together %d keys allocates %v times", len(keys), n)
	}
}

func TestOnlyAKeyThatSealsIsMadeTheDefault(t *testing.T) {
	r := ringOf(t, "a", active(t, "a"))
	for _, state := range []key.State{key.Retiring, key.Disabled, key.Destroyed} {
		next, err := r.WithDefault(inState(t, "b", state))
		if !errors.Is(err, key.ErrInvalid) || next.Len() != 0 {
			t.Errorf("%s: got %d keys and %v, want %v", state, next.Len(), err, key.ErrInvalid)
		}
	}
	if _, err := r.WithDefault(active(t, "a")); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("the same id again: got %v, want %v", err, key.ErrInvalid)
	}
	next, err := r.WithDefault(active(t, "b"))
	if err != nil || next.DefaultID() != "b" || next.Len() != 2 {
		t.Errorf("got the default %q of %d keys and %v", next.DefaultID(), next.Len(), err)
	}
	if next, err = r.With(active(t, "b")); err != nil || next.DefaultID() != "a" {
		t.Errorf("With moves the default to %q: %v", next.DefaultID(), err)
	}
}

func TestARingThatWasHandedOutNeverChanges(t *testing.T) {
	given := []key.Key{active(t, "a"), active(t, "b")}
	r := ringOf(t, "a", given...)
	given[0].ID, given[1].State = "changed by who gave it", key.Disabled
	r.Keys()[0].ID = "changed by who got it"
	_ = append(r.Keys(), active(t, "x"))
	wantIDs(t, r, "a", "a", "b")

	// Two rings grown from one do not write into one another.
	left, err := r.WithDefault(active(t, "left"))
	if err != nil {
		t.Fatal(err)
	}
	right, err := r.With(active(t, "right"))
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, r, "a", "a", "b")
	wantIDs(t, left, "left", "a", "b", "left")
	wantIDs(t, right, "a", "a", "b", "right")
}

func TestNoSequenceOfAdditionsChangesAnEarlierRing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rings := []key.Ring{{}}
		want := [][]key.ID{nil}
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			from := rapid.IntRange(0, len(rings)-1).Draw(rt, "from")
			id := key.ID("k" + strconv.Itoa(i))
			next, err := rings[from].With(active(t, id))
			if err != nil {
				rt.Fatal(err)
			}
			rings = append(rings, next)
			want = append(want, append(append([]key.ID{}, want[from]...), id))
		}
		for i, r := range rings {
			if diff := cmp.Diff(want[i], ids(r)); diff != "" {
				rt.Fatalf("ring %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

func ids(r key.Ring) []key.ID {
	var ids []key.ID
	for _, k := range r.Keys() {
		ids = append(ids, k.ID)
	}
	return ids
}

func wantIDs(t *testing.T, r key.Ring, defaultID key.ID, want ...key.ID) {
	t.Helper()
	if diff := cmp.Diff(want, ids(r)); diff != "" || r.DefaultID() != defaultID || r.Len() != len(want) {
		t.Errorf("the default is %q of %d keys, want %q; keys (-want +got):\n%s", r.DefaultID(), r.Len(), defaultID, diff)
	}
}
