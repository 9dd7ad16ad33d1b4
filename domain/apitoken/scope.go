package apitoken

import (
	"errors"
	"fmt"
	"strings"
)

// ErrScope is wrapped by the refusal of an unknown scope.
var ErrScope = errors.New("unknown scope")

// Scopes is a set of what the bearer may do. The zero value may do nothing.
type Scopes uint8

// The scopes.
const (
	// Mint: make embed tokens.
	Mint Scopes = 1 << iota
	// Verify: ask whether an embed token is good.
	Verify
	// Read: see the group's keys and settings, not their secrets.
	Read
	// Write: change them.
	Write
	// Reveal: be given the value of an embed secret. No alias has it.
	Reveal

	// ReadOnly is the documented service's read-only token.
	ReadOnly = Verify | Read
	// ReadWrite is the documented service's read-write token.
	ReadWrite = Mint | Verify | Read | Write

	// All is every scope there is.
	All = ReadWrite | Reveal
)

type scopeName struct {
	name   string
	scopes Scopes
}

// known lists the single scopes in the order they are written.
func known() [5]scopeName {
	return [5]scopeName{{"mint", Mint}, {"verify", Verify}, {"read", Read}, {"write", Write}, {"reveal", Reveal}}
}

// ParseScopes joins the named scopes; `read-only` and `read-write` are aliases.
// The error wraps [ErrScope].
func ParseScopes(names ...string) (Scopes, error) {
	var s Scopes
next:
	for _, name := range names {
		switch name {
		case "read-only":
			s |= ReadOnly
			continue
		case "read-write":
			s |= ReadWrite
			continue
		}
		for _, k := range known() {
			if k.name == name {
				s |= k.scopes
				continue next
			}
		}
		return 0, fmt.Errorf("%w %.20q: known are mint, verify, read, write, reveal, read-only, read-write", ErrScope, name)
	}
	return s, nil
}

// Has reports whether every scope of want is in the set.
func (s Scopes) Has(want Scopes) bool { return s&want == want }

// Names lists the single scopes of the set, in a fixed order.
func (s Scopes) Names() []string {
	names := []string{}
	for _, k := range known() {
		if s.Has(k.scopes) {
			names = append(names, k.name)
		}
	}
	return names
}

// String joins the names with commas.
func (s Scopes) String() string { return strings.Join(s.Names(), ",") }
