package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const ms = time.Millisecond

// after answers with h once d has passed.
func after(d time.Duration, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { time.Sleep(d); h(w, r) }
}

// named answers with an order of that id.
func named(id string) http.HandlerFunc { return body(order{ID: id}) }

// journal keeps a client's events.
type journal struct {
	mu sync.Mutex
	events
}

type events struct {
	attempts []aplomb.AttemptEvent
	calls    []aplomb.CallEvent
	waits    []aplomb.WaitEvent
}

// told is what was told so far.
func (l *journal) told() events {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events
}

func (l *journal) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.attempts = append(l.attempts, e)
		},
		CallDone: func(_ context.Context, e aplomb.CallEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.calls = append(l.calls, e)
		},
		WaitDone: func(_ context.Context, e aplomb.WaitEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.waits = append(l.waits, e)
		},
	}
}

// The hedge of a slow first attempt answers the call, which takes no longer
// than the delay and the hedge; the first is cancelled, and says nothing.
func TestHedgeWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(time.Second, named("first")), after(10*ms, named("hedge")))
		var l journal
		var r aplomb.Response
		start := time.Now()
		o, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, l.hooks()), aplomb.Capture(&r))
		assert.NoError(t, err)
		assert.Equal(t, o.ID, "hedge")
		assert.Equal(t, time.Since(start), 110*ms)
		assert.Equal(t, h.gaps(), []time.Duration{100 * ms})
		assert.Equal(t, r.Attempts, 2)
		assert.Equal(t, l.told().calls[0].Attempts, 2)
		assert.Equal(t, len(l.told().attempts), 2)
		won, lost := l.told().attempts[0], l.told().attempts[1]
		assert.Equal(t, [3]any{won.Number, won.Hedge, won.Verdict.Outcome}, [3]any{2, true, aplomb.OutcomeOK})
		assert.Equal(t, [3]any{lost.Number, lost.Hedge, lost.Verdict.Outcome}, [3]any{1, false, aplomb.OutcomeNeutral})
		assert.Equal(t, won.Elapsed, 10*ms)
		assert.ErrorIs(t, lost.Err, context.Canceled)
		assert.Contains(t, lost.Err.Error(), "the other of two attempts was answered first")
	})
}

func TestHedgeLoses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(150*ms, named("first")), after(time.Second, named("hedge")))
		var l journal
		start := time.Now()
		o, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, l.hooks()))
		assert.NoError(t, err)
		assert.Equal(t, o.ID, "first")
		assert.Equal(t, time.Since(start), 150*ms)
		assert.Equal(t, h.count(), 2)
		assert.Equal(t, l.told().attempts[1].Verdict.Outcome, aplomb.OutcomeNeutral)
	})
}

