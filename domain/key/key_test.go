package key_test

import (
	"errors"
	"strings"
	"testing"

	"embedseal/domain/key"
)

func TestStatesAreReadByTheirName(t *testing.T) {
	names := map[key.State]string{
		key.Destroyed: "destroyed", key.Disabled: "disabled", key.Retiring: "retiring", key.Active: "active",
	}
	for state, name := range names {
		if state.String() != name {
			t.Errorf("state %d is %q, want %q", state, state, name)
		}
		if got, err := key.ParseState(name); err != nil || got != state {
			t.Errorf("%s: got %s and %v", name, got, err)
		}
	}
	if got := key.State(4).String(); got != "unknown" {
		t.Errorf("a state that is none is %q", got)
	}
	for _, bad := range []string{"", "unknown", "Active", "active ", "enabled", "0", strings.Repeat("active", 1<<10)} {
		got, err := key.ParseState(bad)
		if !errors.Is(err, key.ErrInvalid) || got != key.Destroyed {
			t.Errorf("%.20q: got %s and %v, want the strictest state and %v", bad, got, err, key.ErrInvalid)
		}
		if err != nil && len(err.Error()) > 100 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestCustodiesAreReadByTheirName(t *testing.T) {
	for custody, name := range map[key.Custody]string{key.Material: "material", key.VaultTransit: "vault-transit"} {
		if custody.String() != name {
			t.Errorf("custody %d is %q, want %q", custody, custody, name)
		}
		if got, err := key.ParseCustody(name); err != nil || got != custody {
			t.Errorf("%s: got %s and %v", name, got, err)
		}
	}
	if key.CustodyUnknown.String() != "unknown" || key.Custody(3).String() != "unknown" {
		t.Error("a custody that is none has a name")
	}
	for _, bad := range []string{"", "unknown", "Material", "vault", "vault_transit", "local"} {
		if got, err := key.ParseCustody(bad); !errors.Is(err, key.ErrInvalid) || got != key.CustodyUnknown {
			t.Errorf("%q: got %s and %v, want none and %v", bad, got, err, key.ErrInvalid)
		}
	}
}

func TestEachStateAllowsWhatItSaysAndNoMore(t *testing.T) {
	for state, want := range map[key.State]struct{ seal, open bool }{
		key.Destroyed: {false, false},
		key.Disabled:  {false, false},
		key.Retiring:  {false, true},
		key.Active:    {true, true},
		key.State(4):  {false, false},
		key.State(99): {false, false},
	} {
		k := key.Key{State: state}
		if k.CanSeal(noon()) != want.seal || k.CanOpen(noon()) != want.open {
			t.Errorf("%s (%d): seals %t, opens %t, want %t and %t", state, state, k.CanSeal(noon()), k.CanOpen(noon()), want.seal, want.open)
		}
	}
}

func TestZeroValuesAreTheStrictest(t *testing.T) {
	var k key.Key
	if k.State != key.Destroyed || k.Custody != key.CustodyUnknown || !k.Secret.IsZero() || k.CanSeal(noon()) || k.CanOpen(noon()) {
		t.Errorf("the zero key may do something: %+v", k)
	}
	var r key.Ring
	if _, err := r.Sealing("", noon()); !errors.Is(err, key.ErrNoDefault) {
		t.Errorf("the zero ring seals: %v", err)
	}
	if _, err := r.Sealing("k1", noon()); !errors.Is(err, key.ErrUnknown) {
		t.Errorf("the zero ring seals: %v", err)
	}
	if r.Len() != 0 || r.DefaultID() != "" || len(r.Keys()) != 0 {
		t.Error("the zero ring holds something")
	}
	if _, err := r.With(k); !errors.Is(err, key.ErrInvalid) {
		t.Errorf("the zero key is let into a ring: %v", err)
	}
}
