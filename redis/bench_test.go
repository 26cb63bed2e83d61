package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	aplombredis "github.com/aplomb-go/aplomb/redis"
)

// BenchmarkTake is one place after another, with the median and the 99th
// percentile of the round trips.
func BenchmarkTake(b *testing.B) {
	s := aplombredis.Store{Client: startServer(b).client()}
	claim := aplomb.Claim{PerSecond: 1e6, Burst: 1000, MaxWait: time.Second}
	var spent []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := s.Take(b.Context(), "k", claim); err != nil {
			b.Fatal(err)
		}
		spent = append(spent, time.Since(began))
	}
	slices.Sort(spent)
	b.ReportMetric(float64(spent[len(spent)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(spent[len(spent)*99/100].Microseconds()), "p99-us")
}
