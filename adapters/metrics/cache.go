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

// GroupKeys is what a cache knows of the keys of one group.
type GroupKeys struct {
	Group string
	// DefaultMade is when its default key was made, RotationDue when the next one is
	// to replace it; zero when there is no such time, or when it is not known.
	DefaultMade, RotationDue time.Time
	// States is how many keys are in each state, of a closed set.
	States map[string]int
}

// Watch reads the counts of a cache, and what it knows of the keys of each group,
// whenever somebody asks for the metrics.
func (r *Registry) Watch(counts func() CacheCounts, keys func(now time.Time) []GroupKeys) {
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
		collector{keyDescs(), func(d map[string]*prometheus.Desc, out chan<- prometheus.Metric) {
			for _, g := range keys(time.Now()) {
				if !g.DefaultMade.IsZero() {
					out <- prometheus.MustNewConstMetric(d["made"], prometheus.GaugeValue, float64(g.DefaultMade.Unix()), g.Group)
				}
				if !g.RotationDue.IsZero() {
					out <- prometheus.MustNewConstMetric(d["due"], prometheus.GaugeValue, float64(g.RotationDue.Unix()), g.Group)
				}
				for state, n := range g.States {
					out <- prometheus.MustNewConstMetric(d["keys"], prometheus.GaugeValue, float64(n), g.Group, state)
				}
			}
		}},
	)
}

// keyDescs are read anew each time: groups come and go.
func keyDescs() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"made": prometheus.NewDesc("embedseal_default_key_created_timestamp_seconds",
			"When the default key of a group that was served was made, in seconds since 1970.", []string{"group"}, nil),
		"due": prometheus.NewDesc("embedseal_default_key_rotation_due_timestamp_seconds",
			"When the default key of a group that was served is to be replaced, in seconds since 1970.", []string{"group"}, nil),
		"keys": prometheus.NewDesc("embedseal_keys", "Keys of a group that was served, by state.", []string{"group", "state"}, nil),
	}
}
