package file

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"embedseal/adapters/internal/records"
	"embedseal/domain/charset"
	"embedseal/ports"
)

const suffix = ".sealed"

var _ records.Medium = (*medium)(nil)

// medium is a records.Medium of small files.
type medium struct {
	disk *disk
	mu   sync.RWMutex
	// applying is a commit that is decided, and not all of it in place yet.
	applying map[string][]byte
}

// openMedium finishes a commit that a kill interrupted.
func openMedium(d *disk) (*medium, error) {
	m := &medium{disk: d}
	return m, m.Reopen()
}

// Load implements records.Medium.
func (m *medium) Load(name string) ([]byte, error) {
	if !validName(name) {
		return nil, nil
	}
	m.mu.RLock()
	blob, decided := m.applying[name]
	m.mu.RUnlock()
	if decided {
		return bytes.Clone(blob), nil
	}
	return m.disk.read(fileName(name))
}

// Commit implements records.Medium.
func (m *medium) Commit(changes []records.Change) error {
	j, err := m.prepare(changes)
	if err != nil {
		m.sweep()
		if errors.Is(err, ports.ErrCorrupt) || errors.Is(err, ports.ErrUnavailable) {
			return err
		}
		return unavailable(err)
	}
	if err := m.disk.rename(journalTemp, journalName); err != nil {
		return unknownOutcome(err)
	}
	if err := m.disk.sync("."); err != nil {
		return unknownOutcome(err)
	}
	decided := make(map[string][]byte, len(changes))
	for _, c := range changes {
		decided[c.Name] = c.Blob
	}
	m.setApplying(decided)
	if err := m.apply(j); err != nil {
		return unknownOutcome(err)
	}
	m.setApplying(nil)
	return nil
}

// Reopen implements records.Medium.
func (m *medium) Reopen() error {
	m.setApplying(nil)
	b, err := m.disk.read(journalName)
	if err != nil {
		return err
	}
	if b == nil {
		m.sweep()
		return nil
	}
	j, ok := decodeJournal(b)
	if !ok {
		return fmt.Errorf("file: read %s: %w: it is not what was written there", m.disk.path(journalName), ports.ErrCorrupt)
	}
	if err := m.verify(j); err != nil {
		return err
	}
	// The one who decided may have died before its name was durable.
	if err := m.disk.sync("."); err != nil {
		return unavailable(err)
	}
	if err := m.apply(j); err != nil {
		return unavailable(err)
	}
	m.sweep()
	return nil
}

// prepare does all that needs space, and decides nothing.
func (m *medium) prepare(changes []records.Change) (journal, error) {
	j := make(journal, len(changes))
	if err := m.disk.mkdir(stageDir); err != nil {
		return nil, err
	}
	for i, c := range changes {
		if !validName(c.Name) || len(c.Blob) > maxBlob {
			return nil, fmt.Errorf("file: write %.99q: the name or the length of %d bytes is not one of a blob", c.Name, len(c.Blob))
		}
		old, err := m.disk.read(fileName(c.Name))
		if err != nil {
			return nil, err
		}
		j[i] = move{name: c.Name, before: imageOf(old), after: imageOf(c.Blob)}
		if c.Blob == nil {
			continue
		}
		if dir := path.Dir(c.Name); dir != "." {
			if err := m.disk.mkdir(dir); err != nil {
				return nil, err
			}
		}
		if err := m.disk.create(stageName(i), c.Blob); err != nil {
			return nil, err
		}
	}
	if err := m.disk.sync(stageDir); err != nil {
		return nil, err
	}
	return j, m.disk.create(journalTemp, j.encode())
}

// verify makes sure that every file is one that the journal knows, before
// anything is moved: a journal of an earlier time moves nothing.
func (m *medium) verify(j journal) error {
	for i, mv := range j {
		b, err := m.disk.read(fileName(mv.name))
		if err != nil {
			return err
		}
		now := imageOf(b)
		if now == mv.after {
			continue
		}
		if now != mv.before {
			return fmt.Errorf("file: finish the commit in %s: %w: %s is neither as before nor as after it",
				m.disk.path(journalName), ports.ErrCorrupt, fileName(mv.name))
		}
		if !mv.after.present {
			continue
		}
		if b, err = m.disk.read(stageName(i)); err != nil {
			return err
		}
		if imageOf(b) != mv.after {
			return fmt.Errorf("file: finish the commit in %s: %w: %s is not what was written there",
				m.disk.path(journalName), ports.ErrCorrupt, stageName(i))
		}
	}
	return nil
}

// apply brings every file to where the journal wants it, makes that durable,
// and forgets the journal. The removal is not synced: a journal that comes back
// finds everything in place.
func (m *medium) apply(j journal) error {
	touched := []string{"."}
	for i, mv := range j {
		if dir := path.Dir(mv.name); !slices.Contains(touched, dir) {
			touched = append(touched, dir)
		}
		if !mv.after.present {
			if err := m.disk.remove(fileName(mv.name)); err != nil {
				return err
			}
			continue
		}
		b, err := m.disk.read(fileName(mv.name))
		if err != nil {
			return err
		}
		if imageOf(b) == mv.after {
			continue
		}
		if err := m.disk.rename(stageName(i), fileName(mv.name)); err != nil {
			return err
		}
	}
	for _, dir := range touched {
		if err := m.disk.sync(dir); err != nil {
			return err
		}
	}
	return m.disk.remove(journalName)
}

// sweep removes what a commit left that was not decided. What it cannot remove
// is in nobody's way: the next commit replaces it.
func (m *medium) sweep() {
	entries, err := m.disk.list(stageDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		_ = m.disk.remove(stageDir + "/" + e.Name())
	}
	_ = m.disk.remove(journalTemp)
}

func (m *medium) setApplying(decided map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applying = decided
}

func fileName(name string) string { return name + suffix }

// path is for people.
func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// validName reports whether a blob may have that name: one or two words of
// [a-z0-9-], of which the first is not one that the layout uses itself.
func validName(name string) bool {
	first, second, two := strings.Cut(name, "/")
	if two && (!word(second) || first == stageDir) {
		return false
	}
	return word(first) && len(name) <= maxName
}

func word(s string) bool { return s != "" && ofWord.HasAll(s) }

var ofWord = charset.Of(charset.Lower + charset.Digits + "-")
