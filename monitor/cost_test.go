package monitor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
)

// instant answers without a network.
func instant(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
}

func instantly(tb testing.TB, opts ...aplomb.Option) func() {
	tb.Helper()
	c, err := aplomb.New("http://api.test", append(opts, aplomb.Transport(aplomb.RoundTripFunc(instant)))...)
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := aplomb.Get[struct{}](tb.Context(), c, "/v1/orders/{id}", aplomb.Path("id", "1")); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestLaw14_Monitor: a call that is watched allocates no more than one that is not. Those
// few that are looked at closely are less than one in a call.
func TestLaw14_Monitor(t *testing.T) { //nolint:paralleltest // it counts allocations
	plain, watched := instantly(t), instantly(t, newMonitor(t, monitor.Settings{}).Option())
	for range 500 { // the lists fill up
		watched()
	}
	without, with := testing.AllocsPerRun(2000, plain), testing.AllocsPerRun(2000, watched)
	t.Logf("%v allocations, %v with a monitor", without, with)
	assert.Equal(t, with-without, 0)
}

func BenchmarkMonitor(b *testing.B) {
	for name, run := range map[string]func(){"without": instantly(b), "with": instantly(b, newMonitor(b, monitor.Settings{}).Option())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
