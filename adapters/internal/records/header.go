package records

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"embedseal/ports"
)

const (
	headerName  = "header"
	magic       = "embedseal store\x00"
	format      = 1
	storeIDSize = 16
	checkSize   = 8
	checkLabel  = "embedseal key check"
	headerSize  = len(magic) + 1 + storeIDSize + checkSize + crc32.Size
)

// storeID tells stores apart that are sealed under one master key.
type storeID [storeIDSize]byte

// encodeHeader writes the only blob that is not sealed. The checksum is what
// tells damage from a wrong master key.
func encodeHeader(id storeID, key MasterKey) []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = append(b, format)
	b = append(b, id[:]...)
	b = append(b, keyCheck(id, key)...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeHeader returns the id of the store that key opens. The error wraps
// ports.ErrCorrupt, or ports.ErrWrongMasterKey when the header is whole.
func decodeHeader(b []byte, key MasterKey) (storeID, error) {
	body, ok := bytes.CutPrefix(b, []byte(magic))
	switch {
	case !ok || len(b) < len(magic)+1+crc32.Size:
		return storeID{}, fmt.Errorf("records: read the header: %w: this is not a store", ports.ErrCorrupt)
	case binary.BigEndian.Uint32(b[len(b)-crc32.Size:]) != crc32.ChecksumIEEE(b[:len(b)-crc32.Size]):
		return storeID{}, fmt.Errorf("records: read the header: %w: its checksum is wrong", ports.ErrCorrupt)
	case body[0] != format:
		return storeID{}, fmt.Errorf("records: read the header: %w: format %d, this program reads format %d", ports.ErrCorrupt, body[0], format)
	case len(b) != headerSize:
		return storeID{}, fmt.Errorf("records: read the header: %w: it has %d bytes, not %d", ports.ErrCorrupt, len(b), headerSize)
	}
	id := storeID(body[1 : 1+storeIDSize])
	check := body[1+storeIDSize : 1+storeIDSize+checkSize]
	if subtle.ConstantTimeCompare(check, keyCheck(id, key)) != 1 {
		return storeID{}, fmt.Errorf("records: open the store %x: %w than the one given", id[:4], ports.ErrWrongMasterKey)
	}
	return id, nil
}

// keyCheck is a value that only the right master key gives, and that does not
// give it away.
func keyCheck(id storeID, key MasterKey) []byte {
	mac := hmac.New(sha256.New, key.bytes())
	mac.Write([]byte(checkLabel)) // a hash never fails to write
	mac.Write(id[:])
	return mac.Sum(nil)[:checkSize]
}
