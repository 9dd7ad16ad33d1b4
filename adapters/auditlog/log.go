// Package auditlog keeps audit events as JSON lines in a file, chained by
// HMAC-SHA-256 so that nobody without the key of the chain edits, removes or
// reorders one unnoticed. A record is written when Record returns, in one write(2) with
// those that were asked for at the same time.
//
// # Caveats
//
// The record of a mint or a refusal is in the kernel when Record returns, and not
// yet on the disk: a killed process loses nothing, a power cut may lose the last
// seconds. The record of a change is on the disk. docs/audit.md says what the chain
// proves and what it does not.
package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"embedseal/adapters/internal/fsync"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

var (
	_ ports.Auditor     = (*Log)(nil)
	_ ports.AuditReader = (*Log)(nil)
)

// StandardError is the path that means the standard error stream.
const StandardError = "-"

// Config says where the log is.
type Config struct {
	// Path of the file, made with mode 0600 when it is not there, or
	// [StandardError].
	Path string
	// Name is the log's own, which stands in every record: see audit.ParseLog.
	Name string
	// Store keeps the key and the end of the log. Without one there is a key for
	// this process only.
	Store ports.AuditStore
	// MaxBytes is the length from which on a new file is begun; 0 never does.
	MaxBytes int64
	// Keep is how many files besides the current one are kept; 0 keeps all.
	Keep int
	// SaveEvery is how often the store is told of the end of the log (5 s).
	SaveEvery time.Duration
	// Log is told what an operator should know; nil is told nothing.
	Log *slog.Logger
}

// Log is a ports.Auditor and a ports.AuditReader.
type Log struct {
	cfg     Config
	regular bool
	queue   queue

	mu  sync.Mutex
	out output
	// chain is nil until the store has given the key.
	chain  *chain
	secret secret.Text
	// head is the last record of the log, size the length of the file up to its end,
	// first the number of the file's first record (0 for an empty file).
	head  audit.Head
	size  int64
	first uint64
	// unended says that the file does not end with the end of a line.
	unended bool
	// doubt says that what stands at the end of the file has to be looked at, debris
	// where failed writes have left something, up to debrisEnd.
	doubt             bool
	debris, debrisEnd int64
	// plain says that there are records without a chain among it.
	plain bool
	// notes are what the log has to say of itself before the next record.
	notes []audit.Event
	// line is what goes into the file next, told a note that goes into it.
	line, told []byte
	stat       syscall.Stat_t
	failed     bool
	// rotateAfter puts off a rotation that failed.
	rotateAfter time.Time
	// behind is what goes on while records are written: one sync ahead of a rotation at a
	// time, from the size ahead on, and one removal of old files. None begins when closing.
	behind                    sync.WaitGroup
	syncing, pruning, closing bool
	ahead                     int64

	disk  disk
	saver saver
}

// Open opens the log for appending, and keeps other processes from the file. The
// returned func tells the store of the end of the log and closes it. What a crash
// left of a last line is told of in a record; a file that was not written with
// this log's key is put aside.
//
// While the store is away the records stand in the file without a chain; the first
// one that is chained describes them. A store that may not be written goes without:
// the log is chained with a key of this process, and a warning says so.
//
// Errors: ErrHeld when another process has the file, ErrCorrupt when the store's
// record of this log is damaged, and those of the file.
func Open(ctx context.Context, cfg Config) (*Log, func(), error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SaveEvery <= 0 {
		cfg.SaveEvery = 5 * time.Second
	}
	if _, err := audit.ParseLog(cfg.Name); err != nil {
		return nil, nil, fmt.Errorf("auditlog: open %s: %w", cfg.Path, err)
	}
	l := &Log{cfg: cfg, out: stream{os.Stderr}}
	l.disk.done = sync.NewCond(&l.disk.mu)
	if cfg.Path == StandardError {
		l.cfg.Path = "standard error"
	} else {
		f, info, err := openFile(cfg.Path, 0)
		if err != nil {
			return nil, nil, err
		}
		l.out, l.regular = f, info.Mode().IsRegular()
		if l.regular && info.Size() == 0 { // the name of a new file is on the disk
			err = fsync.Dir(filepath.Dir(cfg.Path))
		}
		if err == nil && l.regular { // a rotation renames the file, not a link to it
			l.cfg.Path, err = filepath.EvalSymlinks(cfg.Path)
		}
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("auditlog: open %s: %w", cfg.Path, err), f.Close())
		}
	}
	err := l.begin(ctx)
	if errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrUnknownOutcome) || errors.Is(err, ports.ErrConflict) {
		l.cfg.Log.Warn("the store of the audit log's key is away: until it is back, records are not chained", "error", err)
		err = l.await()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("auditlog: open %s: %w", l.cfg.Path, err), l.out.Close())
	}
	l.startSaving()
	return l, l.close, nil
}

