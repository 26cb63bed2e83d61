package storm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/peers"
)

func TestFiguresStorm(t *testing.T) {
	beside.Asked(t)
	for _, s := range []struct {
		name          string
		healthy, last time.Duration
	}{
		{"5s", 0, 5 * time.Second},
		{"20s", 0, 20 * time.Second},
		{"5s-after-20s-of-health", 20 * time.Second, 5 * time.Second},
	} {
		for _, p := range peers.All {
			o, calls := weather(t, p, s.healthy, s.last)
			during := o.during(calls)
			beside.Print(fmt.Sprintf("Storm/%s/%s", s.name, p.Name),
				beside.Figure{Value: float64(o.requests), Unit: "requests"},
				beside.Figure{Value: float64(during), Unit: "calls"},
				beside.Figure{Value: float64(o.requests) / float64(during), Unit: "requests/call"},
				beside.Figure{Value: ms(o.firstGood.Sub(o.over)), Unit: "first-good-ms"},
				beside.Figure{Value: ms(o.back(calls)), Unit: "nine-of-ten-ms"},
				beside.Figure{Value: float64(failedSince(calls, o.over)), Unit: "failed-after"},
				beside.Figure{Value: float64(failedSince(calls, o.firstGood)), Unit: "failed-late"})
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
