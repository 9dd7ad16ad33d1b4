package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"embedseal/domain/audit"
	"embedseal/ports"
)

// auditor counts the records of an audit log.
type auditor struct {
	ports.Auditor
	written, failed prometheus.Counter
	took            prometheus.Histogram
}

// Auditor decorates an audit log.
func (r *Registry) Auditor(next ports.Auditor) ports.Auditor {
	return auditor{next, r.records.WithLabelValues("written"), r.records.WithLabelValues("failed"), r.recorded}
}

// Record implements ports.Auditor.
func (a auditor) Record(ctx context.Context, e audit.Event) error {
	begin := time.Now()
	err := a.Auditor.Record(ctx, e)
	if err == nil {
		a.written.Inc()
	} else {
		a.failed.Inc()
	}
	a.took.Observe(time.Since(begin).Seconds())
	return err
}
