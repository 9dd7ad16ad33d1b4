package ports

import (
	"errors"
	"fmt"
)

// Every store and every cipher returns nil, the caller's own error, ctx.Err(),
// or an error that wraps exactly one of the sentinels below. Test with
// errors.Is, never by text.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is one already.
	ErrExists = errors.New("already exists")
	// ErrConflict: changed by another writer, a few times in a row. Nothing was
	// written; the call may be tried again.
	ErrConflict = errors.New("changed by another writer")
	// ErrUnavailable: the backend cannot be asked now. Nothing was written.
	ErrUnavailable = errors.New("backend unavailable")
	// ErrSealed: the backend is there and locked until its operator opens it.
	ErrSealed = fmt.Errorf("%w: sealed", ErrUnavailable)
	// ErrDenied: the backend refuses this service's own credentials.
	ErrDenied = fmt.Errorf("%w: access denied", ErrUnavailable)
	// ErrReadOnly: the backend takes this service's credentials, and does not let
	// it write. Of writing methods only.
	ErrReadOnly = fmt.Errorf("%w: may not write", ErrDenied)
	// ErrUnknownOutcome: the write may have happened or not. A later read tells.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrNotPurged: the write is done, and what it destroyed can still be read in
	// an earlier stored version. The next write of the record finishes.
	ErrNotPurged = fmt.Errorf("%w: written, and an earlier version is not destroyed", ErrUnknownOutcome)
	// ErrCorrupt: what is stored is not what was written, or cannot be read
	// with this master key. It is never used, and never overwritten.
	ErrCorrupt = errors.New("stored data unreadable")
	// ErrWrongMasterKey: the store was sealed under another master key.
	ErrWrongMasterKey = fmt.Errorf("%w: sealed under another master key", ErrCorrupt)
	// ErrHeld: another process has the store open.
	ErrHeld = fmt.Errorf("%w: held by another process", ErrUnavailable)

	// ErrBadTag: a token was not sealed with this key, or was changed since. Of
	// a [TokenCipher] only.
	ErrBadTag = errors.New("authentication tag does not match")
	// ErrCustody: the key's custody is not one that this cipher serves, or it
	// refuses this form of token. Of a [TokenCipher] and a [KeyCustody] only.
	ErrCustody = errors.New("not possible in this custody")
	// ErrCustodyUnavailable: the service that holds the key's material cannot be
	// asked now, whatever the reason. Of a [TokenCipher] only.
	ErrCustodyUnavailable = fmt.Errorf("%w: the key's custody cannot be asked", ErrUnavailable)
)
