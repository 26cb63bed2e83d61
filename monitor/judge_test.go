package monitor_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
	"github.com/aplomb-go/aplomb/poll"
)

// fed is a monitor that is told of calls by hand, to a client "orders" and host "a.test".
type fed struct {
	*monitor.Monitor

	hooks aplomb.Hooks
	last  uint64
}

func newFed(t *testing.T) *fed {
	t.Helper()
	m := newMonitor(t, monitor.Settings{})
	return &fed{Monitor: m, hooks: hooksOf(m)}
}

// begin starts a call and its first attempt, and returns its id.
func (f *fed) begin(host string) uint64 {
	f.last++
	now := time.Now()
	f.hooks.CallStart(context.Background(), aplomb.CallEvent{Call: f.last, Client: "orders", Operation: "GET /x", Host: "a.test", Start: now})
	f.hooks.AttemptStart(context.Background(), aplomb.AttemptEvent{Call: f.last, Client: "orders", Operation: "GET /x", Host: host, Start: now})
	return f.last
}

// done ends n calls with that result.
func (f *fed) done(n int, r aplomb.Result, change ...func(*aplomb.CallEvent)) {
	for range n {
		e := aplomb.CallEvent{Call: f.begin("a.test"), Client: "orders", Operation: "GET /x", Host: "a.test", Start: time.Now(), Attempts: 1, Result: r}
		for _, c := range change {
			c(&e)
		}
		f.hooks.CallDone(context.Background(), e)
	}
}

func (f *fed) snapshot() monitor.Client { return f.Snapshot().Clients[0] }

func (f *fed) host() monitor.Host { return f.snapshot().Hosts[0] }

func unsent(e *aplomb.CallEvent) { e.Attempts = 0 }

func status(code int) func(*aplomb.CallEvent) {
	return func(e *aplomb.CallEvent) { e.Status = code }
}

func failing(text string) func(*aplomb.CallEvent) {
	return func(e *aplomb.CallEvent) { e.Err = errors.New(text) }
}

func TestHealthOfCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(f *fed)
		want string
	}{
		"few in a minute": {func(f *fed) {
			for range 4 {
				f.done(2, aplomb.ResultOK)
				f.done(1, aplomb.ResultNetwork)
				pass(time.Minute)
			}
		}, "degraded; degraded orders (a.test): 33 % of 12 calls in five minutes failed"},
		"enough in two": {func(f *fed) {
			f.done(6, aplomb.ResultNetwork)
			pass(time.Minute)
			f.done(6, aplomb.ResultOK)
		}, "down; down orders (a.test): 50 % of 12 calls in two minutes failed"},
		"older ones where there are enough": {func(f *fed) {
			f.done(20, aplomb.ResultNetwork)
			pass(time.Minute)
			f.done(10, aplomb.ResultOK)
		}, "healthy"},
		"the last three": {func(f *fed) { f.done(3, aplomb.ResultOK); f.done(3, aplomb.ResultTimeout) }, "degraded; degraded orders (a.test): the last 3 calls failed"},
		"the last two":   {func(f *fed) { f.done(3, aplomb.ResultOK); f.done(2, aplomb.ResultTimeout) }, "healthy"},
		"a cancel is neither": {func(f *fed) {
			f.done(2, aplomb.ResultTimeout)
			f.done(1, aplomb.ResultCanceled)
			f.done(1, aplomb.ResultTimeout)
		}, "degraded; degraded orders (a.test): the last 3 calls failed"},
		"refused": {func(f *fed) {
			f.done(8, aplomb.ResultOK)
			f.done(11, aplomb.ResultClientError, status(403))
			f.done(1, aplomb.ResultClientError, status(401))
		}, "degraded; degraded orders (a.test): 60 % of 20 calls in a minute were refused by the server, the last with 401"},
		"some refused":    {func(f *fed) { f.done(11, aplomb.ResultOK); f.done(9, aplomb.ResultClientError, status(404)) }, "healthy"},
		"few refused":     {func(f *fed) { f.done(9, aplomb.ResultClientError, status(404)) }, "healthy"},
		"not to be read":  {func(f *fed) { f.done(20, aplomb.ResultDecodeError) }, "degraded; degraded orders (a.test): 100 % of 20 calls in a minute could not be read"},
		"one is mistaken": {func(f *fed) { f.done(19, aplomb.ResultOK); f.done(1, aplomb.ResultDecodeError) }, "healthy"},
	} {
		bubble(t, name, func(t *testing.T) {
			f := newFed(t)
			tt.do(f)
			assert.Equal(t, reasons(f.Monitor), tt.want)
		})
	}
}

