package records

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

const (
	rootName   = "root"
	shardCount = 256
	rootSize   = 8 + shardCount*8
)

// entry is what the index says of one record.
type entry struct {
	name    name
	version uint64
}

// shard is one part of the index: entries in the order of their names. A shard
// is never changed, only replaced. Version 0 is a shard that is not stored.
type shard struct {
	version uint64
	entries []entry
}

// index says which records there are. It is never changed, only replaced, so
// that it is read without a lock.
type index struct {
	generation uint64
	shards     [shardCount]shard
}

// version is that of the record, or 0 when there is none.
func (x *index) version(n name) uint64 {
	s := &x.shards[shardOf(n)]
	if i, found := s.find(n); found {
		return s.entries[i].version
	}
	return 0
}

// ids lists the records of a kind in ascending order.
func (x *index) ids(kind Kind) []string {
	ids := []string{}
	for i := range x.shards {
		for _, e := range x.shards[i].entries {
			if e.name.kind == string(kind) {
				ids = append(ids, e.name.id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func (s shard) find(n name) (int, bool) {
	return slices.BinarySearchFunc(s.entries, n, func(e entry, n name) int { return e.name.before(n) })
}

// with returns a shard that lists n in that version, or not at all for 0.
func (s shard) with(n name, version uint64) shard {
	i, found := s.find(n)
	entries := slices.Clone(s.entries)
	switch {
	case version == 0 && found:
		entries = slices.Delete(entries, i, i+1)
	case version != 0 && found:
		entries[i].version = version
	case version != 0:
		entries = slices.Insert(entries, i, entry{n, version})
	}
	return shard{version: s.version, entries: entries}
}

func shardOf(n name) int { return int(sha256.Sum256([]byte(n.String()))[0]) }

func shardName(i int) name { return name{kindIndex, hex.EncodeToString([]byte{byte(i)})} }

// encodeRoot writes the generation and the versions of the shards.
func encodeRoot(x *index) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, rootSize), x.generation)
	for i := range x.shards {
		b = binary.BigEndian.AppendUint64(b, x.shards[i].version)
	}
	return b
}

// decodeRoot returns an index whose shards have no entries yet.
func decodeRoot(b []byte) (*index, bool) {
	if len(b) != rootSize {
		return nil, false
	}
	x := &index{generation: binary.BigEndian.Uint64(b)}
	ok := x.generation > 0
	for i := range x.shards {
		x.shards[i].version = binary.BigEndian.Uint64(b[8+8*i:])
		ok = ok && x.shards[i].version <= x.generation
	}
	return x, ok
}

// encodeShard writes each entry as kind and id, with their lengths in a byte,
// and the version in eight.
func encodeShard(s shard) []byte {
	b := make([]byte, 0, 64*len(s.entries))
	for _, e := range s.entries {
		b = append(b, byte(len(e.name.kind)))
		b = append(b, e.name.kind...)
		b = append(b, byte(len(e.name.id)))
		b = append(b, e.name.id...)
		b = binary.BigEndian.AppendUint64(b, e.version)
	}
	return b
}

// decodeShard accepts only what encodeShard writes for the i-th shard of that
// version.
func decodeShard(i int, version uint64, b []byte) (shard, bool) {
	s := shard{version: version}
	for len(b) > 0 {
		var e entry
		var okKind, okID bool
		e.name.kind, b, okKind = cutText(b)
		e.name.id, b, okID = cutText(b)
		if !okKind || !okID || len(b) < 8 || !e.name.safe() || shardOf(e.name) != i {
			return shard{}, false
		}
		e.version, b = binary.BigEndian.Uint64(b), b[8:]
		if e.version == 0 || e.version > version {
			return shard{}, false
		}
		if n := len(s.entries); n > 0 && s.entries[n-1].name.before(e.name) >= 0 {
			return shard{}, false
		}
		s.entries = append(s.entries, e)
	}
	return s, len(s.entries) > 0
}

// cutText takes a text off the front whose length stands before it.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}
