package auditlog

import "embedseal/domain/audit"

// Output is what the log writes to.
type Output = output

// Break puts another output in the place of the log's own.
func (l *Log) Break(with func(Output) Output) { l.out = with(l.out) }

// AppendEvent is what Record writes, less the end of the line.
func AppendEvent(dst []byte, e audit.Event) []byte { return appendEvent(dst, e) }
