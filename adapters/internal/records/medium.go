package records

// Medium is where sealed blobs lie: a bbolt file, a directory of files. It
// knows names and bytes, and nothing of what they mean.
//
// Names are made by this package alone: lower-case words of [a-z0-9-] with one
// slash at most ("header", "root", "index/3f", "group/acme", "ring/acme").
type Medium interface {
	// Load returns the blob of that name, or nil when there is none. The bytes
	// are the caller's to keep. It may run at the same time as a Commit and
	// then sees that commit wholly or not at all, for this one name.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Load(name string) ([]byte, error)

	// Commit puts and removes all of changes, or none of them, and is durable
	// (file and directory synced) when it returns nil. One Commit runs at a
	// time. A kill at any instant leaves the state before or the state after.
	//
	// Errors: ErrUnavailable when nothing was written; ErrUnknownOutcome when
	// that cannot be said, after which Reopen must be called before the next
	// Commit; ErrCorrupt.
	Commit(changes []Change) error

	// Reopen throws away what is remembered and reads again from the disk, after
	// an unknown outcome.
	Reopen() error
}

// Change is one blob to put, or to remove when Blob is nil.
type Change struct {
	Name string
	Blob []byte
}