// What is answered in time has no hedge, nor has anything that may not.
func TestHedgeIsNotSent(t *testing.T) {
	slow := after(time.Second, ok)
	url := "http://api.test/x"
	hedge := aplomb.Hedge{After: 100 * ms}
	do := func(method string, body io.Reader, header ...string) func(*testing.T, *aplomb.Client) error {
		return func(_ *testing.T, c *aplomb.Client) error {
			req, _ := http.NewRequest(method, url, body)
			if len(header) > 0 {
				req.Header.Set(header[0], header[1])
			}
			resp, err := c.Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
	}
	typed := func(opts ...aplomb.CallOption) func(*testing.T, *aplomb.Client) error {
		return func(t *testing.T, c *aplomb.Client) error { _, err := get(t, c, opts...); return err }
	}
	posted := func(opts ...aplomb.CallOption) func(*testing.T, *aplomb.Client) error {
		return func(t *testing.T, c *aplomb.Client) error { _, err := post(t, c, opts...); return err }
	}
	for name, tt := range map[string]struct {
		opts []aplomb.Option
		step http.HandlerFunc
		call func(*testing.T, *aplomb.Client) error
		sent int
	}{
		"slow":                {nil, slow, typed(), 2},
		"quick":               {nil, after(99*ms, ok), typed(), 1},
		"POST":                {nil, slow, posted(), 1},
		"POST with a key":     {nil, slow, posted(aplomb.IdempotencyKey("k")), 2},
		"POST that is safe":   {nil, slow, posted(aplomb.Safe()), 2},
		"PUT":                 {nil, slow, do("PUT", strings.NewReader("x")), 2},
		"PUT of a stream":     {nil, slow, do("PUT", io.MultiReader(strings.NewReader("x"))), 1},
		"SDK's own key":       {nil, slow, do("POST", strings.NewReader("x"), "Idempotency-Key", "k"), 2},
		"NoHedge":             {nil, slow, typed(aplomb.NoHedge()), 1},
		"Hedge again":         {[]aplomb.Option{aplomb.NoHedge()}, slow, typed(hedge), 2},
		"without retries":     {[]aplomb.Option{aplomb.NoRetry()}, slow, typed(), 2},
		"without everything":  {[]aplomb.Option{aplomb.NoRetry(), aplomb.NoBreaker(), aplomb.NoRateLimit()}, slow, typed(), 2},
		"at the deadline":     {nil, slow, typed(aplomb.Timeout(100 * ms)), 1},
		"before the deadline": {nil, slow, typed(aplomb.Timeout(100*ms + 1)), 2},
		"rate":                {[]aplomb.Option{aplomb.RateLimit{PerSecond: 1}}, slow, typed(), 1},
		"nothing left":        {nil, slow, exhausted("0"), 1},
		"little left":         {nil, slow, exhausted("5"), 1}, // paced: the hedge would wait
		"enough left":         {nil, slow, exhausted("50"), 2},
		"no place":            {[]aplomb.Option{aplomb.Bulkhead{MaxInFlight: 1}}, slow, typed(), 1},
		"a place":             {[]aplomb.Option{aplomb.Bulkhead{MaxInFlight: 2}}, slow, typed(), 2},
		"body cannot be opened": {nil, slow, func(_ *testing.T, c *aplomb.Client) error {
			opened := false
			_, err := aplomb.Put[order](context.Background(), c, "/x", aplomb.Body("text/plain", func() (io.ReadCloser, error) {
				if opened {
					return nil, errors.New("gone")
				}
				opened = true
				return io.NopCloser(strings.NewReader("x")), nil
			}))
			return err
		}, 1},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(tt.step)
			c := newClient(t, aplombtest.NewServer(t, h), append([]aplomb.Option{hedge}, tt.opts...)...)
			h.steps = append(h.steps, tt.step)
			if err := tt.call(t, c); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			assert.Equal(t, h.count(), tt.sent)
		})
	}
}

// exhausted makes a call under whose first attempt a second caller learns that
// so much of a quota of 100 is left.
func exhausted(remaining string) func(*testing.T, *aplomb.Client) error {
	return func(t *testing.T, c *aplomb.Client) error {
		t.Helper()
		told := false
		quick := aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			told = true
			h := http.Header{"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {"60"}}
			return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
		}))
		other, err := c.With(quick, aplomb.NoHedge())
		assert.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(50 * ms)
			for range 2 {
				_, _ = get(t, other, aplomb.Timeout(time.Second))
			}
		}()
		_, err = get(t, c)
		<-done
		assert.True(t, told)
		return err
	}
}

// Without After the delay is the p95 of that operation, once twenty answers are
// known.
func TestHedgeAfterTheP95(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int64
		var slow atomic.Bool
		h := script(func(w http.ResponseWriter, r *http.Request) {
			d := time.Duration(n.Add(1)) * 10 * ms
			if slow.Swap(false) {
				d = time.Hour
			}
			after(d, ok)(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{})
		for range 19 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		slow.Store(true)
		_, err := get(t, c, aplomb.Timeout(time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, h.count(), 20, "nineteen answers are too few")
		n.Store(19)
		_, err = get(t, c)
		assert.NoError(t, err)
		// 10, 20, ... 200 ms: 19 of 20 came within 190.
		slow.Store(true)
		n.Store(0)
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 23)
		assert.Equal(t, h.gaps()[21], 190*ms)
		slow.Store(true)
		_, err = get(t, c, aplomb.Operation("another"), aplomb.Timeout(10*time.Second))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, h.count(), 24, "of another operation nothing is known")
	})
}

// Cutting the slow answers off does not make the p95 sink: about one call in
// twenty is hedged, for as long as the host stays as it is.
func TestHedgeKeepsThePercentile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		h := script(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			d := time.Duration(random.ExpFloat64() * float64(50*ms))
			mu.Unlock()
			after(d, ok)(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{})
		const calls = 2000
		for range calls {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		hedges := h.count() - calls
		assert.True(t, hedges > calls*3/100 && hedges < calls*8/100, hedges, "hedges in", calls, "calls")
	})
}

