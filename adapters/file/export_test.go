package file

import (
	"context"
	"errors"
	"strconv"

	"embedseal/adapters/internal/codec"
	"embedseal/adapters/internal/records"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
)

// Step is asked before every step on the disk; its error is the step's failure,
// and a failed write leaves half of its bytes.
type Step = func(op, name string) error

// OpenStepping is Open with a look at every step.
func OpenStepping(ctx context.Context, c Config, before Step) (*Store, func(), error) {
	return open(ctx, c, before)
}

// CreateStepping is Create in a directory that is there, with a look at every
// step, and without the lock.
func CreateStepping(c Config, before Step) error {
	d, err := openDisk(c.Dir, before)
	if err != nil {
		return err
	}
	defer d.close()
	_, err = createIn(d, c)
	return err
}

// OpenMedium opens the medium without a store in it, and without the lock.
func OpenMedium(dir string, before Step) (records.Medium, func(), error) {
	d, err := openDisk(dir, before)
	if err != nil {
		return nil, nil, err
	}
	m, err := openMedium(d)
	return m, d.close, err
}

// ReencodeJournal decodes a journal and encodes again what was accepted.
func ReencodeJournal(b []byte) (again []byte, names []string, ok bool) {
	j, ok := decodeJournal(b)
	for _, m := range j {
		names = append(names, m.name)
	}
	return j.encode(), names, ok
}

// Blobs are the files of a store with that many groups, each with a ring.
func Blobs(ctx context.Context, masterKey MasterKey, groups int) (map[string][]byte, error) {
	m := collector{}
	if err := records.Create(m, masterKey, func([]byte) {}); err != nil {
		return nil, err
	}
	s, err := records.Open(m, masterKey)
	if err != nil {
		return nil, err
	}
	return m, s.Update(ctx, func(tx *records.Tx) error {
		for i := range groups {
			g := group.Group{ID: group.ID("group-" + strconv.Itoa(i)), Policy: policy.Default()}
			groupDoc, err := codec.EncodeGroup(g)
			if err != nil {
				return err
			}
			ringDoc, err := codec.EncodeRing(g.ID, key.Ring{})
			if err != nil {
				return err
			}
			if err := errors.Join(tx.Put(records.KindGroup, string(g.ID), groupDoc), tx.Put(records.KindRing, string(g.ID), ringDoc)); err != nil {
				return err
			}
		}
		return nil
	})
}

// collector is a medium in memory, by the names of files.
type collector map[string][]byte

func (m collector) Load(name string) ([]byte, error) { return m[fileName(name)], nil }

func (m collector) Commit(changes []records.Change) error {
	for _, c := range changes {
		m[fileName(c.Name)] = c.Blob
	}
	return nil
}

func (m collector) Reopen() error { return nil }
