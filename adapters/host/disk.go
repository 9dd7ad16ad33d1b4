package host

import (
	"fmt"
	"syscall"
)

// Space is what a file system has left for this user.
type Space struct {
	// Free and Total are bytes.
	Free, Total uint64
	// FreeFiles and TotalFiles are inodes; both are 0 where the file system does not
	// count them.
	FreeFiles, TotalFiles uint64
	ReadOnly              bool
	// ID tells file systems apart.
	ID uint64
}

// SpaceAt asks the file system of path, which must be there.
func SpaceAt(path string) (Space, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return Space{}, fmt.Errorf("host: ask for the space of %s: %w", path, err)
	}
	var file syscall.Stat_t
	if err := syscall.Stat(path, &file); err != nil {
		return Space{}, fmt.Errorf("host: look at %s: %w", path, err)
	}
	block := uint64(max(fs.Bsize, 0)) //nolint:unconvert,nolintlint // of another type on other machines
	const readOnly = 1                // ST_RDONLY
	return Space{Free: fs.Bavail * block, Total: fs.Blocks * block, FreeFiles: fs.Ffree, TotalFiles: fs.Files,
		ReadOnly: fs.Flags&readOnly != 0, ID: uint64(file.Dev)}, nil //nolint:unconvert,nolintlint // as above
}