func (l *Log) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.behind.Wait() // before the store is told where the log ends
	l.stopSaving()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.out.Close()
}

// Record implements ports.Auditor.
func (l *Log) Record(ctx context.Context, e audit.Event) error {
	seq, err := l.write(&e)
	if err != nil || seq == 0 || !e.Action.Changes() {
		return err
	}
	if err := l.settle(seq); err != nil {
		return err
	}
	l.saver.hurry()
	return nil
}

// writeGroup writes records. It returns the number of the last; zero for those that
// have none, and are on the disk if they must be. The lock is held.
func (l *Log) writeGroup(g *group) (uint64, error) {
	err := l.ready()
	switch {
	case err != nil:
	case l.chain == nil:
		err = l.appendPlain(g)
	default:
		err = l.append(g)
	}
	l.failed = err != nil
	if err != nil {
		return 0, fmt.Errorf("%w: auditlog: write %s: %w", ports.ErrUnavailable, l.cfg.Path, err)
	}
	return l.head.Seq, nil
}

// ready sees to it that the next record is written where it can be read. The lock
// is held.
func (l *Log) ready() error {
	if !l.regular {
		return nil
	}
	size, names, err := l.look()
	if err != nil {
		return err
	}
	switch {
	case names == 0:
		// What is written to a file without a name is a record nobody will ever read.
		l.cfg.Log.Error("the audit log was removed; a new one is begun", "path", l.cfg.Path)
		l.missing(l.first, "removed")
		if err := l.replace(); err != nil {
			return err
		}
	case size != l.size:
		if !l.doubt {
			l.cfg.Log.Error("the audit log was changed by somebody else", "path", l.cfg.Path, "bytes", size, "want", l.size)
		}
		l.doubt = true
	}
	switch {
	case l.doubt && l.chain == nil:
		return l.await()
	case l.chain == nil:
		return nil
	case l.doubt:
		if err := l.adopt(l.head); err != nil {
			return err
		}
	}
	l.syncAhead()
	if l.cfg.MaxBytes > 0 && l.size >= l.cfg.MaxBytes && time.Now().After(l.rotateAfter) {
		l.rotate()
		if l.doubt { // what the new file begins with was cut short
			return l.adopt(l.head)
		}
	}
	return nil
}

// look is how long the file is and how many names it has, at no allocation.
func (l *Log) look() (size int64, names uint64, err error) {
	f, ok := l.out.(*os.File)
	if !ok { // what tests put there
		info, err := l.out.Stat()
		if err != nil {
			return 0, 0, err
		}
		return info.Size(), links(info), nil
	}
	for {
		err = syscall.Fstat(int(f.Fd()), &l.stat)
		if !errors.Is(err, syscall.EINTR) {
			return l.stat.Size, uint64(l.stat.Nlink), err
		}
	}
}