// The first good answer wins; a bad one waits for the other attempt. When both
// are bad, the one that says most about sending again stands for the call.
func TestHedgeTakesTheGoodAnswer(t *testing.T) {
	forbidding := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
		if a.Response != nil && a.Response.Header.Get("Should-Retry") == "false" {
			return aplomb.Verdict{Resend: aplomb.ResendNo}
		}
		return aplomb.Verdict{}
	})
	for name, tt := range map[string]struct {
		first, hedge http.HandlerFunc
		status       int
		took         time.Duration
	}{
		"hedge fails, first good":         {after(300*ms, ok), status(503), 200, 300 * ms},
		"first fails, hedge good":         {after(150*ms, status(503)), after(300*ms, ok), 200, 400 * ms},
		"hedge throttled, first good":     {after(300*ms, ok), status(429, "Retry-After", "9"), 200, 300 * ms},
		"404 is an answer":                {after(time.Hour, ok), status(404), 404, 100 * ms},
		"connection lost, first good":     {after(300*ms, ok), fault(aplombtest.LostResponse()), 200, 300 * ms},
		"both fail":                       {after(300*ms, status(503)), status(502), 503, 300 * ms},
		"both fail, first earlier":        {after(150*ms, status(503)), after(200*ms, status(502)), 503, 300 * ms},
		"lost connection and an answer":   {after(150*ms, fault(aplombtest.LostResponse())), after(200*ms, status(502)), 502, 300 * ms},
		"both fail, one forbids":          {after(150*ms, status(503)), after(200*ms, status(502, "Should-Retry", "false")), 502, 300 * ms},
		"first fails before the hedge":    {after(50*ms, status(503)), ok, 503, 50 * ms},
		"first fails as the hedge is due": {after(100*ms-1, status(503)), ok, 503, 100*ms - 1},
		"both lost":                       {after(150*ms, fault(aplombtest.LostResponse())), after(200*ms, fault(aplombtest.LostResponse())), 0, 300 * ms},
		"201":                             {after(time.Hour, ok), after(ms, body(order{})), 200, 101 * ms},
	} {
		for _, door := range []string{"typed", "Do"} {
			bubbleCase(t, name+", "+door, func(t *testing.T) {
				h := script(tt.first, tt.hedge)
				c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.NoRetry(), forbidding)
				start := time.Now()
				var code int
				var r aplomb.Response
				if door == "typed" {
					_, err := get(t, c, aplomb.Capture(&r))
					code = r.StatusCode
					assert.Equal(t, err == nil, tt.status == 200)
				} else {
					req, _ := http.NewRequest("GET", "http://api.test/x", nil)
					if resp, err := c.Do(req); err == nil {
						code = resp.StatusCode
						raw, err := io.ReadAll(resp.Body)
						assert.NoError(t, err)
						assert.True(t, len(raw) > 0)
						_ = resp.Body.Close()
					}
				}
				assert.Equal(t, code, tt.status)
				assert.Equal(t, time.Since(start), tt.took)
			})
		}
	}
}

// What one attempt did may be why the other is refused. The effect of the call
// is then what is reported, not its echo.
func TestHedgeIsNotFooledByItsEcho(t *testing.T) {
	for name, tt := range map[string]struct {
		method       string
		first, hedge http.HandlerFunc
		status       int
		took         time.Duration
	}{
		"POST at work":               {"POST", after(300*ms, ok), status(409), 200, 300 * ms},
		"POST at work, then a fault": {"POST", after(300*ms, status(503)), status(409), 503, 300 * ms},
		"POST at work, then lost":    {"POST", after(300*ms, fault(aplombtest.LostResponse())), status(409), 0, 300 * ms},
		"DELETE done":                {"DELETE", after(300*ms, status(204)), status(404), 204, 300 * ms},
		"PUT done, told by hedge":    {"PUT", after(150*ms, status(412)), after(200*ms, status(204)), 204, 300 * ms},
		"no echo":                    {"PUT", after(150*ms, status(400)), after(200*ms, status(422)), 400, 300 * ms},
		"nothing changes":            {"GET", after(300*ms, ok), status(409), 409, 100 * ms},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(tt.first, tt.hedge)
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.NoRetry(), aplomb.Idempotency{})
			start := time.Now()
			req, _ := http.NewRequest(tt.method, "http://api.test/x", nil)
			resp, err := c.Do(req)
			assert.Equal(t, time.Since(start), tt.took)
			if tt.status == 0 {
				assert.True(t, err != nil)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, resp.StatusCode, tt.status)
			assert.NoError(t, resp.Body.Close())
		})
	}
}

