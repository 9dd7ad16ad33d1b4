// Package metrics answers: what does this process do, and how long does it take,
// in the words of Prometheus?
//
// A [Registry] has its own collectors and none of the default registry's. What is
// counted by name has names from closed sets: codes of answers, methods of
// stores, ids of groups that exist. No label holds what a stranger wrote.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"embedseal/ports"
)

var _ ports.Meter = (*Registry)(nil)

// Registry holds every metric of the process.
type Registry struct {
	registry  *prometheus.Registry
	answers   *prometheus.CounterVec
	granted   prometheus.Counter // of answers, looked up once
	answered  prometheus.Histogram
	verified  *prometheus.CounterVec
	active    prometheus.Counter // of verified, looked up once
	judged    prometheus.Histogram
	calls     *prometheus.CounterVec
	called    *prometheus.HistogramVec
	records   *prometheus.CounterVec
	recorded  prometheus.Histogram
	forwarded *prometheus.CounterVec
	passed    prometheus.Counter // of forwarded, looked up once
	asked     prometheus.Histogram
	// administered is by route and status, handled by route.
	administered *prometheus.CounterVec
	handled      *prometheus.HistogramVec
}

// The codes of an answer with a token, and of one to a token that is good.
const (
	granted = "granted"
	active  = "active"
)

// New returns a registry that knows nothing yet, but for the process and its
// version.
func New(version string) *Registry {
	r := &Registry{
		registry: prometheus.NewRegistry(),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_mint_answers_total",
			Help: "Answers to requests for tokens, by code: granted, dry_run, or the code of docs/errors.md.",
		}, []string{"code"}),
		answered: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "embedseal_mint_duration_seconds",
			Help:    "How long an answer to a request for a token took.",
			Buckets: prometheus.ExponentialBuckets(0.000_01, 4, 10),
		}),
		verified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_verify_answers_total",
			Help: "Answers to tokens that were presented, by code: active, the reason why it is not good, or the code of docs/errors.md.",
		}, []string{"code"}),
		judged: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "embedseal_verify_duration_seconds",
			Help:    "How long an answer to a token that was presented took.",
			Buckets: prometheus.ExponentialBuckets(0.000_01, 4, 10),
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_store_calls_total",
			Help: "Calls of the store, below the cache, by method and outcome.",
		}, []string{"method", "outcome"}),
		called: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "embedseal_store_duration_seconds",
			Help:    "How long a call of the store took, by method.",
			Buckets: prometheus.ExponentialBuckets(0.000_1, 4, 9),
		}, []string{"method"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_audit_records_total",
			Help: "Records of the audit log, by whether they were written: without one there is no token.",
		}, []string{"outcome"}),
		recorded: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "embedseal_audit_duration_seconds",
			Help:    "How long a record of the audit log took.",
			Buckets: prometheus.ExponentialBuckets(0.000_001, 4, 10),
		}),
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_forward_auth_answers_total",
			Help: "Answers to proxies that ask whether a request may pass, by outcome: granted, or why not.",
		}, []string{"outcome"}),
		asked: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "embedseal_forward_auth_duration_seconds",
			Help:    "How long an answer to a proxy took.",
			Buckets: prometheus.ExponentialBuckets(0.000_01, 4, 10),
		}),
		administered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "embedseal_admin_answers_total",
			Help: "Answers of the administration API, by template of the route and HTTP status.",
		}, []string{"route", "status"}),
		handled: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "embedseal_admin_duration_seconds",
			Help:    "How long an answer of the administration API took, by template of the route.",
			Buckets: prometheus.ExponentialBuckets(0.000_1, 4, 9),
		}, []string{"route"}),
	}
	for _, method := range methods() { // from the start, so that the first one is an increase
		r.calls.WithLabelValues(method, unreadable)
	}
	r.granted, r.active = r.answers.WithLabelValues(granted), r.verified.WithLabelValues(active)
	r.passed = r.forwarded.WithLabelValues(granted)
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "embedseal_build_info", Help: "1, with the version of the build.",
	}, []string{"version"})
	info.WithLabelValues(version).Set(1)
	r.registry.MustRegister(r.answers, r.answered, r.verified, r.judged, r.forwarded, r.asked, r.calls, r.called, r.records, r.recorded,
		r.administered, r.handled, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler answers GET /metrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{DisableCompression: true})
}

// Answered implements ports.Meter.
func (r *Registry) Answered(code string, took time.Duration) {
	if code == granted {
		r.granted.Inc()
	} else {
		r.answers.WithLabelValues(code).Inc()
	}
	r.answered.Observe(took.Seconds())
}

// Verified implements ports.Meter.
func (r *Registry) Verified(code string, took time.Duration) {
	if code == active {
		r.active.Inc()
	} else {
		r.verified.WithLabelValues(code).Inc()
	}
	r.judged.Observe(took.Seconds())
}

// Forwarded implements ports.Meter.
func (r *Registry) Forwarded(outcome string, took time.Duration) {
	if outcome == granted {
		r.passed.Inc()
	} else {
		r.forwarded.WithLabelValues(outcome).Inc()
	}
	r.asked.Observe(took.Seconds())
}

// unmatched stands for every path that leads to no route.
const unmatched = "other"

// Administered implements ports.Meter.
func (r *Registry) Administered(route string, status int, took time.Duration) {
	if route == "" {
		route = unmatched
	}
	r.administered.WithLabelValues(route, strconv.Itoa(status)).Inc()
	r.handled.WithLabelValues(route).Observe(took.Seconds())
}