func TestHealthOfQueues(t *testing.T) {
	t.Parallel()
	waiting := func(f *fed, n int, cause aplomb.WaitCause) (ids []uint64) {
		for range n {
			id := f.begin("a.test")
			f.hooks.WaitStart(context.Background(), aplomb.WaitEvent{Call: id, Client: "orders", Cause: cause, Start: time.Now(), Duration: time.Hour})
			ids = append(ids, id)
		}
		return ids
	}
	bubble(t, "long ones", func(t *testing.T) {
		f := newFed(t)
		waiting(f, 9, aplomb.WaitQuota)
		assert.Equal(t, reasons(f.Monitor), "healthy")
		waiting(f, 253, aplomb.WaitQuota)
		pass(28 * time.Second)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: 262 calls wait, the longest for 28s, for the server's quota or pause")
		waiting(f, 3, aplomb.WaitBackoff)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: 265 calls wait, the longest for 28s, most of them for the server's quota or pause")
	})
	bubble(t, "one that lasts", func(t *testing.T) {
		f := newFed(t)
		id := waiting(f, 1, aplomb.WaitBulkhead)[0]
		pass(10 * time.Second)
		assert.Equal(t, reasons(f.Monitor), "healthy")
		pass(time.Second)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: a call has waited for a place among the requests in flight for 11s")
		f.hooks.WaitDone(t.Context(), aplomb.WaitEvent{Call: id, Client: "orders", Cause: aplomb.WaitBulkhead})
		assert.Equal(t, reasons(f.Monitor), "healthy")
	})
}

func TestHealthOfQuotas(t *testing.T) {
	t.Parallel()
	usedUp := func(f *fed) {
		f.hooks.Quota(context.Background(), aplomb.QuotaEvent{
			Client: "orders", Limit: 100, ResetAt: time.Now().Add(178 * time.Minute), ClosedUntil: time.Now().Add(178 * time.Minute),
		})
	}
	bubble(t, "are the cause of calls that they refuse", func(t *testing.T) {
		f := newFed(t)
		usedUp(f)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: the quota is used up: no request for 2h58m")
		f.done(60, aplomb.ResultOK)
		f.done(46, aplomb.ResultRateLimited, unsent)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders (a.test): the quota is used up: no request for 2h58m; 43 % of 106 calls in a minute failed")
		f.done(50, aplomb.ResultRateLimited, unsent)
		assert.Equal(t, reasons(f.Monitor), "down; down orders (a.test): the quota is used up: no request for 2h58m; 62 % of 156 calls in a minute failed")
	})
	bubble(t, "are not of others", func(t *testing.T) {
		f := newFed(t)
		usedUp(f)
		f.done(20, aplomb.ResultNetwork)
		f.done(5, aplomb.ResultRateLimited, unsent)
		assert.Equal(t, reasons(f.Monitor), "down; down orders (a.test): 100 % of 25 calls in a minute failed; degraded orders: the quota is used up: no request for 2h58m")
	})
	bubble(t, "that are huge last", func(t *testing.T) {
		f := newFed(t)
		f.done(1, aplomb.ResultOK)
		for left, want := range map[int64]time.Duration{8e15: 0, math.MaxInt64: 0, 1e6: 1e7 * time.Second} {
			f.hooks.Quota(t.Context(), aplomb.QuotaEvent{Client: "orders", Limit: left, Remaining: left})
			assert.Equal(t, f.snapshot().Quotas[0].EmptyIn, want, left)
		}
	})
	bubble(t, "are forgotten where no end was told", func(t *testing.T) {
		f := newFed(t)
		f.hooks.Quota(t.Context(), aplomb.QuotaEvent{Client: "orders", Limit: 100, Remaining: 3})
		f.hooks.Quota(t.Context(), aplomb.QuotaEvent{Client: "orders", Name: "day", Limit: 100, Remaining: 50, ResetAt: time.Now().Add(time.Hour)})
		pass(10*time.Minute - time.Second)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: 3 of 100 are left of the quota")
		pass(time.Second)
		assert.Equal(t, reasons(f.Monitor), "healthy")
		assert.Equal(t, len(f.snapshot().Quotas), 1)
		pass(time.Hour)
		assert.Equal(t, f.snapshot().Quotas[0].Remaining, 100)
		for n := range 60 { // what is over makes room
			f.hooks.Quota(t.Context(), aplomb.QuotaEvent{Client: "orders", Name: strconv.Itoa(n), Remaining: -1})
		}
		assert.Equal(t, len(f.snapshot().Quotas), 50)
		assert.Equal(t, f.snapshot().Quotas[49].Name, "9", "and not day, which was there before")
	})
}

