package aplomb

import (
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestLatencyPercentile(t *testing.T) {
	var l latency
	for i := range 19 {
		l.record(time.Duration(i + 1))
	}
	_, known := l.p95()
	assert.True(t, !known, "of nineteen")
	l.record(20)
	d, known := l.p95()
	assert.True(t, known)
	assert.Equal(t, d, 19)
	for i := range latencyRing {
		l.record(time.Duration(1000 + i)) // those before are forgotten
	}
	d, _ = l.p95()
	assert.Equal(t, d, 1060) // the 61st of 64
	assert.Equal(t, testing.AllocsPerRun(100, func() { l.record(5); _, _ = l.p95() }), 0)
}
