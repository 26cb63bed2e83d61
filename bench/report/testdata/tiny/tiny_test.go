// Package tiny is a part for the report's own test.
package tiny

import (
	"testing"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

func BenchmarkTiny(b *testing.B) {
	b.Run("case", func(b *testing.B) {
		beside.Benchmark(b, []beside.Way{{Name: "aplomb", Run: func() error { return nil }}})
	})
}

func TestFiguresVirtual(t *testing.T) {
	beside.Asked(t)
	beside.Print("Virtual/case/aplomb", beside.Figure{Value: 99.5, Unit: "used-%"}, beside.Figure{Unit: "429s"})
}
