package auditlog

import (
	"context"
	"errors"
	"slices"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// saver tells the store of the end of the log. What it knows is under the lock of
// the log.
type saver struct {
	// key is what the store has; zero where it is told nothing.
	key secret.Text
	// possible are the records of which the store may know one; the first is what
	// it had for certain.
	possible []audit.Head
	warned   bool

	due  chan struct{}
	stop chan struct{}
	done chan struct{}
}

// patience is how long the store is waited for.
const patience = 3 * time.Second

// knowsHead reports whether the store knows a record of the log.
func (s *saver) knowsHead() bool { return len(s.possible) > 0 && s.possible[0].Seq > 0 }

// hurry has the store told soon. Nobody waits for it.
func (s *saver) hurry() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

func (l *Log) startSaving() {
	s := &l.saver
	s.due, s.stop, s.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(s.done)
		l.awaitKey()
		ticker := time.NewTicker(l.cfg.SaveEvery)
		defer ticker.Stop()
		for {
			select {
			case <-s.stop:
				l.save()
				return
			case <-s.due:
				s.pause(haste) // others may follow
			case <-ticker.C:
				l.follow()
			}
			l.save()
		}
	}()
}

// haste is how soon the store is told of a change.
const haste = time.Second

// pause waits that long, or until the log is closed.
func (s *saver) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.stop:
	case <-timer.C:
	}
}

// awaitKey asks a store that was away again until it gives the key.
func (l *Log) awaitKey() {
	for told := false; ; {
		l.mu.Lock()
		begun := l.chain != nil
		l.mu.Unlock()
		if begun || l.saver.stopped() {
			return
		}
		l.saver.pause(askAgain)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := l.begin(ctx)
		cancel()
		if err == nil {
			l.cfg.Log.Info("the store has given the audit log's key: records are chained", "log", l.cfg.Name)
		}
		if err != nil && !errors.Is(err, ports.ErrUnavailable) && !told {
			l.cfg.Log.Error("the audit log's key cannot be had: records are not chained", "log", l.cfg.Name, "error", err)
			told = true
		}
	}
}

func (s *saver) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (l *Log) stopSaving() {
	close(l.saver.stop)
	<-l.saver.done
}

// errAnother ends an update of a state that somebody else wrote.
var errAnother = errors.New("another process writes a log of this name")

// save tells the store of the last record, once that is on the disk. Only one runs
// at a time.
func (l *Log) save() {
	l.mu.Lock()
	head, s := l.head, l.saver
	l.mu.Unlock()
	if !l.regular || s.key.IsZero() || len(s.possible) == 1 && head.Seq <= s.possible[0].Seq || l.settle(head.Seq) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	possible := s.possible
	err := l.cfg.Store.UpdateAuditState(ctx, l.cfg.Name, func(state audit.State) (audit.State, error) {
		if !state.Key.Equal(s.key) || !slices.Contains(s.possible, state.Head) {
			return state, errAnother
		}
		possible = []audit.Head{state.Head, head}
		state.Head = head
		return state, nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saver.possible = possible
	switch {
	case err == nil:
		l.saver.possible, l.saver.warned = []audit.Head{head}, false
	case errors.Is(err, errAnother):
		l.cfg.Log.Error("the store is no longer told where the audit log ends: another process writes a log of this name; give each an audit.name of its own", "log", l.cfg.Name)
		l.saver.key = secret.Text{}
	case !s.warned:
		l.cfg.Log.Warn("the store cannot be told where the audit log ends", "log", l.cfg.Name, "error", err)
		l.saver.warned = true
	}
}
