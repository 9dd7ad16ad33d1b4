package bbolt

import (
	"io"

	"embedseal/adapters/internal/records"
)

// Preflight is preflight without its result.
func Preflight(r io.ReaderAt, size int64) error {
	_, _, err := preflight(r, size)
	return err
}

// MetaChecksum is the checksum of a meta page's body.
func MetaChecksum(body []byte) uint64 { return metaChecksum(body) }

// BucketName and Unfinished are names in and beside the file.
const (
	BucketName = bucketName
	Unfinished = unfinished
)

// Records is what lies under the ports.
func (s *Store) Records() *records.Store { return s.records }
