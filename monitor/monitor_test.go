package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	bubble(t, "are of five minutes, and totals of all", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, alone())
		a.answer.Store(&answer{wait: 20 * time.Millisecond})
		a.load(t, time.Minute, time.Second, 4)
		c := m.Snapshot().Clients[0]
		assert.Equal(t, c.Name, "orders")
		assert.Equal(t, c.PerSecond, 1)
		assert.Equal(t, c.ErrorRatio, 0.25)
		assert.Equal(t, c.AttemptsPerCall, 1)
		assert.Equal(t, c.Totals, monitor.Totals{Calls: 60, Failed: 15, Attempts: 60})
		assert.True(t, c.P50 >= 20*time.Millisecond && c.P50 < 22*time.Millisecond && c.P99 == c.P50, c.P50, c.P99)
		h := c.Hosts[0]
		assert.Equal(t, h.Name, "api.test")
		assert.Equal(t, len(h.Operations), 1)
		assert.Equal(t, h.Operations[0].Name, "GET /v1/orders/{id}")
		assert.Equal(t, h.Operations[0].Totals, c.Totals)
		assert.Equal(t, h.Last5Min[len(h.Last5Min)-2:], []monitor.Slot{{Calls: 10, Failed: 2}, {}})
		assert.Contains(t, h.LastError, "orders: GET /v1/orders/{id}: 500")
		time.Sleep(5 * time.Minute)
		c = m.Snapshot().Clients[0]
		assert.Equal(t, c.PerSecond, 0)
		assert.Equal(t, c.P50, 0)
		assert.Equal(t, c.Totals.Calls, 60)
	})
	bubble(t, "are since the first call of a client that is young", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		time.Sleep(time.Hour)
		a := newAPI(t, m, alone())
		a.answer.Store(&answer{header: http.Header{"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"400"}}})
		a.load(t, 20*time.Second, 50*time.Millisecond, 0)
		c := m.Snapshot().Clients[0]
		assert.Equal(t, []float64{c.PerSecond, c.Hosts[0].PerSecond, c.Hosts[0].Operations[0].PerSecond}, []float64{20, 20, 20})
		assert.Equal(t, c.Quotas[0].EmptyIn, 20*time.Second)
	})
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	bubble(t, "says which call, for what, since and until when", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m)
		a.answer.Store(&answer{status: 503, header: http.Header{"Retry-After": {"10"}}})
		start := time.Now()
		done := make(chan error)
		go func() { done <- a.get(t.Context(), "/v1/orders/{id}", aplomb.Path("id", "1")) }()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		s := m.Snapshot()
		assert.Equal(t, len(s.Waiting), 1)
		w := s.Waiting[0]
		assert.Equal(t, w, monitor.Waiting{Client: "orders", Operation: "GET /v1/orders/{id}", Cause: aplomb.WaitBackoff, Since: start, Until: w.Until})
		assert.True(t, w.Until.Sub(start) >= 10*time.Second && w.Until.Sub(start) < 12*time.Second, w.Until)
		assert.Equal(t, s.Clients[0].InFlight, 0)
		assert.Equal(t, s.Clients[0].Waiting, 1)
		a.answer.Store(&answer{})
		assert.NoError(t, <-done)
		s = m.Snapshot()
		assert.Equal(t, len(s.Waiting), 0)
		assert.Equal(t, s.Clients[0].InFlight, 0)
		assert.Equal(t, s.Clients[0].Waits[aplomb.WaitBackoff].Count, 1)
		assert.Equal(t, s.Clients[0].Waits[aplomb.WaitBackoff].Total, w.Until.Sub(start))
		call := s.Recent[0]
		assert.Equal(t, call.Attempts, 2)
		first, second, last := call.Steps[0], call.Steps[1], call.Steps[len(call.Steps)-1]
		assert.Equal(t, first.Status, 503)
		assert.Equal(t, second.Wait, aplomb.WaitBackoff)
		assert.Equal(t, second.Took, w.Until.Sub(start))
		assert.Equal(t, last.Status, 200)
		assert.Equal(t, last.Start+last.Took, call.Elapsed)
		assert.Equal(t, len(s.Trouble), 1, "it took long")
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	bubble(t, "are the last hundred, and the troubled ones beside them", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, alone())
		a.answer.Store(&answer{status: 500, header: http.Header{"X-Request-Id": {"req_9"}}})
		assert.True(t, a.get(t.Context(), "/first") != nil)
		a.answer.Store(&answer{})
		for n := range 150 {
			time.Sleep(time.Second)
			assert.NoError(t, a.get(t.Context(), fmt.Sprintf("/n%d", n)))
		}
		s := m.Snapshot()
		assert.Equal(t, len(s.Recent), 100)
		assert.Equal(t, s.Recent[0].Operation, "GET /n149")
		assert.Equal(t, s.Recent[99].Operation, "GET /n50")
		assert.Equal(t, len(s.Trouble), 1)
		bad := s.Trouble[0]
		assert.Equal(t, bad.Operation+" "+string(bad.Result), "GET /first server_error")
		assert.Contains(t, bad.Error, "orders: GET /first: 500")
		step := bad.Steps[0]
		assert.Equal(t, step.Outcome, "fault")
		assert.Equal(t, step.RequestID, "req_9")
		assert.Equal(t, step.Curl, "curl 'http://api.test/first' -H 'Accept: application/json'")
		assert.True(t, step.Phases != nil)
	})
	bubble(t, "are looked at closely ten times a second", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m)
		for range 30 {
			assert.NoError(t, a.get(t.Context(), "/"))
		}
		closely := 0
		for _, c := range m.Snapshot().Recent {
			if c.Steps[0].Phases != nil {
				closely++
			}
		}
		assert.Equal(t, closely, 10)
	})
}

