package prometheus

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aplomb-go/aplomb"
)

// bucketAge is for how long a quota is shown whose server said no end of its
// window, since its last word.
const bucketAge = 10 * time.Minute

// buckets are what a client knows of its server's quotas.
type buckets struct {
	mu    sync.Mutex
	known map[string]*bucket
}

// bucket is what the server said of one quota, until its window ends: then what
// was left says nothing any more, and an alert on it would never end.
type bucket struct {
	limit, remaining int64
	reset            time.Time
	until            time.Time
}

func (b *buckets) state(e *aplomb.QuotaEvent, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		b.known = map[string]*bucket{}
	}
	name := label(e.Name)
	if name == "" {
		name = "default"
	}
	if b.known[name] == nil && len(b.known) >= maxBuckets {
		b.forget(now)
	}
	if b.known[name] == nil && len(b.known) >= maxBuckets {
		return
	}
	until := e.ResetAt
	if !until.After(now) {
		until = now.Add(bucketAge)
	}
	b.known[name] = &bucket{limit: e.Limit, remaining: e.Remaining, reset: e.ResetAt, until: until}
}

// forget drops what is over. b.mu is held.
func (b *buckets) forget(now time.Time) {
	for name, q := range b.known {
		if !now.Before(q.until) {
			delete(b.known, name)
		}
	}
}

func (b *buckets) collect(out chan<- prometheus.Metric, f *families, client string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(now)
	for name, q := range b.known {
		if q.limit > 0 {
			out <- prometheus.MustNewConstMetric(f.quotaLimit, prometheus.GaugeValue, float64(q.limit), client, name)
		}
		if q.remaining >= 0 {
			out <- prometheus.MustNewConstMetric(f.quotaRemaining, prometheus.GaugeValue, float64(q.remaining), client, name)
		}
		if !q.reset.IsZero() {
			out <- prometheus.MustNewConstMetric(f.quotaReset, prometheus.GaugeValue, seconds(q.reset), client, name)
		}
	}
}
