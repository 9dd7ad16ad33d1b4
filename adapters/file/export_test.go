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

// Fill writes that many groups, each with a ring, in commits of a thousand
// records.
func Fill(ctx context.Context, c Config, groups int) error {
	s, closing, err := Open(ctx, c)
	if err != nil {
		return err
	}
	defer closing()
	for from := 0; from < groups; from += 500 {
		if err := s.records.Update(ctx, func(tx *records.Tx) error {
			for i := from; i < min(from+500, groups); i++ {
				id := "group-" + strconv.Itoa(i)
				g, err := codec.EncodeGroup(group.Group{ID: group.ID(id), Policy: policy.Default()})
				if err != nil {
					return err
				}
				r, err := codec.EncodeRing(group.ID(id), key.Ring{})
				if err != nil {
					return err
				}
				if err := errors.Join(tx.Put(records.KindGroup, id, g), tx.Put(records.KindRing, id, r)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