// TestBounds: ten thousand addresses are one template, and what is not bounded by its
// caller is bounded here.
func TestBounds(t *testing.T) {
	t.Parallel()
	bubble(t, "of series", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
		})))
		for n := range 10_000 {
			assert.NoError(t, a.get(t.Context(), "/v1/orders/{id}", aplomb.Path("id", strconv.Itoa(n))))
		}
		assert.Equal(t, len(m.Snapshot().Clients[0].Hosts[0].Operations), 1)
		for n := range 1000 {
			assert.NoError(t, a.get(t.Context(), "/", aplomb.Operation(fmt.Sprintf("op %d", n))))
		}
		c := m.Snapshot().Clients[0]
		assert.Equal(t, len(c.Hosts[0].Operations), 301)
		assert.Equal(t, c.Hosts[0].Operations[1].Name, "other")
		assert.Equal(t, c.Totals.Calls, 11_000)
	})
	bubble(t, "of clients, hosts, quotas", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		h := hooksOf(m)
		for n := range 1000 {
			name := strconv.Itoa(n)
			h.CallDone(t.Context(), aplomb.CallEvent{Client: "c", Host: name, Operation: "x"})
			h.Quota(t.Context(), aplomb.QuotaEvent{Client: "c", Name: name})
			h.Breaker(aplomb.BreakerEvent{Client: "c", Key: "https://" + name, To: aplomb.BreakerOpen})
			h.Deprecated(t.Context(), aplomb.DeprecationEvent{Client: "c", Operation: name})
			h.CallStart(t.Context(), aplomb.CallEvent{Call: uint64(n), Client: name})
			m.Tokens(name)(aplomb.TokenEvent{})
		}
		s := m.Snapshot()
		assert.True(t, len(s.Clients) <= 101 && len(s.Tokens) <= 200, len(s.Clients), len(s.Tokens))
		for _, c := range s.Clients {
			if c.Name == "c" {
				assert.True(t, len(c.Hosts) <= 201 && len(c.Quotas) == 50 && len(c.Deprecations) == 300, len(c.Hosts))
			}
		}
	})
}

// hooksOf is what a client is given.
func hooksOf(m *monitor.Monitor) aplomb.Hooks {
	return m.Hooks()
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	bubble(t, "for expvar, slog and fmt", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		a := newAPI(t, m, alone())
		a.load(t, time.Minute, time.Second, 2)
		var s monitor.Snapshot
		assert.NoError(t, json.Unmarshal([]byte(m.String()), &s))
		assert.Equal(t, s.Clients[0].Totals.Calls, 60)
		line := m.LogValue().String()
		for _, part := range []string{"health=down", "per_second=1", "error_ratio=0.5", "reason=orders (api.test): 50 % of 50 calls in a minute failed"} {
			assert.Contains(t, line, part)
		}
		assert.Equal(t, fmt.Sprintf("%v %+v %s", m, m, m), strings.TrimSuffix(strings.Repeat("monitor.Monitor(down) ", 3), " "))
	})
}

// TestForeignEvents: those of calls that it knows nothing of, as of a request beside a
// call, are no trouble.
func TestForeignEvents(t *testing.T) {
	t.Parallel()
	m := newMonitor(t, monitor.Settings{})
	h, ctx := hooksOf(m), context.Background()
	h.AttemptDone(ctx, aplomb.AttemptEvent{Call: 7, Client: "c"})
	h.WaitStart(ctx, aplomb.WaitEvent{Call: 7, Client: "c", Cause: aplomb.WaitQuota})
	h.WaitDone(ctx, aplomb.WaitEvent{Call: 7, Client: "c", Cause: aplomb.WaitQuota, Duration: time.Second})
	h.CallDone(ctx, aplomb.CallEvent{Call: 7, Client: "c", Host: "h", Operation: "o", Result: aplomb.ResultOK})
	c := m.Snapshot().Clients[0]
	assert.Equal(t, c.InFlight, 0)
	assert.Equal(t, c.Waits[aplomb.WaitQuota], monitor.Wait{Count: 1, Total: time.Second})
	assert.Equal(t, c.Totals.Calls, 1)
}