// A hedge is asked for by a context as well, and then sent for an SDK.
func TestHedgeThroughContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(time.Hour, ok), ok)
		ctx := aplomb.NewContext(context.Background(), aplomb.Hedge{After: 100 * ms})
		assert.NoError(t, doThrough(ctx, newClient(t, aplombtest.NewServer(t, h)).HTTPClient().Do, "http://api.test/x", [2]string{}))
		assert.Equal(t, h.count(), 2)
	})
}

// A p95 of nothing is a transport that answers from memory.
func TestHedgeWaitsAMillisecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var slow atomic.Bool
		h := script(func(w http.ResponseWriter, r *http.Request) {
			if slow.Swap(false) {
				time.Sleep(time.Second)
			}
			ok(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{})
		for range 20 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 20)
		slow.Store(true)
		start := time.Now()
		_, err := get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, time.Since(start), ms)
	})
}

// A long-lived context keeps nothing of a hedged call, nor of a place.
func TestHedgeLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := &countingContext{Context: context.Background(), done: make(chan struct{})}
		h := script(after(time.Second, ok), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.Bulkhead{MaxInFlight: 2})
		assert.NoError(t, doThrough(ctx, c.Do, "http://api.test/x", [2]string{}))
		h.steps = append([]http.HandlerFunc{ok, ok}, h.steps...)
		_, err := aplomb.Get[order](ctx, c, "/x")
		assert.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, h.count(), 4)
		assert.Equal(t, ctx.children.Load(), 0)
		assert.Equal(t, aplomb.InFlight(c), 0)
	})
}

func TestHedgeAndBulkheadValidation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opt  aplomb.Option
		want string
	}{
		{aplomb.Hedge{After: -1}, "aplomb: Hedge.After: -1ns is negative; zero means the default"},
		{aplomb.Hedge{After: 100}, "aplomb: Hedge.After: 100ns: did you mean 100*time.Second?"},
		{aplomb.Bulkhead{MaxInFlight: -1}, "aplomb: Bulkhead.MaxInFlight: -1 is negative; zero means 64, and NoBulkhead() switches it off"},
		{aplomb.Bulkhead{Queue: -1}, "aplomb: Bulkhead.Queue: -1 is negative; zero means MaxInFlight, and a short MaxWait keeps nobody waiting"},
		{aplomb.Bulkhead{MaxWait: 5}, "aplomb: Bulkhead.MaxWait: 5ns: did you mean 5*time.Second?"},
	} {
		_, err := aplomb.New("http://api.test", tt.opt)
		assert.Equal(t, fmt.Sprint(err), tt.want)
	}
}

// One key and one body on both (laws 1 and 2).
func TestLaw02_HedgeHasTheSameKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		h := script(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			mu.Lock()
			seen = append(seen, r.Header.Get("Idempotency-Key")+" "+string(raw))
			n := len(seen)
			mu.Unlock()
			if n == 1 {
				time.Sleep(time.Hour)
			}
			ok(w, r)
		})
		_, err := post(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.Idempotency{}))
		assert.NoError(t, err)
		assert.Equal(t, len(seen), 2)
		assert.Equal(t, seen[0], seen[1])
		assert.True(t, strings.HasSuffix(seen[0], `{"id":"","amount":25}`) && len(seen[0]) > 40, seen[0])
	})
}

