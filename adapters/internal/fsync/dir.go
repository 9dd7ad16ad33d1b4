// Package fsync answers: how does the name of a new file get onto the disk?
package fsync

import (
	"errors"
	"os"
	"path/filepath"
)

// Dir syncs a directory: names that were made, changed or removed in it survive
// a power cut afterwards.
func Dir(path string) error {
	d, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
