package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CacheCounts is what a cache has done since the process began.
type CacheCounts struct {
	// Hits were answered from what is known, and fresh; Stale from what is known
	// and too old, as the store is away; Asked are questions to the store.
	Hits, Stale, Asked uint64
	// Groups is how many groups are known now.
	Groups int
}

// Watch reads the counts of a cache, and when the default key of each group that
// it knows was made, whenever somebody asks for the metrics.
func (r *Registry) Watch(counts func() CacheCounts, keys func() map[string]time.Time) {
	read := func(name, help string, pick func(CacheCounts) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return pick(counts()) })
	}
	r.registry.MustRegister(
		read("embedseal_cache_hits_total", "Answers of the cache that were fresh.", func(c CacheCounts) float64 { return float64(c.Hits) }),
		read("embedseal_cache_stale_total", "Answers of the cache that were too old and given while the store is away.",
			func(c CacheCounts) float64 { return float64(c.Stale) }),
		read("embedseal_cache_asked_total", "Questions of the cache to the store.", func(c CacheCounts) float64 { return float64(c.Asked) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "embedseal_cache_groups", Help: "Groups that the cache knows."},
			func() float64 { return float64(counts().Groups) }),
		keyAges{keys},
	)
}

// keyAges is a collector: groups come and go.
type keyAges struct{ keys func() map[string]time.Time }

func keyAge() *prometheus.Desc {
	return prometheus.NewDesc("embedseal_default_key_created_timestamp_seconds",
		"When the default key of a group that was served was made, in seconds since 1970.", []string{"group"}, nil)
}

// Describe implements prometheus.Collector.
func (k keyAges) Describe(out chan<- *prometheus.Desc) { out <- keyAge() }

// Collect implements prometheus.Collector.
func (k keyAges) Collect(out chan<- prometheus.Metric) {
	for group, made := range k.keys() {
		out <- prometheus.MustNewConstMetric(keyAge(), prometheus.GaugeValue, float64(made.Unix()), group)
	}
}
