package loopback_test

import (
	"context"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/canned"
	"github.com/aplomb-go/aplomb/bench/internal/crowd"
)

const callers = 64

// BenchmarkLoopback says how many calls a second all callers make together, what 99
// of 100 take at most, and how much processor time a call takes, the server's with
// it.
func BenchmarkLoopback(b *testing.B) {
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			for _, w := range c.ways(b, canned.Serve(b)) {
				if _, err := crowd.Run(callers, callers, w.once); err != nil { // connections are made
					b.Fatal(err)
				}
				b.Run(w.name, func(b *testing.B) {
					b.ReportAllocs()
					b.ResetTimer()
					got, err := crowd.Run(callers, b.N, w.once)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(got.PerSecond(), "calls/s")
					b.ReportMetric(float64(got.PerCall().Nanoseconds()), "cpu-ns/call")
					b.ReportMetric(float64(got.P99().Nanoseconds()), "p99-ns")
				})
			}
		})
	}
}

// once makes one call. Its context is Background, for one that can be cancelled has
// a lock that all callers would share.
func (w way) once(int, int) error { return canned.Check(w.call(context.Background())) }

// TestWays: each way gets an answer for every caller.
func TestWays(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		for _, w := range c.ways(t, canned.Serve(t)) {
			got, err := crowd.Run(callers, 5*callers, w.once)
			if err != nil || got.PerSecond() <= 0 || got.P99() <= 0 {
				t.Errorf("%s: %s: %.0f calls a second, p99 %v, error %v", c.name, w.name, got.PerSecond(), got.P99(), err)
			}
		}
	}
}
