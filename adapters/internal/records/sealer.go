package records

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

const (
	recordInfo  = "embedseal record v1"
	sealedByte  = 1
	sealedHead  = 1 + 8
	aesKeySize  = 32
	associated  = "embedseal/1"
	nonceAndTag = 12 + 16
)

// sealer seals and opens the blobs of one store.
type sealer struct {
	store storeID
	aead  cipher.AEAD
}

// newSealer derives the key of the store, so that one master key may serve
// several.
func newSealer(id storeID, key MasterKey) (*sealer, error) {
	derived, err := hkdf.Key(sha256.New, key.bytes(), id[:], recordInfo, aesKeySize)
	if err != nil {
		return nil, fmt.Errorf("records: derive the record key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("records: make the cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("records: make the cipher: %w", err)
	}
	return &sealer{store: id, aead: aead}, nil
}

// seal returns the blob of plain: a format byte, the version in eight bytes, a
// random nonce of 12, the ciphertext and its tag of 16.
func (s *sealer) seal(n name, version uint64, plain []byte) []byte {
	b := make([]byte, 0, sealedHead+nonceAndTag+len(plain))
	b = append(b, sealedByte)
	b = binary.BigEndian.AppendUint64(b, version)
	return s.aead.Seal(b, nil, plain, s.associated(n, version))
}

// open returns what was sealed under that name in that version, or says in
// words what is wrong with the blob.
func (s *sealer) open(n name, version uint64, blob []byte) (plain []byte, fault string) {
	switch {
	case blob == nil:
		return nil, "it is missing"
	case len(blob) < sealedHead+nonceAndTag:
		return nil, "it is cut short"
	case blob[0] != sealedByte:
		return nil, "its format is unknown"
	}
	if got := binary.BigEndian.Uint64(blob[1:]); got != version {
		return nil, fmt.Sprintf("it is of version %d, the index says %d", got, version)
	}
	plain, err := s.aead.Open([]byte{}, nil, blob[sealedHead:], s.associated(n, version))
	if err != nil {
		return nil, "it is not what was written there"
	}
	return plain, ""
}

// associated is what a blob is bound to. No part holds a NUL but the store id,
// which has a fixed length, and the version, which comes last.
func (s *sealer) associated(n name, version uint64) []byte {
	b := make([]byte, 0, 128)
	b = append(b, associated...)
	b = append(b, 0)
	b = append(b, s.store[:]...)
	b = append(b, 0)
	b = append(b, n.kind...)
	b = append(b, 0)
	b = append(b, n.id...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, version)
}
