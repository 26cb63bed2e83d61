package monitor

import (
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	last := -1
	for d := time.Microsecond; d < 4*time.Minute; d += max(time.Microsecond, d/50) {
		b := bucketOf(d)
		assert.True(t, b >= last && b < buckets, d, b)
		last = b
		upper := upperBound(b)
		assert.True(t, upper >= d.Truncate(time.Microsecond) && float64(upper) <= 1.13*float64(d), d, upper)
		assert.Equal(t, bucketOf(upper), b)
		assert.True(t, bucketOf(upper+time.Microsecond) > b, d)
	}
	assert.Equal(t, bucketOf(0), bucketOf(time.Microsecond))
	assert.Equal(t, bucketOf(-1), bucketOf(time.Microsecond))
	assert.Equal(t, bucketOf(24*time.Hour), buckets-1)
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	var a, b histogram
	for i := range 100 {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h[bucketOf(time.Duration(i+1)*time.Microsecond)]++
	}
	p := percentiles([]*histogram{&a, &b}, 0, 0.05, 0.5, 0.99, 1)
	assert.Equal(t, p, []time.Duration{1 * time.Microsecond, 5 * time.Microsecond, 51 * time.Microsecond, 103 * time.Microsecond, 103 * time.Microsecond})
	assert.Equal(t, percentiles(nil, 0.5, 0.9), []time.Duration{0, 0})
}

func TestWindow(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_000_000, 0)
	w := newWindow(time.Second, 5)
	for range 3 {
		w.at(at).Calls++
		at = at.Add(time.Second)
	}
	at = at.Add(-time.Second)
	assert.Equal(t, w.last(at, 5).Calls, 3)
	assert.Equal(t, w.last(at, 2).Calls, 2)
	assert.Equal(t, w.last(at, 99).Calls, 3)
	all := make([]tally, 5)
	w.copy(all, at)
	assert.Equal(t, all, []tally{{}, {}, {Calls: 1}, {Calls: 1}, {Calls: 1}})
	assert.Equal(t, w.last(at.Add(3*time.Second), 5).Calls, 2)
	assert.Equal(t, w.last(at.Add(time.Hour), 5).Calls, 0)
	w.at(at).Calls++ // a clock that was set back
	assert.Equal(t, w.last(at, 1).Calls, 1)
	assert.Equal(t, w.last(at.Add(time.Hour), 5).Calls, 1)
}

func TestSeriesForgets(t *testing.T) {
	t.Parallel()
	s, at := newSeries(), time.Unix(6_000_000, 0)
	s.record(at, time.Second, tally{Calls: 1, Failed: 1, Attempts: 2})
	s.record(at.Add(4*time.Minute), 2*time.Second, tally{Calls: 1})
	count := func(at time.Time) (n int) {
		for _, h := range s.histograms(at) {
			for _, c := range h {
				n += int(c)
			}
		}
		return n
	}
	assert.Equal(t, count(at.Add(4*time.Minute)), 2)
	assert.Equal(t, count(at.Add(5*time.Minute)), 1)
	assert.Equal(t, count(at.Add(time.Hour)), 0)
	assert.Equal(t, s.total, Totals{Calls: 2, Failed: 1, Attempts: 2})
	assert.Equal(t, s.long.last(at.Add(30*time.Minute), longSlots), tally{Calls: 2, Failed: 1, Attempts: 2})
}

// TestRuleLooksBehindTheSlot: that one has just begun does not empty the shortest window.
func TestRuleLooksBehindTheSlot(t *testing.T) {
	t.Parallel()
	at := steady(time.Time{}, time.Time{})
	c := newClient(&Monitor{start: at}, "c")
	for range 39 {
		c.overall.record(at.Add(-time.Second), 0, tally{Calls: 1})
	}
	c.overall.record(at, 0, tally{Calls: 1, Failed: 1})
	a, holds := ErrorRule{Short: 10 * time.Second, Long: time.Minute, Ratio: 0.05}.of(c, at.Add(6*time.Second))
	assert.True(t, !holds, a)
	assert.Equal(t, a.ShortRatio, 0.025)
	assert.Equal(t, a.LongRatio, 0.025)
	assert.Equal(t, a.PerSecond, 2.5)
}
