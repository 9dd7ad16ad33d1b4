package key

import (
	"errors"
	"fmt"
	"time"

	"embedseal/domain/jwe"
	"embedseal/domain/label"
	"embedseal/domain/replay"
)

// State says what a key may still do. The zero value may do nothing.
type State uint8

// The life of a key: active, retiring, destroyed; disabled is a pause of it.
const (
	// Destroyed: the material is gone, from earlier stored versions too.
	Destroyed State = iota
	// Disabled: neither mints nor opens; can be enabled again.
	Disabled
	// Retiring: opens only, until every token it sealed has expired.
	Retiring
	// Active: mints and opens.
	Active
)

// stateNames are what records and answers call the states.
func stateNames() [4]string { return [4]string{"destroyed", "disabled", "retiring", "active"} }

// String returns the name that records and answers use.
func (s State) String() string {
	names := stateNames()
	if int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// ParseState is the inverse of [State.String]. The error wraps [ErrInvalid].
func ParseState(name string) (State, error) {
	for i, known := range stateNames() {
		if known == name {
			return State(i), nil
		}
	}
	return Destroyed, fmt.Errorf("%w: unknown state %.20q", ErrInvalid, name)
}

// Custody says where a key's material is. The zero value is no custody at all
// and no cipher takes it.
type Custody uint8

// Where material can be.
const (
	CustodyUnknown Custody = iota
	// Material: in the ring, beside the key's id.
	Material
	// VaultTransit: in HashiCorp Vault's Transit engine, which it never leaves.
	VaultTransit
)

// String returns the name that records and answers use.
func (c Custody) String() string {
	switch c {
	case Material:
		return "material"
	case VaultTransit:
		return "vault-transit"
	case CustodyUnknown:
	}
	return "unknown"
}

// ParseCustody is the inverse of [Custody.String]. The error wraps
// [ErrInvalid].
func ParseCustody(name string) (Custody, error) {
	for _, c := range []Custody{Material, VaultTransit} {
		if c.String() == name {
			return c, nil
		}
	}
	return CustodyUnknown, fmt.Errorf("%w: unknown custody %.20q", ErrInvalid, name)
}

// Key is one embed secret of a group. What sealing reads of it stands first, and near
// together.
type Key struct {
	ID      ID
	State   State
	Custody Custody
	// Secret is the value, for the custody [Material] and until the key is
	// destroyed; otherwise zero.
	Secret Secret
	// RetiresAt is when an active key becomes retiring without anybody's doing: the
	// end of its overlap. Of a key that is retiring already, when that began. Zero:
	// never, or not known.
	RetiresAt time.Time
	// Ref is what the key's custody finds the material by: for [VaultTransit] the
	// name of the Transit key, a colon, and its version. Empty for [Material].
	Ref string
	// CreatedAt is in UTC, to the second.
	CreatedAt time.Time
	// Label and Note are the operator's words, as [label.CheckName] and
	// [label.CheckNote] allow them.
	Label, Note string
	// SafeToDestroyAt is when the last token that the key had sealed is over, as it
	// was reckoned when the key was taken out of use. Zero: it was not. See
	// [Key.SafeAt].
	SafeToDestroyAt time.Time
	// Replaces is the default whose place the key took when it was made by rotating.
	Replaces ID
	// Creation is the mark of the request that made it.
	Creation replay.Mark
}

// StateAt is the state at that time: nobody has to write to the store for the end
// of an overlap.
func (k Key) StateAt(now time.Time) State {
	if k.State == Active && !k.RetiresAt.IsZero() && !now.Before(k.RetiresAt) {
		return Retiring
	}
	return k.State
}

// CanSeal reports whether new tokens may be made with the key.
func (k Key) CanSeal(now time.Time) bool { return k.StateAt(now) == Active }

// CanOpen reports whether tokens made with the key are still honoured.
func (k Key) CanOpen(now time.Time) bool {
	s := k.StateAt(now)
	return s == Active || s == Retiring
}

// SafeAt is when no token that the key sealed can be open any more, if a token
// lives no longer than horizon. It is never before SafeToDestroyAt, and later
// when horizon has grown since: whoever named the key during its overlap got
// tokens that live as long as was allowed then. Zero: the key is not on its way
// out, so that there is no such time.
func (k Key) SafeAt(horizon time.Duration) time.Time {
	if k.RetiresAt.IsZero() || k.State == Destroyed {
		return k.SafeToDestroyAt
	}
	if at := k.RetiresAt.Add(horizon); at.After(k.SafeToDestroyAt) {
		return at
	}
	return k.SafeToDestroyAt
}

// valid is what a ring asks of each of its keys.
func (k Key) valid() error {
	if _, err := ParseID(string(k.ID)); err != nil {
		return err
	}
	hasMaterial := !k.Secret.IsZero()
	wantMaterial := k.Custody == Material && k.State != Destroyed
	switch {
	case k.State > Active:
		return fmt.Errorf("%w: %s has an unknown state", ErrInvalid, k.ID)
	case k.Custody != Material && k.Custody != VaultTransit:
		return fmt.Errorf("%w: %s has no known custody", ErrInvalid, k.ID)
	case hasMaterial != wantMaterial:
		return fmt.Errorf("%w: %s is %s in custody %s: material present is %t, must be %t",
			ErrInvalid, k.ID, k.State, k.Custody, hasMaterial, wantMaterial)
	case k.Custody == Material && k.Ref != "", k.Custody != Material && k.State != Destroyed && k.Ref == "":
		return fmt.Errorf("%w: %s is %s in custody %s: a reference is for a custody outside of the ring, and such a key needs one",
			ErrInvalid, k.ID, k.State, k.Custody)
	case !validRef(k.Ref):
		return fmt.Errorf("%w: the reference of %s is not 1 to %d printable ASCII characters without spaces", ErrInvalid, k.ID, maxRef)
	case k.State == Active && k.RetiresAt.IsZero() && !k.SafeToDestroyAt.IsZero():
		return fmt.Errorf("%w: %s is active without an end, and has a time from which it may be destroyed", ErrInvalid, k.ID)
	case !k.SafeToDestroyAt.IsZero() && k.SafeToDestroyAt.Before(k.RetiresAt):
		return fmt.Errorf("%w: %s may be destroyed before it retires", ErrInvalid, k.ID)
	case k.Replaces != "" && !jwe.ValidKeyID(string(k.Replaces)):
		return fmt.Errorf("%w: %s replaces what is no key", ErrInvalid, k.ID)
	case hasMaterial:
		if err := checkValue(k.Secret.Reveal()); err != nil {
			return fmt.Errorf("%s: %w", k.ID, err)
		}
	}
	if err := errors.Join(label.CheckName(k.Label), label.CheckNote(k.Note)); err != nil {
		return fmt.Errorf("%w: label or note of %s: %w", ErrInvalid, k.ID, err)
	}
	return nil
}

// maxRef is the longest reference, in bytes.
const maxRef = 255

// validRef lets the empty text through.
func validRef(ref string) bool {
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] > '~' {
			return false
		}
	}
	return len(ref) <= maxRef
}