// A hedge costs one retry and is paid from the same budget: ten in reserve.
func TestHedgeIsPaidFromTheBudget(t *testing.T) {
	for name, opt := range map[string]aplomb.Option{"with retries": aplomb.Retry{}, "without": aplomb.NoRetry()} {
		bubbleCase(t, name, func(t *testing.T) {
			var n atomic.Int64
			h := script(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1)%2 == 1 {
					time.Sleep(200 * ms)
				}
				status(503)(w, r) // nothing is earned
			})
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, opt, aplomb.Retry{Attempts: 1}, aplomb.NoBreaker(), aplomb.RateLimit{})
			for range 10 {
				_, _ = get(t, c)
			}
			assert.Equal(t, h.count(), 20)
			_, _ = get(t, c)
			assert.Equal(t, h.count(), 21, "the budget is spent")
		})
	}
	bubbleCase(t, "successes earn without retries", func(t *testing.T) {
		h := script(after(200*ms, ok))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.NoRetry())
		const calls = 200
		for range calls {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		// Ten in reserve, a tenth of each success, and one each 10 s, but for the
		// last one, which is not yet whole.
		assert.Equal(t, h.count(), calls+10+20+4-1)
	})
}

// Retries go on around a hedge, which is one of a call.
func TestHedgeAcrossRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(200*ms, status(503)), after(200*ms, status(503)), after(200*ms, status(503)), after(200*ms, ok))
		var r aplomb.Response
		var l journal
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, l.hooks()), 0)
		_, err := get(t, c, aplomb.Capture(&r))
		assert.NoError(t, err)
		assert.Equal(t, r.Attempts, 4)
		assert.Equal(t, h.gaps(), []time.Duration{100 * ms, 200 * ms, 200 * ms})
		var numbers []int
		for _, e := range l.told().attempts {
			numbers = append(numbers, e.Number)
			assert.Equal(t, e.Hedge, e.Number == 2)
		}
		assert.Equal(t, numbers, []int{1, 2, 3, 4})
		assert.Equal(t, l.told().calls[0].Attempts, 4)
	})
}

// The hedge does not use up the attempts of Retry.
func TestHedgeIsNoRetry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(200*ms, status(503)))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}), 0)
		_, err := get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.Equal(t, h.count(), 5)
	})
}

// A retry may be the one that is hedged, and redirects keep the count.
func TestHedgeOncePerCall(t *testing.T) {
	bubbleCase(t, "of a retry", func(t *testing.T) {
		h := script(status(503), after(time.Hour, ok), named("hedge"))
		o, err := get(t, fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}), 0))
		assert.NoError(t, err)
		assert.Equal(t, o.ID, "hedge")
		assert.Equal(t, h.count(), 3)
	})
	for _, door := range []string{"typed", "HTTPClient"} {
		bubbleCase(t, "across redirects, "+door, func(t *testing.T) {
			h := script(after(time.Hour, ok), status(307, "Location", "/y"), after(200*ms, named("there")))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms})
			if door == "typed" {
				o, err := get(t, c)
				assert.NoError(t, err)
				assert.Equal(t, o.ID, "there")
			} else {
				assert.NoError(t, doThrough(context.Background(), c.HTTPClient().Do, "http://api.test/x", [2]string{}))
			}
			assert.Equal(t, h.count(), 3)
			assert.Equal(t, h.request(2).URL.Path, "/y")
		})
	}
}

// While the circuit is not closed nothing is hedged: not even a probe.
func TestHedgeIsNoProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, aplomb.Hedge{After: 100 * ms})
		h.fail(t, 20)
		time.Sleep(2 * time.Second)
		h.set(after(time.Second, ok))
		hits := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.hits
		}
		before := hits()
		assert.NoError(t, h.get())
		assert.Equal(t, hits(), before+1)
		assert.Equal(t, h.last().To, aplomb.BreakerClosed)
		assert.NoError(t, h.get())
		assert.Equal(t, hits(), before+3)
	})
}

// Races lost say nothing of the host: neither breaker nor p95 hear of them.
func TestLaw09_LostRaceDoesNotOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int64
		h := newHost(t, aplomb.Hedge{After: 100 * ms}, aplomb.Retry{Attempts: 1, Budget: 1})
		h.set(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%2 == 1 {
				time.Sleep(time.Hour)
			}
			ok(w, r)
		})
		for range 50 {
			assert.NoError(t, h.get())
		}
		assert.Equal(t, n.Load(), 100)
		assert.Equal(t, len(h.events), 0)
	})
}

