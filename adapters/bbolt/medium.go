package bbolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

// medium keeps the blobs in the one bucket of one file.
type medium struct {
	path string

	// mu is held for reading by transactions, and for writing by whoever closes
	// or opens the file.
	mu   sync.RWMutex
	db   *bolt.DB // nil while closed
	file *os.File // the handle that db works with
	// pageSize is asked of bbolt while the file is mapped for certain.
	pageSize uint64

	// damage is set once bbolt has panicked: nothing is written after that.
	damage atomic.Pointer[faultError]
	// stuck is set where the panic left a write transaction open, which bbolt's
	// own closing would wait for.
	stuck atomic.Bool
}

var _ records.Medium = (*medium)(nil)

func openMedium(ctx context.Context, path string) (*medium, error) {
	db, file, err := openDatabase(ctx, path)
	if err != nil {
		return nil, err
	}
	return newMedium(path, db, file), nil
}

func newMedium(path string, db *bolt.DB, file *os.File) *medium {
	m := &medium{path: path}
	m.attach(db, file)
	return m
}

func (m *medium) attach(db *bolt.DB, file *os.File) {
	m.db, m.file, m.pageSize = db, file, uint64(db.Info().PageSize)
	m.damage.Store(nil)
	m.stuck.Store(false)
}

// Load implements records.Medium.
func (m *medium) Load(name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		return nil, m.closedError()
	}
	var blob []byte
	err := guarded(func() error {
		tx, err := m.db.Begin(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		bucket := tx.Bucket([]byte(bucketName))
		if bucket == nil {
			return fmt.Errorf("%w: there is no bucket %s", ports.ErrCorrupt, bucketName)
		}
		if value := bucket.Get([]byte(name)); value != nil {
			blob = append([]byte{}, value...)
		}
		return nil
	})
	if err != nil {
		m.remember(err)
		return nil, fmt.Errorf("bbolt: read %s from %s: %w", name, m.path, known(err))
	}
	return blob, nil
}

// Commit implements records.Medium.
func (m *medium) Commit(changes []records.Change) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.db == nil {
		return m.closedError()
	}
	if damage := m.damage.Load(); damage != nil {
		return fmt.Errorf("bbolt: write %s: %w: refused since an earlier fault: %w", m.path, ports.ErrCorrupt, damage)
	}
	before, err := m.metaPages()
	if err != nil {
		return fmt.Errorf("bbolt: write %s: %w", m.path, known(err))
	}
	err = guarded(func() error { return m.write(changes) })
	if err == nil {
		return nil
	}
	m.remember(err)
	return fmt.Errorf("bbolt: write %s: %w", m.path, m.outcome(before, err))
}

// write is one transaction of bbolt, which ends with it.
func (m *medium) write(changes []records.Change) error {
	tx, err := m.db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { m.stuck.Store(tx.DB() != nil) }()
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	bucket := tx.Bucket([]byte(bucketName))
	if bucket == nil {
		return fmt.Errorf("%w: there is no bucket %s", ports.ErrCorrupt, bucketName)
	}
	for _, change := range changes {
		if change.Blob == nil {
			err = bucket.Delete([]byte(change.Name))
		} else {
			err = bucket.Put([]byte(change.Name), change.Blob)
		}
		if err != nil {
			return fmt.Errorf("change %s: %w", change.Name, err)
		}
	}
	return tx.Commit()
}

// outcome says what is known after a failed write. bbolt writes the pages of a
// transaction where nothing refers to them, and last the meta page, which alone
// makes them count. So when both meta pages are what they were, nothing was
// written; otherwise the new one may be on the disk or not, although bbolt
// reported an error.
func (m *medium) outcome(before []byte, cause error) error {
	after, err := m.metaPages()
	if err != nil || !bytes.Equal(before, after) {
		return fmt.Errorf("%w: %w%s", ports.ErrUnknownOutcome, cause, advice(cause))
	}
	if fault := (*faultError)(nil); errors.As(cause, &fault) {
		return known(cause)
	}
	// A file that could not be mapped again after it grew is only mended by
	// opening it anew, which the caller does after an unknown outcome.
	if err := guarded(m.probe); err != nil {
		return fmt.Errorf("%w: %w%s", ports.ErrUnknownOutcome, cause, advice(cause))
	}
	return known(cause)
}

func (m *medium) probe() error {
	tx, err := m.db.Begin(false)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

// metaPages reads what the file holds of its two meta pages, by the handle and
// not by the mapping.
func (m *medium) metaPages() ([]byte, error) {
	const each = pageHeader + metaSize
	pages := make([]byte, 2*each)
	if err := readAt(m.file, pages[:each], 0, 0); err != nil {
		return nil, err
	}
	if err := readAt(m.file, pages[each:], m.pageSize, 1); err != nil {
		return nil, err
	}
	return pages, nil
}

// remember keeps a fault, after which nothing more is written.
func (m *medium) remember(err error) {
	if fault := (*faultError)(nil); errors.As(err, &fault) {
		m.damage.CompareAndSwap(nil, fault)
	}
}

// Reopen implements records.Medium.
func (m *medium) Reopen() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.close()
	db, file, err := openDatabase(context.Background(), m.path)
	if err != nil {
		return err
	}
	m.attach(db, file)
	return nil
}

// Close lets go of the file and its lock. What is called afterwards answers
// ErrUnavailable.
func (m *medium) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.close()
}

func (m *medium) close() {
	if m.db == nil {
		return
	}
	if m.stuck.Load() {
		release(m.file) // db.Close would wait for the transaction for ever
	} else {
		// Every transaction was synced or failed, so closing has nothing to lose.
		_ = guarded(m.db.Close)
	}
	m.db, m.file = nil, nil
}

func (m *medium) closedError() error {
	return fmt.Errorf("bbolt: %w: %s is not open", ports.ErrUnavailable, m.path)
}
