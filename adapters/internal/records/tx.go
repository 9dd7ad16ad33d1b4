package records

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// MaxRecord is the longest record that is stored, in bytes: what a medium is
// asked to read back is bounded too.
const MaxRecord = 16 << 20

// Tx is one update: it reads what is committed and what it put itself. It is
// used by one goroutine, and not after its update has ended.
type Tx struct {
	store   *Store
	base    *index
	records map[name]*buffered
	// failed is the first error of a read: the update fails with it even if its
	// caller goes on, for nothing is written over what cannot be read.
	failed error
}

// buffered is a record that was verified, and perhaps changed; nil is none.
type buffered struct {
	data    []byte
	changed bool
}

// Get returns the record, or nil when there is none. The bytes are the
// caller's to keep.
//
// Errors: those of [Store.Get], which fail the update as well.
func (tx *Tx) Get(kind Kind, id string) ([]byte, error) {
	n := name{string(kind), id}
	if !n.safe() {
		return nil, nil
	}
	r, err := tx.read(n)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(r.data), nil
}

// Put replaces the record, or adds it. What it replaces is verified first. The
// bytes are copied.
//
// Errors: those of [Tx.Get]; a name that no record can have, or a record longer
// than MaxRecord, is refused.
func (tx *Tx) Put(kind Kind, id string, data []byte) error {
	n := name{string(kind), id}
	if !n.safe() {
		return fmt.Errorf("records: write %.20q/%.50q: no record can have this name", n.kind, n.id)
	}
	if len(data) > MaxRecord {
		return fmt.Errorf("records: write %s: %d bytes are more than %d", n, len(data), MaxRecord)
	}
	r, err := tx.read(n)
	if err != nil {
		return err
	}
	r.data, r.changed = append([]byte{}, data...), true
	return nil
}

// Delete removes the record; one that is not there is no error. What it removes
// is verified first.
//
// Errors: those of [Tx.Get].
func (tx *Tx) Delete(kind Kind, id string) error {
	n := name{string(kind), id}
	if !n.safe() {
		return nil
	}
	r, err := tx.read(n)
	if err != nil {
		return err
	}
	if r.data != nil {
		r.data, r.changed = nil, true
	}
	return nil
}

// read is the buffered record, verified when it is met for the first time.
func (tx *Tx) read(n name) (*buffered, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	if r, known := tx.records[n]; known {
		return r, nil
	}
	data, err := tx.store.load(n, tx.base.version(n))
	if err != nil {
		tx.failed = err
		return nil, err
	}
	r := &buffered{data: data}
	tx.records[n] = r
	return r, nil
}

// batch is the index after the update and the blobs that make it so: the
// records, their shards and the root, in the order of their names. It is empty
// when nothing changed.
func (tx *Tx) batch() (*index, []Change) {
	next := *tx.base
	next.generation++
	var changes []Change
	touched := map[int]bool{}
	for n, r := range tx.records {
		old := tx.base.version(n)
		if !r.changed || r.data == nil && old == 0 {
			continue
		}
		change, version := Change{Name: n.String()}, uint64(0)
		if r.data != nil {
			version = next.generation
			change.Blob = tx.store.sealer.seal(n, version, r.data)
		}
		changes = append(changes, change)
		i := shardOf(n)
		next.shards[i] = next.shards[i].with(n, version)
		touched[i] = true
	}
	if len(changes) == 0 {
		return tx.base, nil
	}
	for i := range touched {
		part, n := &next.shards[i], shardName(i)
		if len(part.entries) == 0 {
			part.version = 0
			changes = append(changes, Change{Name: n.String()})
			continue
		}
		part.version = next.generation
		changes = append(changes, Change{Name: n.String(), Blob: tx.store.sealer.seal(n, part.version, encodeShard(*part))})
	}
	changes = append(changes, Change{Name: rootName, Blob: tx.store.sealer.seal(name{kind: rootName}, next.generation, encodeRoot(&next))})
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return &next, changes
}