// The body of the winner streams on, whichever it is, and ends by its own
// context alone.
func TestHedgeLeavesTheStream(t *testing.T) {
	for name, steps := range map[string][2]time.Duration{"first": {150 * ms, time.Hour}, "hedge": {time.Hour, 10 * ms}} {
		bubbleCase(t, name, func(t *testing.T) {
			stream := func(w http.ResponseWriter, _ *http.Request) {
				for range 5 {
					_, _ = io.WriteString(w, "line\n")
					_ = http.NewResponseController(w).Flush()
					time.Sleep(time.Second)
				}
			}
			h := script(after(steps[0], stream), after(steps[1], stream))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms})
			req, _ := http.NewRequest("GET", "http://api.test/x", nil)
			resp, err := c.Do(req)
			assert.NoError(t, err)
			raw, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.Equal(t, string(raw), strings.Repeat("line\n", 5))
			assert.NoError(t, resp.Body.Close())
			assert.Equal(t, h.count(), 2)
		})
	}
}

// The caller's cancel ends both attempts at once, whatever they are at.
func TestLaw08_CancelEndsBothAttempts(t *testing.T) {
	for _, door := range []string{"typed", "Do"} {
		for _, at := range []time.Duration{0, 50 * ms, 100 * ms, 150 * ms, 250 * ms} {
			bubbleCase(t, fmt.Sprint(door, " ", at), func(t *testing.T) {
				var ended atomic.Int64
				var l journal
				h := script(func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					ended.Add(1)
				})
				c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, l.hooks())
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(at, cancel)
				start := time.Now()
				var err error
				if door == "typed" {
					_, err = aplomb.Get[order](ctx, c, "/x")
				} else {
					err = doThrough(ctx, c.Do, "http://api.test/x", [2]string{})
				}
				assert.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, time.Since(start), at)
				synctest.Wait()
				assert.Equal(t, ended.Load(), int64(h.count()), "requests that the server saw end")
				for _, e := range l.told().attempts {
					assert.Equal(t, e.Verdict.Outcome, aplomb.OutcomeNeutral)
				}
			})
		}
	}
}

// What dies in an attempt of a race dies on the caller's goroutine, with the
// value it died with, when both attempts are over; what they held is given back.
func TestPanicInARace(t *testing.T) {
	for how, death := range map[string]func(){"panic": func() { panic(http.ErrAbortHandler) }, "Goexit": runtime.Goexit} {
		for dying := 1; dying <= 2; dying++ {
			for _, place := range []string{"before", "after"} {
				bubbleCase(t, fmt.Sprint(how, " of ", dying, " ", place), func(t *testing.T) {
					var attempts, under atomic.Int64
					dies := func(next http.RoundTripper) http.RoundTripper {
						return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
							under.Add(1)
							defer under.Add(-1)
							mine := int(attempts.Add(1)) == dying
							if mine && dying == 2 && place == "before" {
								death()
							}
							resp, err := next.RoundTrip(r)
							if mine {
								death()
							}
							return resp, err
						})
					}
					h := script(after(150*ms, ok), after(time.Hour, ok), after(50*ms, ok))
					if dying == 2 {
						h = script(after(time.Hour, ok), after(50*ms, ok))
					}
					c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.PerAttempt(dies), aplomb.Bulkhead{MaxInFlight: 2})
					var value any
					returned := false
					start := time.Now()
					survives(func() {
						defer func() {
							if value = recover(); value != nil {
								panic(value)
							}
						}()
						_, _ = get(t, c)
						returned = true
					})
					assert.True(t, !returned)
					if how == "panic" {
						assert.True(t, value == any(http.ErrAbortHandler), value)
					}
					assert.True(t, time.Since(start) <= 150*ms)
					assert.Equal(t, under.Load(), 0, "attempts that outlived the call")
					for range 2 { // both places of the bulkhead are free
						_, err := aplomb.Get[order](context.Background(), c, "/x", aplomb.NoHedge(), aplomb.Timeout(2*time.Hour))
						assert.NoError(t, err)
					}
				})
			}
		}
	}
}

