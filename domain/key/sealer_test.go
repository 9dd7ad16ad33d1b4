package key_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"embedseal/domain/jwe"
	"embedseal/domain/key"
)

func sealerOf(t *testing.T, r key.Ring, id key.ID) *key.Sealer {
	t.Helper()
	s, err := r.Sealing(id, noon())
	if err != nil {
		t.Fatalf("asked for %q: %v", id, err)
	}
	return s
}

func TestASealerSaysWhatItsKeySays(t *testing.T) {
	k := active(t, "aa111111-1a11-111a-aa11-1aaaa11a1a11")
	s := key.NewSealer(k)
	want, err := jwe.EncodeHeader(string(k.ID))
	if err != nil {
		t.Fatal(err)
	}
	if header, err := s.Header(); header != want || err != nil || s.ID() != k.ID || s.Key().ID != k.ID || !s.Key().Secret.Equal(k.Secret) {
		t.Errorf("%s with the header %q, %v", s.ID(), header, err)
	}
	for _, id := range []key.ID{"", "..", `k"1`, key.ID(strings.Repeat("k", 129))} {
		s := key.NewSealer(key.Key{ID: id})
		_, want := jwe.EncodeHeader(string(id))
		if header, err := s.Header(); header != "" || err == nil || err.Error() != want.Error() || s.ID() != id {
			t.Errorf("%q has the header %q, %v; want %v", id, header, err, want)
		}
	}
	if id := (*key.Sealer)(nil).ID(); id != "" {
		t.Errorf("no sealer has the id %q", id)
	}
}

// What was made of a value is kept for the next token, and goes when anything of the
// ring changes: whatever is done to the key, the next token is not sealed with what
// was made before.
func TestWhatWasMadeOfAKeyGoesWithItsRing(t *testing.T) {
	r := ringOf(t, "b", active(t, "a"), active(t, "b"))
	s := sealerOf(t, r, "")
	if made := s.Made(); made != nil {
		t.Fatalf("a new ring has %v", made)
	}
	s.Keep("first")
	s.Keep("second")
	if made := sealerOf(t, r, "").Made(); made != "first" {
		t.Errorf("the default has %v, want what was kept first", made)
	}
	if made := sealerOf(t, r, "b").Made(); made != "first" {
		t.Errorf("the default, named, has %v, want what was kept first", made)
	}
	named := sealerOf(t, r, "a")
	named.Keep("of a")
	if made := sealerOf(t, r, "a").Made(); made != nil {
		t.Errorf("a key that is no default kept %v", made)
	}
	for name, change := range map[string]func() (key.Ring, error){
		"another label":         func() (key.Ring, error) { return r.Relabel("b", "x", "") },
		"set anew":              func() (key.Ring, error) { return r.SetDefault("b", noon()) },
		"another key retired":   func() (key.Ring, error) { return r.Retire("a", noon(), noon()) },
		"another default":       func() (key.Ring, error) { return r.SetDefault("a", noon()) },
		"a new default":         func() (key.Ring, error) { return r.WithDefault(active(t, "c")) },
		"read again":            func() (key.Ring, error) { return key.NewRing(r.Keys(), r.DefaultID()) },
		"the other one is gone": func() (key.Ring, error) { return r.Gone("a") },
	} {
		next, err := change()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k, _ := next.Default()
		if s := sealerOf(t, next, ""); s.Made() != nil || s.ID() != next.DefaultID() || s.Key().Label != k.Label {
			t.Errorf("%s: the sealer of %s, %q, has %v", name, s.ID(), s.Key().Label, s.Made())
		}
	}
	gone, err := r.Gone("b")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := gone.Sealing("", noon()); s != nil || err == nil {
		t.Errorf("a ring whose default is gone seals with %s", s.ID())
	}
	if s, err := gone.Sealing("b", noon()); s != nil || err == nil {
		t.Errorf("a destroyed key seals, as %s", s.ID())
	}
}

func TestKeepingIsConcurrent(t *testing.T) {
	s := key.NewSealer(active(t, "a"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s.Keep(i)
			first := s.Made()
			for range 100 {
				if made := s.Made(); first != nil && made != first {
					t.Errorf("%v, and then %v", first, made)
				}
				first = s.Made()
			}
		})
	}
	wg.Wait()
	if s.Made() == nil {
		t.Error("nothing was kept")
	}
}

// What is kept may hold a key's value, and a sealer is printed by mistake one day.
func TestASealerDoesNotPrintWhatItKeeps(t *testing.T) {
	for _, made := range []any{[]byte(canary), &struct{ value [32]byte }{[32]byte([]byte(canary))}, canary} {
		r := ringOf(t, "a", active(t, "a"))
		s := sealerOf(t, r, "")
		s.Keep(made)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, shown := range []any{s, struct{ s *key.Sealer }{s}, []*key.Sealer{s}, r, struct{ r key.Ring }{r}} {
				text := fmt.Sprintf(verb, shown)
				if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || strings.Contains(text, strings.Trim(fmt.Sprint([]byte(canary)), "[]")) {
					t.Errorf("%s of %T shows it: %s", verb, shown, text)
				}
			}
		}
	}
}