func TestCircuits(t *testing.T) {
	t.Parallel()
	bubble(t, "have been open since they left closed", func(t *testing.T) {
		f := newFed(t)
		f.done(1, aplomb.ResultOK)
		start := time.Now()
		turn := func(to aplomb.BreakerState) {
			f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: "https://a.test", To: to, At: time.Now(), ReadyAt: time.Now().Add(time.Minute)})
			pass(time.Minute)
		}
		turn(aplomb.BreakerOpen)
		turn(aplomb.BreakerHalfOpen)
		assert.Equal(t, *f.host().Circuit, monitor.Circuit{State: aplomb.BreakerHalfOpen, Since: start})
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders (a.test): the circuit is half open: a probe decides whether it closes")
		turn(aplomb.BreakerOpen)
		assert.Equal(t, *f.host().Circuit, monitor.Circuit{State: aplomb.BreakerOpen, Since: start, ProbeAt: start.Add(3 * time.Minute)})
		assert.Equal(t, len(f.snapshot().Hosts), 1)
		turn(aplomb.BreakerClosed)
		assert.True(t, f.host().Circuit == nil)
		start = time.Now()
		turn(aplomb.BreakerOpen)
		assert.Equal(t, f.host().Circuit.Since, start)
	})
	bubble(t, "that closed are not opened by a word that was overtaken", func(t *testing.T) {
		f := newFed(t)
		f.done(1, aplomb.ResultOK)
		start := time.Now()
		turn := func(to aplomb.BreakerState, second int) {
			f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: "https://a.test", To: to, At: start.Add(time.Duration(second) * time.Second)})
		}
		turn(aplomb.BreakerOpen, 1)
		turn(aplomb.BreakerClosed, 3)
		turn(aplomb.BreakerHalfOpen, 2)
		assert.True(t, f.host().Circuit == nil)
		turn(aplomb.BreakerOpen, 4)
		assert.Equal(t, f.host().Circuit.Since, start.Add(4*time.Second))
		for n := range 99 { // as many as there is room for
			f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: strconv.Itoa(n), To: aplomb.BreakerClosed})
		}
		f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: "new", To: aplomb.BreakerOpen})
		assert.Equal(t, len(f.snapshot().Hosts), 2, "those that are closed make room")
		assert.True(t, f.host().Circuit != nil)
	})
	for _, key := range []string{"https://a.test", "payments"} {
		bubble(t, "that nobody calls any more are not down for ever: "+key, func(t *testing.T) {
			f := newFed(t)
			for range 3 {
				f.done(1, aplomb.ResultOK)
				pass(time.Second)
			}
			f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: key, To: aplomb.BreakerOpen, At: time.Now(), ReadyAt: time.Now().Add(6 * time.Minute)})
			pass(6*time.Minute - time.Second)
			assert.Contains(t, reasons(f.Monitor), "the circuit is open: 0 of 0 attempts failed; the next call in 1s is a probe", "a call would fail")
			f.done(1, aplomb.ResultBreakerOpen, unsent)
			pass(5*time.Minute - time.Second)
			assert.Contains(t, reasons(f.Monitor), "the circuit is open: 0 of 0 attempts failed; the next call is a probe")
			pass(time.Second)
			assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders ("+strings.TrimPrefix(key, "https://")+"): the circuit was open when the last call came, 5m ago; the next call is a probe")
		})
	}
	bubble(t, "of no host stand in order, and an open one before a half-open one", func(t *testing.T) {
		f := newFed(t)
		f.done(1, aplomb.ResultOK)
		for n := range 20 {
			f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: string(rune('z' - n)), To: aplomb.BreakerOpen})
		}
		f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: "https://a.test", To: aplomb.BreakerHalfOpen})
		f.hooks.Breaker(aplomb.BreakerEvent{Client: "orders", Key: "http://a.test", To: aplomb.BreakerOpen})
		hosts := f.snapshot().Hosts
		assert.Equal(t, hosts[0].Circuit.State, aplomb.BreakerOpen)
		for n := range 20 {
			assert.Equal(t, hosts[n+1].Name, string(rune('g'+n)))
		}
	})
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	bubble(t, "at each host, from the first attempt on", func(t *testing.T) {
		f := newFed(t)
		start := time.Now()
		f.begin("a.test")
		pass(time.Second)
		f.begin("a.test")
		other := f.begin("b.test")
		waits := f.begin("a.test")
		f.hooks.WaitStart(t.Context(), aplomb.WaitEvent{Call: waits, Client: "orders", Cause: aplomb.WaitBackoff, Start: time.Now()})
		f.hooks.CallStart(t.Context(), aplomb.CallEvent{Call: 99, Client: "orders", Host: "a.test", Start: start}) // no attempt yet
		c := f.snapshot()
		assert.Equal(t, []int{c.InFlight, c.Waiting, len(c.Hosts), c.Hosts[0].InFlight, c.Hosts[1].InFlight}, []int{4, 1, 2, 2, 1})
		assert.Equal(t, c.Hosts[0].Oldest, start)
		assert.Equal(t, c.Hosts[1].Oldest, start.Add(time.Second))
		// A redirect to a host that nothing has been sent to yet.
		f.hooks.CallStart(t.Context(), aplomb.CallEvent{Call: other, Client: "orders", Host: "c.test"})
		c = f.snapshot()
		assert.Equal(t, []int{len(c.Hosts), c.Hosts[1].InFlight}, []int{2, 0})
		assert.Equal(t, c.Hosts[1].Oldest, time.Time{})
		f.hooks.CallStart(t.Context(), aplomb.CallEvent{Call: other, Client: "orders", Host: "a.test"})
		assert.Equal(t, f.host().InFlight, 2, "nothing is sent yet")
		f.done(1, aplomb.ResultOK)
		assert.Equal(t, f.host().InFlight, 2)
	})
}