// The hedge's answer is closed when the first attempt dies of losing.
func TestHedgeIsClosedWhenTheFirstDies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int64
		dies := func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				mine := n.Add(1) == 1
				resp, err := next.RoundTrip(r)
				if mine {
					panic("on error")
				}
				return resp, err
			})
		}
		var closed atomic.Bool
		c := newClient(t, aplombtest.NewServer(t, script(after(time.Hour, ok), ok)), aplomb.Hedge{After: 100 * ms}, aplomb.PerAttempt(dies,
			func(next http.RoundTripper) http.RoundTripper {
				return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(r)
					if err == nil {
						resp.Body = &hookedBody{resp.Body, func() { closed.Store(true) }}
					}
					return resp, err
				})
			}))
		survives(func() { _ = doThrough(context.Background(), c.Do, "http://api.test/x", [2]string{}) })
		assert.True(t, closed.Load())
	})
}

// A circuit that opened since the first attempt was sent is not probed by its
// hedge.
func TestHedgeLeavesTheProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t)
		hits := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.hits
		}
		h.set(after(20*time.Second, ok))
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			_, err := aplomb.Get[order](context.Background(), h.Client, "/x", aplomb.Hedge{After: 10 * time.Second})
			assert.NoError(t, err)
		})
		synctest.Wait()
		h.fail(t, 20)
		h.set(ok)
		before := hits()
		time.Sleep(15 * time.Second)
		assert.Equal(t, hits(), before)
	})
}

// A credential refused on either attempt is renewed once, by the loop around
// the race.
func TestHedgeAndRenewal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rotated atomic.Bool
		var n atomic.Int64
		h := script(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				time.Sleep(200 * ms)
			}
			if r.Header.Get("Authorization") == "Bearer new-key-2" {
				ok(w, r)
				return
			}
			rotated.Store(true)
			w.WriteHeader(401)
		})
		source := aplomb.SecretFunc(func(context.Context) (string, error) {
			if rotated.Load() {
				return "new-key-2", nil
			}
			return "old-key-1", nil
		})
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(source), aplomb.NoRetry(), aplomb.Hedge{After: 100 * ms}))
		assert.NoError(t, err)
		assert.Equal(t, n.Load(), 3)
	})
}

// The time to a hedge is the host's alone: waits and the fetching of a
// credential are not in it.
func TestHedgeTimesTheHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(50*ms, ok))
		source := aplomb.SecretFunc(func(context.Context) (string, error) { time.Sleep(time.Second); return "t", nil })
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 100 * ms}, aplomb.Bearer(source), aplomb.RateLimit{PerSecond: 1})
		for range 2 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 2)
	})
}

// Many at once, for the race detector.
func TestHedgeConcurrently(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int64
		h := script(func(w http.ResponseWriter, r *http.Request) {
			k := n.Add(1)
			time.Sleep(time.Duration(k%7) * 30 * ms)
			if k%5 == 0 {
				status(503)(w, r)
				return
			}
			ok(w, r)
		})
		tag := func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				r.Header.Set("X-Tag", "1") // against the contract, and common
				return next.RoundTrip(r)
			})
		}
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Hedge{After: 60 * ms}, aplomb.Retry{Budget: 1}, aplomb.NoBreaker(),
			aplomb.PerAttempt(tag), aplomb.Bearer(aplomb.Static("token-of-a-test")), aplomb.Bulkhead{MaxInFlight: 20, Adaptive: true})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 20 {
					_, _ = get(t, c)
					_ = doThrough(context.Background(), c.HTTPClient().Do, "http://api.test/x", [2]string{})
				}
			})
		}
		wg.Wait()
	})
}

// Law 14: a client that could hedge, and does not, allocates nothing for it.
func TestLaw14_HedgeIsFreeWhenOff(t *testing.T) {
	bare := allocations(t, 15, aplomb.NoRetry())
	assert.Equal(t, allocations(t, 15, aplomb.NoHedge(), aplomb.NoBulkhead()), bare)
	assert.Equal(t, allocations(t, 15, aplomb.Hedge{}), bare, "while no p95 is known")
}

// A told rate that has room lets a hedge pass, also by a clock that does not
// stand still.
func TestHedgeUnderAToldRate(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	rt := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		if n.Add(1) == 1 {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	c := newClientAt(t, "http://api.test", aplomb.Transport(rt), aplomb.NoRetry(), aplomb.RateLimit{PerSecond: 1000, Burst: 1000})
	_, err := aplomb.Get[struct{}](context.Background(), c, "/x", aplomb.Hedge{After: time.Millisecond}, aplomb.Timeout(2*time.Second))
	assert.NoError(t, err)
	assert.Equal(t, n.Load(), int64(2))
}
