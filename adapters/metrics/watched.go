package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"embedseal/domain/audit"
)

// LimitCounts is what one limiter of requests has done since the process began.
type LimitCounts struct {
	// Listener and Kind are the limiter's name, each of a closed set.
	Listener, Kind string
	// Allowed and Refused are requests.
	Allowed, Refused uint64
	// Buckets is how many callers are remembered now, of MaxBuckets; of a limiter that
	// remembers none, both are 0.
	Buckets, MaxBuckets int
}

// WatchLimits reads what the limiters have done whenever somebody asks for the
// metrics.
func (r *Registry) WatchLimits(limits func() []LimitCounts) {
	r.registry.MustRegister(collector{limitDescs(), func(d map[string]*prometheus.Desc, out chan<- prometheus.Metric) {
		for _, l := range limits() {
			out <- prometheus.MustNewConstMetric(d["requests"], prometheus.CounterValue, float64(l.Allowed), l.Listener, l.Kind, "allowed")
			out <- prometheus.MustNewConstMetric(d["requests"], prometheus.CounterValue, float64(l.Refused), l.Listener, l.Kind, "refused")
			if l.MaxBuckets == 0 {
				continue
			}
			out <- prometheus.MustNewConstMetric(d["buckets"], prometheus.GaugeValue, float64(l.Buckets), l.Listener, l.Kind)
			out <- prometheus.MustNewConstMetric(d["most"], prometheus.GaugeValue, float64(l.MaxBuckets), l.Listener, l.Kind)
		}
	}})
}

func limitDescs() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"requests": prometheus.NewDesc("embedseal_limiter_requests_total", "Requests that a limiter counted, by listener, limiter and what it did.", []string{"listener", "kind", "outcome"}, nil),
		"buckets":  prometheus.NewDesc("embedseal_limiter_buckets", "Callers that a limiter remembers.", []string{"listener", "kind"}, nil),
		"most":     prometheus.NewDesc("embedseal_limiter_buckets_max", "Callers that a limiter can remember: whoever is forgotten begins anew.", []string{"listener", "kind"}, nil),
	}
}

// Readiness is what the last check of a process found.
type Readiness struct {
	// Ready says that tokens can be minted.
	Ready bool
	// At is when that was found; zero before the first check.
	At time.Time
	// Up is, by component, whether it can be used.
	Up map[string]bool
}

// WatchReadiness reads what the last check found whenever somebody asks for the
// metrics. It sets off no check: whoever scrapes waits for no backend.
func (r *Registry) WatchReadiness(last func() Readiness) {
	r.registry.MustRegister(collector{readinessDescs(), func(d map[string]*prometheus.Desc, out chan<- prometheus.Metric) {
		found := last()
		if found.At.IsZero() {
			return
		}
		out <- prometheus.MustNewConstMetric(d["ready"], prometheus.GaugeValue, truth(found.Ready))
		out <- prometheus.MustNewConstMetric(d["checked"], prometheus.GaugeValue, float64(found.At.Unix()))
		for component, up := range found.Up {
			out <- prometheus.MustNewConstMetric(d["up"], prometheus.GaugeValue, truth(up), component)
		}
	}})
}

func readinessDescs() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"ready":   prometheus.NewDesc("embedseal_ready", "1 while tokens can be minted, 0 otherwise: what /readyz answered last.", nil, nil),
		"checked": prometheus.NewDesc("embedseal_ready_checked_timestamp_seconds", "When that was found, in seconds since 1970.", nil, nil),
		"up":      prometheus.NewDesc("embedseal_component_up", "1 while the component can be used, 0 otherwise.", []string{"component"}, nil),
	}
}

// WatchAudit reads how the audit log is whenever somebody asks for the metrics.
func (r *Registry) WatchAudit(status func() audit.Status) {
	r.registry.MustRegister(collector{auditDescs(), func(d map[string]*prometheus.Desc, out chan<- prometheus.Metric) {
		s := status()
		out <- prometheus.MustNewConstMetric(d["seq"], prometheus.GaugeValue, float64(s.Seq), s.Log)
		out <- prometheus.MustNewConstMetric(d["ok"], prometheus.GaugeValue, truth(s.OK), s.Log)
	}})
}

func auditDescs() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"seq": prometheus.NewDesc("embedseal_audit_last_record", "The number of the last record of the audit log.", []string{"log"}, nil),
		"ok":  prometheus.NewDesc("embedseal_audit_ok", "1 while the audit log takes records: 0 after one that it did not, or before it has its key.", []string{"log"}, nil),
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collector reads values when somebody asks.
type collector struct {
	descs   map[string]*prometheus.Desc
	collect func(map[string]*prometheus.Desc, chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) { c.collect(c.descs, out) }