// TestSteps: the first and the last ones of a call are kept.
func TestSteps(t *testing.T) {
	t.Parallel()
	bubble(t, "of a call that was tried often", func(t *testing.T) {
		f := newFed(t)
		id := f.begin("a.test")
		for n := 1; n <= 100; n++ {
			f.hooks.AttemptDone(t.Context(), aplomb.AttemptEvent{Call: id, Client: "orders", Number: n})
		}
		f.hooks.CallDone(t.Context(), aplomb.CallEvent{Call: id, Client: "orders", Attempts: 100})
		steps := f.Snapshot().Recent[0].Steps
		assert.Equal(t, len(steps), 40)
		assert.Equal(t, []int{steps[0].Number, steps[19].Number, steps[20].Number, steps[39].Number}, []int{1, 20, 81, 100})
	})
}

// TestPanic: it is shown, and the host is not to blame.
func TestPanic(t *testing.T) {
	t.Parallel()
	bubble(t, "of a middleware", func(t *testing.T) {
		f := newFed(t)
		f.done(3, aplomb.ResultTimeout)
		f.done(1, aplomb.ResultPanic, failing("a nil map"))
		assert.Equal(t, f.host().Totals, monitor.Totals{Calls: 4, Failed: 3, Attempts: 4})
		assert.Equal(t, f.Snapshot().Trouble[0].Error, "a nil map")
		assert.Equal(t, f.host().LastError, "GET /x: timeout")
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders (a.test): the last 3 calls failed")
	})
}

