package auditlog

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// askAgain is how long a store that was away is left alone.
const askAgain = 500 * time.Millisecond

// begin asks the store for the key, and finds the end of the log.
func (l *Log) begin(ctx context.Context) error {
	state, kept, err := l.state(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain, l.secret = newChain(state.Key), state.Key
	if kept {
		l.saver.key, l.saver.possible = state.Key, []audit.Head{state.Head}
	}
	if l.regular {
		if err := l.adopt(state.Head); err != nil {
			l.chain = nil
			return err
		}
	}
	code := ""
	if !kept {
		code = keyNotKept
	}
	l.note(audit.ActionAuditOpened, audit.Granted, code, "")
	if l.mustTell() {
		l.tell()
	}
	return nil
}

// await gets ready for records without a chain. Where they begin is remembered, so
// that the chain can describe them.
func (l *Log) await() error {
	info, err := l.out.Stat()
	if err != nil {
		return err
	}
	end, err := readEnding(l.out, info.Size())
	if err != nil {
		return err
	}
	l.doubt, l.size, l.unended = false, info.Size(), end.from < info.Size()
	if l.debrisEnd == 0 || l.debris > l.size {
		l.debris = end.from
	}
	l.debrisEnd = l.size
	return nil
}

// notChained is the code of lines that were written before the store gave the key.
const notChained = "not_chained"

// keyNotKept is the code of a log whose key ends with its process.
const keyNotKept = "key_not_kept"

// state is what the store keeps of this log, made now if it keeps nothing. kept is
// false where the store takes nothing.
func (l *Log) state(ctx context.Context) (state audit.State, kept bool, err error) {
	var random [audit.KeySize]byte
	_, _ = rand.Read(random[:]) // never fails
	fresh := audit.State{Key: secret.New(string(random[:]))}
	if l.cfg.Store == nil {
		return fresh, false, nil
	}
	state, err = l.cfg.Store.AuditState(ctx, l.cfg.Name)
	if err == nil && state.Key.IsZero() {
		err = l.cfg.Store.UpdateAuditState(ctx, l.cfg.Name, func(s audit.State) (audit.State, error) {
			if s.Key.IsZero() {
				s = fresh
			}
			state = s
			return s, nil
		})
	}
	switch {
	case err == nil:
		return state, true, nil
	case errors.Is(err, ports.ErrDenied):
		l.cfg.Log.Warn("the store does not keep the key of the audit log: nobody can verify the log once this process has ended", "log", l.cfg.Name, "error", err)
		return fresh, false, nil
	case !l.regular && !errors.Is(err, ports.ErrCorrupt):
		return fresh, false, nil // nothing of a stream can be verified here anyway
	}
	return audit.State{}, false, err
}

// adopt looks at the end of the file and goes on from there. known is the last
// record that is known to be in the log. The lock is held.
func (l *Log) adopt(known audit.Head) error {
	info, err := l.out.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	end, err := readEnding(l.out, size)
	if err != nil {
		return err
	}
	l.doubt, l.size, l.first, l.unended = false, size, 0, false
	if first, ok := firstEntry(l.out, size); ok {
		l.first = first.Seq
	}
	// What failed writes of this process left is no damage.
	ours, torn := l.debrisEnd == size && size > 0, end.from
	if ours {
		torn, end.odd = max(l.debris, end.after), end.odd && len(end.entries) == 0
	}
	var head audit.Head
	switch {
	case len(end.entries) == 0 && !end.odd: // empty, or a piece of a line
		head = l.previous()
	case l.isEnd(end, known):
		head = end.entries[0].Head
	default:
		found, after, err := l.lastGenuine(size, known)
		switch {
		case err != nil:
			return err
		case found == audit.Head{} && (!ours || l.debris > 0):
			return l.putAside(known)
		case ours:
			torn = max(l.debris, after)
		default:
			l.cfg.Log.Error("the end of the audit log is not what was written there; see: embedseal audit verify", "path", l.cfg.Path)
		}
		if head = found; found == (audit.Head{}) {
			head = l.previous()
		}
	}
	if head, err = l.adoptTorn(end, torn, head); err != nil {
		return err
	}
	l.head = head
	if known.Seq > head.Seq {
		l.cfg.Log.Error("the end of the audit log is missing; see: embedseal audit verify", "path", l.cfg.Path, "from", head.Seq+1, "to", known.Seq)
		l.head = known
		l.missing(head.Seq+1, "")
	}
	return nil
}

// adoptTorn looks at what stands after the last record, from that place on. It
// returns the last record there is.
func (l *Log) adoptTorn(end ending, from int64, head audit.Head) (audit.Head, error) {
	l.notes = slices.DeleteFunc(l.notes, func(e audit.Event) bool { return e.Action == audit.ActionAuditTorn })
	l.unended = end.from < l.size
	if rest, ok := parse(end.torn); ok && from == end.from && l.chain.follows(head.MAC, rest) {
		return rest.Head, nil // all of it but the end of the line
	}
	to := l.size
	if !l.unended {
		to-- // a line's end is not part of it
	}
	if from >= to {
		return head, nil
	}
	p, err := describe(l.out, from, to)
	if err != nil {
		return head, err
	}
	code := ""
	if l.plain {
		code, l.plain = notChained, false
	} else {
		l.cfg.Log.Warn("the last line of the audit log was cut short", "path", l.cfg.Path, "bytes", p.size)
	}
	l.note(audit.ActionAuditTorn, audit.Failed, code, p.String())
	last := len(l.notes) - 1 // it comes first: it speaks of what stands right before it
	l.notes = append([]audit.Event{l.notes[last]}, l.notes[:last]...)
	return head, nil
}

// isEnd reports whether the last whole line of the file is a record of this log.
func (l *Log) isEnd(end ending, known audit.Head) bool {
	if end.odd {
		return false
	}
	last := end.entries[0]
	if last.Head == known {
		return true
	}
	for _, e := range end.entries[1:] {
		if e.Seq+1 == last.Seq && l.chain.follows(e.MAC, last) {
			return true
		}
	}
	return last.Seq == l.first && l.begins(last, known)
}

// begins reports whether e is a record of this log that may stand first in a file.
func (l *Log) begins(e entry, known audit.Head) bool {
	for _, before := range []audit.Head{{}, known, l.previous()} {
		if before.Seq+1 == e.Seq && l.chain.follows(before.MAC, e) {
			return true
		}
	}
	return false
}

// lastGenuine is the last record in the file that was written there for certain,
// zero if there is none, and where the line after it begins.
func (l *Log) lastGenuine(size int64, known audit.Head) (head audit.Head, after int64, err error) {
	in := newLines(io.NewSectionReader(l.out, 0, size))
	var before audit.Head
	var at int64
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return head, after, nil
		}
		if err != nil {
			return head, after, err
		}
		at += max(int64(len(line.text)), line.piece.size) + 1
		e, ok := parse(line.text)
		if !ok || !line.whole {
			continue
		}
		if e.Seq == before.Seq+1 && l.chain.follows(before.MAC, e) || e.Head == known || line.number == 1 && l.begins(e, known) {
			head, after = e.Head, at
		}
		before = e.Head
	}
}

// putAside gives the file another name and begins a new one: what is in it was not
// written with this log's key. It may be of a version that did not chain.
func (l *Log) putAside(known audit.Head) error {
	name, err := setAside(l.cfg.Path)
	if err != nil {
		return err
	}
	l.cfg.Log.Warn("the file was not written by this audit log, or before it was chained; it is put aside", "path", l.cfg.Path, "now", name)
	if err := l.replace(); err != nil {
		return err
	}
	l.note(audit.ActionAuditOpened, audit.Granted, "put_aside", name)
	return l.adopt(known)
}
