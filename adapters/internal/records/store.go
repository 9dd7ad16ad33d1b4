package records

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"embedseal/ports"
)

// Store keeps sealed records in a medium. It is safe for concurrent use: reads
// do not wait for one another, nor for a write unless they meet it.
type Store struct {
	medium Medium
	sealer *sealer
	// current is what is known to be committed; nil while an outcome is unknown.
	current atomic.Pointer[index]

	write sync.Mutex // one writer; also held while the index is loaded again
	known uint64     // the last generation that was committed for certain
}

// Open reads the index and verifies all of it; the records are verified as
// they are read.
//
// Errors: ErrNotFound when the medium holds no store, ErrWrongMasterKey,
// ErrCorrupt, ErrMasterKey, those of the medium.
func Open(m Medium, key MasterKey) (*Store, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("records: open the store: %w: there is none", ErrMasterKey)
	}
	exists, err := Exists(m)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, fmt.Errorf("records: open the store: %w", ports.ErrNotFound)
	}
	header, err := m.Load(headerName)
	if err != nil {
		return nil, err
	}
	id, err := decodeHeader(header, key)
	if err != nil {
		return nil, err
	}
	s := &Store{medium: m}
	if s.sealer, err = newSealer(id, key); err != nil {
		return nil, err
	}
	x, err := s.loadIndex()
	if err != nil {
		return nil, err
	}
	s.known = x.generation
	s.current.Store(x)
	return s, nil
}

// Get returns the record, or nil when there is none; a name that no record can
// have has none. The bytes are the caller's to keep.
//
// Errors: ErrCorrupt, which names kind and id; those of the medium.
func (s *Store) Get(kind Kind, id string) ([]byte, error) {
	n := name{string(kind), id}
	if !n.safe() {
		return nil, nil
	}
	if x := s.current.Load(); x != nil {
		plain, err := s.load(n, x.version(n))
		if !errors.Is(err, ports.ErrCorrupt) {
			return plain, err
		}
	}
	// Either a commit is being made, and the medium is ahead of the index, or
	// the record is corrupt. Without a writer there is only the latter.
	s.write.Lock()
	defer s.write.Unlock()
	x, err := s.settle()
	if err != nil {
		return nil, err
	}
	return s.load(n, x.version(n))
}

// IDs lists the records of a kind in ascending order, as the index does: a
// record that vanished is listed, and corrupt when it is read.
//
// Errors: those of reading the index again after an unknown outcome.
func (s *Store) IDs(kind Kind) ([]string, error) {
	if x := s.current.Load(); x != nil {
		return x.ids(kind), nil
	}
	s.write.Lock()
	defer s.write.Unlock()
	x, err := s.settle()
	if err != nil {
		return nil, err
	}
	return x.ids(kind), nil
}

// Update runs change once, alone, and commits what it put and deleted, all of
// it or nothing, durable when it returns nil. When change fails nothing is
// written and its error comes back as it was. The context is looked at before
// change runs, and no more: a commit that has begun is finished.
//
// Errors: that of change, ctx.Err(), ErrCorrupt, and those of the medium, after
// ErrUnknownOutcome of which the next call reads the index again.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	if err := ctx.Err(); err != nil { // the wait may have been long
		return err
	}
	x, err := s.settle()
	if err != nil {
		return err
	}
	tx := &Tx{store: s, base: x, records: map[name]*buffered{}}
	if err := change(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	next, changes := tx.batch()
	if len(changes) == 0 {
		return nil
	}
	if err := s.medium.Commit(changes); err != nil {
		if !errors.Is(err, ports.ErrUnavailable) {
			s.current.Store(nil)
		}
		return err
	}
	s.known = next.generation
	s.current.Store(next)
	return nil
}

// settle returns the index, and finds out first how a commit ended whose
// outcome is unknown. The writer's lock is held.
func (s *Store) settle() (*index, error) {
	if x := s.current.Load(); x != nil {
		return x, nil
	}
	if err := s.medium.Reopen(); err != nil {
		return nil, err
	}
	x, err := s.loadIndex()
	if err != nil {
		return nil, err
	}
	if x.generation != s.known && x.generation != s.known+1 {
		return nil, fmt.Errorf("records: read the index again: %w: generation %d after %d", ports.ErrCorrupt, x.generation, s.known)
	}
	s.known = x.generation
	s.current.Store(x)
	return x, nil
}

// load reads and verifies one record; version 0 is a record that must not be
// there.
func (s *Store) load(n name, version uint64) ([]byte, error) {
	blob, err := s.medium.Load(n.String())
	if err != nil {
		return nil, err
	}
	if version == 0 {
		if blob != nil {
			return nil, corrupt(n, "it is there and the index does not list it")
		}
		return nil, nil
	}
	plain, fault := s.sealer.open(n, version, blob)
	if fault != "" {
		return nil, corrupt(n, fault)
	}
	return plain, nil
}

// loadIndex reads the root and every shard, and verifies each against what is
// above it. Above the root there is nothing: its version is its own word.
func (s *Store) loadIndex() (*index, error) {
	root := name{kind: rootName}
	blob, err := s.medium.Load(rootName)
	if err != nil {
		return nil, err
	}
	var generation uint64
	if len(blob) >= sealedHead {
		generation = binary.BigEndian.Uint64(blob[1:])
	}
	plain, fault := s.sealer.open(root, generation, blob)
	if fault != "" {
		return nil, corrupt(root, fault)
	}
	x, ok := decodeRoot(plain)
	if !ok || x.generation != generation {
		return nil, corrupt(root, "it contradicts itself")
	}
	for i := range x.shards {
		if x.shards[i], err = s.loadShard(i, x.shards[i].version); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (s *Store) loadShard(i int, version uint64) (shard, error) {
	n := shardName(i)
	plain, err := s.load(n, version)
	if err != nil || version == 0 {
		return shard{}, err
	}
	part, ok := decodeShard(i, version, plain)
	if !ok {
		return shard{}, corrupt(n, "it contradicts itself")
	}
	return part, nil
}

func corrupt(n name, fault string) error {
	return fmt.Errorf("records: read %s: %w: %s", n, ports.ErrCorrupt, fault)
}
