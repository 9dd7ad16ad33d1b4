package file

import "embedseal/adapters/internal/records"

// Config says where the store is and what it is sealed under.
type Config struct {
	// Dir is the directory of the store, and of nothing else.
	Dir       string
	MasterKey MasterKey
}

// MasterKey is what a store is sealed under: 32 bytes. It never prints. The
// zero value is no key, and nothing opens with it.
type MasterKey = records.MasterKey

// ParseMasterKey reads 32 bytes in base64 or hex. Its error does not hold the
// text.
func ParseMasterKey(text string) (MasterKey, error) { return records.ParseMasterKey(text) }

// NewMasterKey makes the key of those random bytes.
func NewMasterKey(random [records.MasterKeySize]byte) MasterKey { return records.NewMasterKey(random) }