func TestLastError(t *testing.T) {
	t.Parallel()
	bubble(t, "is of a call that was sent", func(t *testing.T) {
		f := newFed(t)
		f.done(1, aplomb.ResultBreakerOpen, unsent, failing("the circuit is open"))
		assert.Equal(t, f.host().LastError, "the circuit is open", "where there is no other")
		f.done(1, aplomb.ResultServerError, status(503))
		assert.Equal(t, f.host().LastError, "GET /x: 503")
		f.done(1, aplomb.ResultBreakerOpen, failing("the circuit is open"))
		f.done(1, aplomb.ResultRateLimited, unsent, failing("the quota is used up"))
		assert.Equal(t, f.host().LastError, "GET /x: 503")
		f.done(1, aplomb.ResultNetwork)
		assert.Equal(t, f.host().LastError, "GET /x: network")
		pass(time.Hour)
		f.done(1, aplomb.ResultRateLimited, unsent, failing("the quota is used up"))
		assert.Equal(t, f.host().LastError, "the quota is used up")
		assert.Equal(t, f.host().LastFailed, time.Now())
	})
}

func TestTroubleList(t *testing.T) {
	t.Parallel()
	bubble(t, "keeps faults before refusals, and some of each client", func(t *testing.T) {
		f := newFed(t)
		f.done(3, aplomb.ResultServerError, status(500))
		f.done(500, aplomb.ResultClientError, status(404))
		f.done(1, aplomb.ResultClientError, status(409), func(e *aplomb.CallEvent) { e.Elapsed = time.Minute })
		pass(time.Second)
		f.done(1, aplomb.ResultTimeout)
		s := f.Snapshot()
		assert.Equal(t, len(s.Trouble), 25)
		assert.Equal(t, s.Trouble[0].Status, 409, "which took long, and ended the last")
		assert.Equal(t, s.Trouble[1].Result, aplomb.ResultTimeout)
		assert.Equal(t, s.Trouble[4].Status, 500)
		assert.Equal(t, s.Trouble[5].Status, 404)

		for n, client := range []string{"orders", "stripe"} { // stripe's are the older ones
			for range 150 {
				id := uint64(10_000 + n*1000)
				f.hooks.CallStart(t.Context(), aplomb.CallEvent{Call: id, Client: client, Start: time.Now().Add(-time.Duration(n) * time.Hour)})
				f.hooks.CallDone(t.Context(), aplomb.CallEvent{Call: id, Client: client, Start: time.Now().Add(-time.Duration(n) * time.Hour), Result: aplomb.ResultNetwork})
			}
		}
		count := map[string]int{}
		for _, c := range f.Snapshot().Trouble {
			count[c.Client]++
		}
		assert.Equal(t, count, map[string]int{"orders": 90, "stripe": 10})
	})
}

func TestBodyFailed(t *testing.T) {
	t.Parallel()
	bubble(t, "is a call that failed, and no other call", func(t *testing.T) {
		f := newFed(t)
		broke := func(status int) {
			f.hooks.BodyFailed(t.Context(), aplomb.AttemptEvent{Call: f.last, Client: "orders", Operation: "GET /x", Host: "a.test", Status: status, Err: errors.New("unexpected EOF")})
		}
		f.done(9, aplomb.ResultOK)
		pass(time.Minute)
		f.done(1, aplomb.ResultOK)
		broke(200)
		h := f.host()
		assert.Equal(t, h.LastError, "a body broke off: unexpected EOF")
		assert.Equal(t, h.Totals, monitor.Totals{Calls: 10, Failed: 1, Attempts: 10})
		assert.Equal(t, h.ErrorRatio, 0.1)
		assert.Equal(t, f.snapshot().ErrorRatio, 0.1)
		call := f.Snapshot().Trouble[0]
		assert.Equal(t, string(call.Result)+": "+call.Error, "network: a body broke off: unexpected EOF")
		f.done(1, aplomb.ResultServerError)
		broke(500)
		assert.Equal(t, f.host().Totals.Failed, 2, "it had failed already")
		assert.Equal(t, len(f.Snapshot().Trouble), 2)
		for range 3 {
			f.done(1, aplomb.ResultOK)
			broke(200)
		}
		for _, slot := range f.host().Last5Min {
			assert.True(t, slot.Failed <= slot.Calls, slot)
		}
		pass(4 * time.Minute) // of which only these three are left
		f.done(1, aplomb.ResultOK)
		broke(200)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders (a.test): the last 6 calls failed")
	})
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	bubble(t, "is the server's, by its last answer", func(t *testing.T) {
		f := newFed(t)
		for ahead, want := range map[time.Duration]time.Duration{
			time.Minute: 58 * time.Second, -time.Minute: -59 * time.Second, time.Second: 0, -2 * time.Second: 0, 3 * time.Second: 0,
		} {
			f.hooks.AttemptDone(t.Context(), aplomb.AttemptEvent{Client: "orders", Start: time.Now(), Elapsed: 2 * time.Second, Date: time.Now().Add(ahead)})
			assert.Equal(t, f.snapshot().ClockSkew, want, ahead)
		}
		f.hooks.AttemptDone(t.Context(), aplomb.AttemptEvent{Client: "orders", Start: time.Now(), Date: time.Now().Add(time.Hour)})
		f.hooks.AttemptDone(t.Context(), aplomb.AttemptEvent{Client: "orders", Start: time.Now()})
		assert.Equal(t, f.snapshot().ClockSkew, time.Hour, "an answer without a Date says nothing")
	})
}