// append writes the notes that are due and the records of g, which may be nil, in
// one write. The lock is held.
func (l *Log) append(g *group) error {
	l.line = l.line[:0]
	if l.unended {
		l.line = append(l.line, '\n')
	}
	head := l.head
	for i := range l.notes {
		l.told = appendEvent(l.told[:0], &l.notes[i])
		l.line, head = l.chain.append(l.line, head, l.cfg.Name, l.told)
	}
	for record := range g.all() {
		l.line, head = l.chain.append(l.line, head, l.cfg.Name, record)
	}
	if err := l.put(); err != nil {
		return err
	}
	if l.first == 0 {
		l.first = l.head.Seq + 1
	}
	l.head, l.notes, l.debrisEnd = head, nil, 0
	return nil
}

// appendPlain writes records without a place in the chain, as the key is not there
// yet.
func (l *Log) appendPlain(g *group) error {
	l.line = l.line[:0]
	if l.unended {
		l.line = append(l.line, '\n')
	}
	for record := range g.all() {
		l.line = append(append(l.line, record...), '\n')
	}
	if err := l.put(); err != nil {
		return err
	}
	l.debrisEnd, l.plain = l.size, true
	if !g.changes {
		return nil
	}
	return syncOutput(l.out)
}

// put writes the line that was made.
func (l *Log) put() error {
	n, err := l.out.Write(l.line)
	if err == nil {
		l.size += int64(n)
		l.unended = false
		return nil
	}
	if n > 0 && !l.takeBack(n) {
		l.doubt = l.regular
		l.unended = !l.regular && l.line[n-1] != '\n'
		if l.debrisEnd != l.size || l.size == 0 {
			l.debris = l.size
		}
		l.debrisEnd = l.size + int64(n)
	}
	return err //nolint:wrapcheck // write says of which file
}

// takeBack removes the last n bytes, if they are the end of the file still: one
// that others write to as well is left alone.
func (l *Log) takeBack(n int) bool {
	info, err := l.out.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() == l.size+int64(n) && l.out.Truncate(l.size) == nil
}

// note adds what the log says of itself, once.
func (l *Log) note(action audit.Action, outcome audit.Outcome, code, target string) {
	for _, n := range l.notes {
		if n.Action == action && n.Code == code && n.Target == target {
			return
		}
	}
	l.notes = append(l.notes, audit.Event{Time: time.Now().UTC(), Action: action, Outcome: outcome, Code: code, Target: target})
}

// missing notes that the records from that number on up to the last are not where
// they were.
func (l *Log) missing(from uint64, code string) {
	if from == 0 || from > l.head.Seq {
		return
	}
	l.note(audit.ActionAuditTruncated, audit.Failed, code, fmt.Sprintf("%d-%d", from, l.head.Seq))
}

// mustTell reports whether a note is due that does not wait for a record.
func (l *Log) mustTell() bool {
	for _, n := range l.notes {
		if n.Action != audit.ActionAuditOpened || n.Target != "" {
			return l.regular
		}
	}
	return false
}

// tell writes the notes. Where that fails they stay for the next record.
func (l *Log) tell() {
	if err := l.append(nil); err != nil {
		l.cfg.Log.Error("the audit log cannot be written", "path", l.cfg.Path, "error", err)
	}
}

// Key implements ports.AuditReader.
func (l *Log) Key(ctx context.Context) (audit.ChainKey, error) {
	if l.cfg.Store == nil {
		return audit.ChainKey{}, fmt.Errorf("auditlog: read the key: %w: no store keeps it", ports.ErrNotFound)
	}
	state, err := l.cfg.Store.AuditState(ctx, l.cfg.Name)
	if err == nil && state.Key.IsZero() {
		err = fmt.Errorf("auditlog: read the key: %w: the store has none", ports.ErrNotFound)
	}
	return audit.ChainKey{Log: l.cfg.Name, Key: state.Key}, err
}

// Status implements ports.AuditReader.
func (l *Log) Status() audit.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return audit.Status{Log: l.cfg.Name, Seq: l.head.Seq, OK: l.chain != nil && !l.failed}
}
