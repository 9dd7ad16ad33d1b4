package records

// ReencodeRoot decodes what comes out of the seal of the root, and encodes again
// what it accepted.
func ReencodeRoot(b []byte) ([]byte, bool) {
	x, ok := decodeRoot(b)
	if !ok {
		return nil, false
	}
	return encodeRoot(x), true
}

// ReencodeShard is the same for the i-th shard of that version.
func ReencodeShard(i int, version uint64, b []byte) ([]byte, bool) {
	s, ok := decodeShard(i, version, b)
	if !ok {
		return nil, false
	}
	return encodeShard(s), true
}

// ShardOf is the shard that lists a record.
func ShardOf(kind Kind, id string) int { return shardOf(name{string(kind), id}) }
