package auditlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"embedseal/domain/audit"
	"embedseal/ports"
)

// source is a file of a log that is read.
type source struct {
	name  string
	first uint64
	open  func() (io.ReadCloser, error)
}

// snapshot is the files of the log as they are now, the oldest first, and its last
// record. What is written later is not in it.
func (l *Log) snapshot() ([]source, audit.Head, error) {
	if !l.regular {
		return nil, audit.Head{}, fmt.Errorf("auditlog: read %s: %w: it is no file that can be read back", l.cfg.Path, ports.ErrNotFound)
	}
	l.follow()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chain == nil {
		return nil, audit.Head{}, fmt.Errorf("auditlog: read %s: %w: the store has not given the key of the log yet", l.cfg.Path, ports.ErrUnavailable)
	}
	current, err := os.Open(filepath.Clean(l.cfg.Path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, audit.Head{}, fmt.Errorf("%w: auditlog: read %s: %w", ports.ErrUnavailable, l.cfg.Path, err)
	}
	sources, readErr := l.archived()
	if err != nil || readErr != nil { // without the current file: Verify finds its records missing
		return sources, l.head, readErr
	}
	if l.size == 0 {
		return sources, l.head, current.Close()
	}
	size := l.size
	return append(sources, source{l.cfg.Path, max(l.first, 1), func() (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(current, size), current}, nil
	}}), l.head, nil
}

// archived are the files beside the current one that begin with a record of this
// log, whoever named them.
func (l *Log) archived() ([]source, error) {
	dir, base := filepath.Split(l.cfg.Path)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return nil, fmt.Errorf("%w: auditlog: list the files of %s: %w", ports.ErrUnavailable, l.cfg.Path, err)
	}
	var sources []source
	for _, e := range entries {
		rest, found := strings.CutPrefix(e.Name(), base+".")
		if !found || "."+rest == newSuffix || strings.Contains("."+rest, asideMark) || !e.Type().IsRegular() {
			continue
		}
		s := fileSource(filepath.Join(dir, e.Name()))
		if first, ok := s.begin(); ok && first.log == l.cfg.Name {
			s.first = first.Seq
			sources = append(sources, s)
			continue
		}
		// The number that rotate gave it stays when its first line was damaged.
		if n, ok := parseNumber(rest); ok {
			s.first = n
			sources = append(sources, s)
		}
	}
	slices.SortStableFunc(sources, func(a, b source) int { return cmp.Compare(a.first, b.first) })
	return sources, nil
}

func parseNumber(s string) (n uint64, ok bool) {
	if len(s) != maxSeqWidth || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	_, err := fmt.Sscanf(s, "%d", &n)
	return n, err == nil
}

func fileSource(name string) source {
	return source{name: name, open: func() (io.ReadCloser, error) { return os.Open(filepath.Clean(name)) }}
}

// scan calls do with every line of the file, until it returns false. What it is
// given is valid for the call.
func (s source) scan(ctx context.Context, do func(line) bool) error {
	file, err := s.open()
	if err != nil {
		return fmt.Errorf("%w: auditlog: read %s: %w", ports.ErrUnavailable, s.name, err)
	}
	defer func() { _ = file.Close() }()
	in := newLines(file)
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: auditlog: read %s: %w", ports.ErrUnavailable, s.name, err)
		}
		if l.number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !do(l) {
			return nil
		}
	}
}

// begin is the first record of the file.
func (s source) begin() (entry, bool) {
	f, err := s.open()
	if err != nil {
		return entry{}, false
	}
	defer func() { _ = f.Close() }()
	l, err := newLines(f).next()
	if err != nil {
		return entry{}, false
	}
	return parse(slices.Clone(l.text))
}

// Verify implements ports.AuditReader.
func (l *Log) Verify(ctx context.Context) (audit.Report, error) {
	report, err := l.verifyNow(ctx)
	for range 3 { // an old file may have been removed as configured while it was read
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		report, err = l.verifyNow(ctx)
	}
	return report, err
}

func (l *Log) verifyNow(ctx context.Context) (audit.Report, error) {
	sources, head, err := l.snapshot()
	if err != nil {
		return audit.Report{}, err
	}
	l.mu.Lock()
	key := l.secret
	l.mu.Unlock()
	return verify(ctx, newChain(key), sources, head)
}

// Check says what is verified without a running server.
type Check struct {
	// Files are those of one log, in any order.
	Files []string
	// Key is what they are chained with.
	Key audit.ChainKey
	// Head, if not zero, is a record that must be in them.
	Head audit.Head
}

// Verify looks at archived files. What is wrong with them stands in the report; an
// error says that they could not be looked at.
//
// Errors: audit.ErrState for a key that is none, ctx.Err(), and those of the files.
func Verify(ctx context.Context, c Check) (audit.Report, error) {
	if len(c.Key.Key.Reveal()) != audit.KeySize {
		return audit.Report{}, fmt.Errorf("auditlog: verify: %w: want a key of %d bytes", audit.ErrState, audit.KeySize)
	}
	var sources []source
	for _, name := range c.Files {
		s := fileSource(name)
		f, err := s.open()
		if err != nil {
			return audit.Report{}, fmt.Errorf("auditlog: verify: %w", err)
		}
		_ = f.Close()
		if first, ok := s.begin(); ok {
			s.first = first.Seq
		} else if _, digits, found := strings.Cut(filepath.Base(name), ".log."); found {
			s.first, _ = parseNumber(digits)
		}
		sources = append(sources, s)
	}
	slices.SortStableFunc(sources, func(a, b source) int { return cmp.Compare(a.first, b.first) })
	return verify(ctx, newChain(c.Key.Key), sources, c.Head)
}
