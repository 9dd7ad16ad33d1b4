package auditlog

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"embedseal/ports"
)

// disk is what is known of the records that have reached it. Whoever needs a
// sync while one is under way shares the next with all others who wait.
type disk struct {
	mu   sync.Mutex
	done *sync.Cond
	busy bool
	// synced is the number of the last record that is there for certain.
	synced uint64
	// lost is the number of the last one that a failed sync was to bring there: the
	// next may succeed without it.
	lost uint64
	err  error
}

// settle brings the records up to that number to the disk: the change that the
// last of them speaks of will be there, and must not outlive its record.
func (l *Log) settle(seq uint64) error {
	d := &l.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.lost >= seq:
			return fmt.Errorf("%w: auditlog: sync %s: %w", ports.ErrUnavailable, l.cfg.Path, d.err)
		case d.synced >= seq:
			return nil
		case d.busy:
			d.done.Wait()
			continue
		}
		d.busy = true
		d.mu.Unlock()
		upTo, err := l.sync()
		d.mu.Lock()
		d.busy = false
		d.note(upTo, err)
		d.done.Broadcast()
	}
}

// sync brings the file to the disk, and says up to which record it held then.
func (l *Log) sync() (upTo uint64, err error) {
	l.mu.Lock()
	out := l.out
	upTo = l.head.Seq
	l.mu.Unlock()
	return upTo, syncOutput(out)
}

func syncOutput(out output) error {
	err := out.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) { // a device, which has no disk
		return nil
	}
	return err
}

// settled notes what came of a sync of all records up to that number.
func (d *disk) settled(seq uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note(seq, err)
}

// note is settled with the lock held.
func (d *disk) note(seq uint64, err error) {
	switch {
	case err == nil:
		d.synced = max(d.synced, seq)
	case errors.Is(err, os.ErrClosed) && d.synced >= seq: // a rotation has synced the file and closed it
	default: // the system tells one of those who sync a file at once, and not which records it is about
		d.lost, d.err = max(d.lost, seq, d.synced), err
	}
}
