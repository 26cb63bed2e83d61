package call_test

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

// cases are what is measured.
var cases = []struct {
	name string
	ways func(testing.TB) []beside.Way
}{
	{"GET", gets},
	{"POST", func(tb testing.TB) []beside.Way { return posts(tb, size) }},
	{"POST-bytes", func(tb testing.TB) []beside.Way { return bytePosts(tb, size) }},
	{"GET-http", httpGets},
	{"POST-http", func(tb testing.TB) []beside.Way { return httpPosts(tb, size) }},
	{"429", later},
}

func BenchmarkCall(b *testing.B) {
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) { beside.Benchmark(b, c.ways(b)) })
	}
}

// TestWays: each way does what is measured.
func TestWays(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		for _, w := range c.ways(t) {
			for range 3 {
				if err := w.Run(); err != nil {
					t.Errorf("%s: %s: %v", c.name, w.Name, err)
				}
			}
		}
	}
}
