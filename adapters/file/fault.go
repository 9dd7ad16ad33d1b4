package file

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// fault is an operation on a file that failed, and what an operator can do.
// Which port error it is, only the caller knows.
func (d *disk) fault(op, name string, err error) error {
	return fmt.Errorf("file: %s %s: %w%s", op, filepath.Join(d.dir, name), bare(err), advice(err))
}

// bare drops the path that the os package puts before the reason: a fault names
// it once, in full.
func bare(err error) error {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		return inPath.Err
	}
	return err
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return " (free some space on that file system; nothing that was acknowledged is lost)"
	case errors.Is(err, syscall.EIO):
		return " (the disk reports an error: look at the kernel's log before going on)"
	case errors.Is(err, syscall.EROFS):
		return " (mount that file system writable)"
	case errors.Is(err, fs.ErrPermission):
		return " (the directory and all in it must belong to the user who runs this program)"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return " (raise the limit of open files)"
	}
	return ""
}
