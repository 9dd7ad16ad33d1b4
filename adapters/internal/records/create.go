package records

import (
	"fmt"

	"embedseal/ports"
)

// Exists reports whether the medium holds a store, whoever can open it.
//
// Errors: ErrCorrupt when there is a part of a store without its header; those
// of the medium.
func Exists(m Medium) (bool, error) {
	header, err := m.Load(headerName)
	if err != nil || header != nil {
		return header != nil, err
	}
	root, err := m.Load(rootName)
	if err != nil {
		return false, err
	}
	if root != nil {
		return false, fmt.Errorf("records: read the header: %w: it is missing and the index is not", ports.ErrCorrupt)
	}
	return false, nil
}

// Create writes an empty store, durable when it returns nil. random fills the
// id of the store with bytes that nobody can guess.
//
// Errors: ErrExists when there is a header already, whatever it says;
// ErrMasterKey; those of [Exists] and of the medium.
func Create(m Medium, key MasterKey, random func([]byte)) error {
	if key.IsZero() {
		return fmt.Errorf("records: create a store: %w: there is none", ErrMasterKey)
	}
	exists, err := Exists(m)
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("records: create a store: %w", ports.ErrExists)
	}
	var id storeID
	random(id[:])
	s, err := newSealer(id, key)
	if err != nil {
		return err
	}
	first := &index{generation: 1}
	return m.Commit([]Change{
		{Name: headerName, Blob: encodeHeader(id, key)},
		{Name: rootName, Blob: s.seal(name{kind: rootName}, first.generation, encodeRoot(first))},
	})
}
