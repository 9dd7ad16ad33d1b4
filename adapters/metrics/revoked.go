package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Revocations is what a process knows of the revocations of one group.
type Revocations struct {
	Group string
	// Entries is how many there are, Asked when the store last said so.
	Entries int
	Asked   time.Time
}

// WatchRevocations reads what is known of revocations whenever somebody asks for the
// metrics.
func (r *Registry) WatchRevocations(held func() []Revocations) {
	r.registry.MustRegister(collector{revocationDescs(), func(d map[string]*prometheus.Desc, out chan<- prometheus.Metric) {
		for _, g := range held() {
			out <- prometheus.MustNewConstMetric(d["entries"], prometheus.GaugeValue, float64(g.Entries), g.Group)
			out <- prometheus.MustNewConstMetric(d["asked"], prometheus.GaugeValue, float64(g.Asked.UnixMilli())/1000, g.Group)
		}
	}})
}

func revocationDescs() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"entries": prometheus.NewDesc("embedseal_revocations", "Revocations of a group whose tokens were verified.", []string{"group"}, nil),
		"asked": prometheus.NewDesc("embedseal_revocations_read_timestamp_seconds",
			"When the copy of these was read from the store, in seconds since 1970.", []string{"group"}, nil),
	}
}