func TestHealthOfSunsets(t *testing.T) {
	t.Parallel()
	bubble(t, "that are near", func(t *testing.T) { // it is 2000-01-01
		f := newFed(t)
		retire := func(name string, days int) {
			f.hooks.Deprecated(t.Context(), aplomb.DeprecationEvent{Client: "orders", Operation: name, Sunset: time.Now().AddDate(0, 0, days)})
		}
		f.hooks.Deprecated(t.Context(), aplomb.DeprecationEvent{Client: "orders", Operation: "GET /w", Deprecated: time.Now()})
		retire("GET /x", 40)
		assert.Equal(t, reasons(f.Monitor), "healthy")
		pass(11 * 24 * time.Hour)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: GET /x stops answering on 2000-02-10")
		retire("GET /y", 1)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: GET /y stops answering on 2000-01-13, and 1 other operation by and by")
		pass(25 * time.Hour)
		assert.Equal(t, reasons(f.Monitor), "degraded; degraded orders: GET /y was to stop answering on 2000-01-13, and 1 other operation by and by")
	})
}

func TestHealthOfFeeds(t *testing.T) {
	t.Parallel()
	lost := errors.New("no route")
	bubble(t, "of a poll that another process does", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		feed := m.Poll()
		feed.Lease(t.Context(), poll.LeaseEvent{Feed: "orders", Held: true})
		feed.Polled(t.Context(), poll.PollEvent{Feed: "orders", Err: lost})
		assert.Equal(t, reasons(m), "degraded; degraded poll orders: no route")
		feed.Lease(t.Context(), poll.LeaseEvent{Feed: "orders"})
		assert.Equal(t, reasons(m), "healthy")
	})
	bubble(t, "of dead letters, for an hour", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		dead := func() {
			m.Inbox().Handled(t.Context(), inbox.HandleEvent{Source: "stripe", Result: inbox.ResultDead})
		}
		dead()
		assert.Equal(t, reasons(m), "degraded; degraded inbox stripe: 1 dead letter in the last hour")
		pass(30 * time.Minute)
		dead()
		assert.Equal(t, reasons(m), "degraded; degraded inbox stripe: 2 dead letters in the last hour")
		pass(30 * time.Minute)
		assert.Equal(t, reasons(m), "degraded; degraded inbox stripe: 1 dead letter in the last hour")
		pass(30 * time.Minute)
		assert.Equal(t, reasons(m), "healthy")
	})
	bubble(t, "of a step that is not tried again", func(t *testing.T) {
		m := newMonitor(t, monitor.Settings{})
		m.Inbox().Trouble(t.Context(), inbox.TroubleEvent{Step: "purge", Err: lost})
		pass(20*time.Minute - time.Second)
		assert.Equal(t, reasons(m), "degraded; degraded inbox store: purge failed: no route")
		pass(time.Second)
		assert.Equal(t, reasons(m), "healthy")
	})
}

func TestLogIsRounded(t *testing.T) {
	t.Parallel()
	bubble(t, "to three digits", func(t *testing.T) {
		f := newFed(t)
		f.done(2, aplomb.ResultOK)
		f.done(1, aplomb.ResultNetwork)
		pass(70 * time.Second)
		assert.Contains(t, f.LogValue().String(), "per_second=0.043 error_ratio=0.333 ")
	})
}
