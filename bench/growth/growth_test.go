package growth_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/spread"
)

// How many hosts there are, and how many calls were made before.
var (
	hosts = []int{1, 100, 4000, 10_000}
	calls = []int{1, 1_000, 1_000_000}
)

// BenchmarkGrowth has the call to many hosts, and the one after many calls.
func BenchmarkGrowth(b *testing.B) {
	b.Run("hosts", func(b *testing.B) {
		for _, n := range hosts {
			b.Run(strconv.Itoa(n), func(b *testing.B) { call(b, n, n) })
		}
	})
	b.Run("calls", func(b *testing.B) {
		for _, n := range calls {
			b.Run(strconv.Itoa(n), func(b *testing.B) { call(b, 1, n) })
		}
	})
}

// call measures the call after so many to so many hosts.
func call(b *testing.B, hosts, before int) {
	b.Helper()
	c := spread.New(b, hosts, 1)
	c.Warm(b, before)
	b.ReportAllocs()
	n := before
	for b.Loop() {
		if err := c.Do(n); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(inUse()), "heap-B")
	runtime.KeepAlive(c)
}

// inUse is how much the heap holds that something refers to.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what the first one let finalizers and pools have
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestHosts: a call to one of many hosts allocates what one to the only host does.
func TestHosts(t *testing.T) {
	for _, n := range hosts {
		c := spread.New(t, n, 1)
		c.Warm(t, n)
		if got, most := allocs(t, c), allocs(t, spread.New(t, 1, 1)); got > most {
			t.Errorf("a call to one of %d hosts allocates %v times, to the only one %v times", n, got, most)
		}
	}
}

// TestCalls: nothing stays behind of a call, and the next costs the same.
func TestCalls(t *testing.T) {
	c := spread.New(t, 1, 1)
	c.Warm(t, 1_000)
	first, before := allocs(t, c), inUse()
	c.Warm(t, 10_000)
	if late := allocs(t, c); late > first {
		t.Errorf("after 10,000 more calls one allocates %v times, before %v times", late, first)
	}
	if after := inUse(); after > before+before/10+64<<10 {
		t.Errorf("%d bytes are in use after 10,000 more calls, %d before", after, before)
	}
	runtime.KeepAlive(c)
}

func allocs(t *testing.T, c *spread.Calls) float64 {
	t.Helper()
	n := 0
	return testing.AllocsPerRun(200, func() {
		if err := c.Do(n); err != nil {
			t.Fatal(err)
		}
		n++
	})
}
