package records_test

import (
	"bytes"
	"testing"

	"embedseal/adapters/internal/records"
)

// shardEntry is one entry of a shard, with the lengths that it says it has.
func shardEntry(kindLen byte, kind string, idLen byte, id string, version ...byte) []byte {
	b := append([]byte{kindLen}, kind...)
	b = append(append(b, idLen), id...)
	return append(append(b, make([]byte, 8-len(version))...), version...)
}

func TestAShardListsWhatBelongsToIt(t *testing.T) {
	acme := records.ShardOf(records.KindGroup, "acme")
	good := shardEntry(5, "group", 4, "acme", 3)
	if again, ok := records.ReencodeShard(acme, 3, good); !ok || !bytes.Equal(again, good) {
		t.Fatalf("a good shard was refused or changed: %t %x", ok, again)
	}
	for name, c := range map[string]struct {
		shard   int
		version uint64
		b       []byte
	}{
		"nothing":                 {acme, 3, nil},
		"another shard's":         {acme ^ 1, 3, good},
		"newer than the shard":    {acme, 2, good},
		"of version 0":            {acme, 3, shardEntry(5, "group", 4, "acme", 0)},
		"cut short":               {acme, 3, good[:len(good)-1]},
		"a byte too long":         {acme, 3, append(bytes.Clone(good), 0)},
		"twice":                   {acme, 3, append(bytes.Clone(good), good...)},
		"a length beyond the end": {acme, 3, shardEntry(255, "group", 4, "acme", 3)},
		"an id beyond the end":    {acme, 3, shardEntry(5, "group", 255, "acme", 3)},
		"an unsafe id":            {records.ShardOf(records.KindGroup, "../x"), 3, shardEntry(5, "group", 4, "../x", 3)},
		"an unsafe kind":          {records.ShardOf("index", "acme"), 3, shardEntry(5, "index", 4, "acme", 3)},
	} {
		if _, ok := records.ReencodeShard(c.shard, c.version, c.b); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzIndex gives any plaintext to the decoders of the index: they accept what
// they would have written, and nothing else.
func FuzzIndex(f *testing.F) {
	f.Add(0, uint64(1), []byte{})
	f.Add(0, uint64(0), make([]byte, 2056))
	f.Add(7, uint64(1<<63), bytes.Repeat([]byte{0xff}, 2056))
	f.Add(records.ShardOf(records.KindGroup, "acme"), uint64(3), shardEntry(5, "group", 4, "acme", 3))
	f.Add(records.ShardOf(records.KindGroup, "../x"), uint64(3), shardEntry(5, "group", 4, "../x", 3))
	f.Add(0, uint64(3), shardEntry(255, "group", 255, "acme", 3))
	f.Add(0, uint64(9), bytes.Repeat(shardEntry(5, "group", 4, "acme", 3), 1000))
	f.Fuzz(func(t *testing.T, i int, version uint64, b []byte) {
		if again, ok := records.ReencodeShard(i, version, b); ok && !bytes.Equal(again, b) {
			t.Errorf("a shard was read from %x and is written %x", b, again)
		}
		if again, ok := records.ReencodeRoot(b); ok && !bytes.Equal(again, b) {
			t.Errorf("a root was read from %x and is written %x", b, again)
		}
	})
}
