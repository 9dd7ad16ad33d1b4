package auditlog

import (
	"time"

	"embedseal/domain/audit"
)

// Output is what the log writes to.
type Output = output

// Break puts another output in the place of the log's own.
func (l *Log) Break(with func(Output) Output) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = with(l.out)
}

// AppendEvent is what Record writes, less the place in the chain and the end of the
// line.
func AppendEvent(dst []byte, e audit.Event) []byte { return appendEvent(dst, &e) }

// Follow is what the log does every few seconds: it looks whether it was renamed.
func (l *Log) Follow() { l.follow() }

// Save tells the store of the end of the log.
func (l *Log) Save() { l.save() }

// HeadOf is the place of a line in its chain.
func HeadOf(text string) (audit.Head, bool) {
	e, ok := parse([]byte(text))
	return e.Head, ok
}

// WaitForGroup waits until a group of so many records is open.
func (l *Log) WaitForGroup(records int) {
	for {
		l.queue.mu.Lock()
		n := 0
		if l.queue.open != nil {
			n = len(l.queue.open.ends)
		}
		l.queue.mu.Unlock()
		if n == records {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
