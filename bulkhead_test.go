package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
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

// busy counts the requests that a handler works on at once.
type busy struct{ now, most atomic.Int64 }

func (b *busy) in(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.most.Store(max(b.most.Load(), b.now.Add(1))) // good enough in a bubble whose handlers sleep
		defer b.now.Add(-1)
		h(w, r)
	}
}

// Never more than the bound are in flight; the others wait, in order.
func TestBulkheadBounds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b busy
		var l journal
		h := script(b.in(after(100*ms, ok)))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bulkhead{MaxInFlight: 3, Queue: 9}, l.hooks())
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		ended := map[int]time.Duration{}
		for i := range 12 {
			wg.Go(func() {
				_, err := get(t, c)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				ended[i] = time.Since(start)
			})
			synctest.Wait() // in this order
		}
		wg.Wait()
		assert.Equal(t, b.most.Load(), 3)
		for i := range 12 {
			assert.Equal(t, ended[i], time.Duration(i/3+1)*100*ms, "caller", i)
		}
		assert.Equal(t, len(l.told().waits), 9)
		for i, e := range l.told().waits {
			assert.Equal(t, e.Cause, aplomb.WaitBulkhead)
			assert.Equal(t, e.Duration, time.Duration(i/3+1)*100*ms)
		}
	})
}

// One more than the queue holds is refused at once, one that waited for MaxWait
// then, and neither is sent, retried or counted against the host.
func TestBulkheadRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l journal
		h := script(after(10*time.Second, ok))
		s := aplombtest.NewServer(t, h)
		c := newClient(t, s, aplomb.Bulkhead{MaxInFlight: 2, Queue: 1}, l.hooks())
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 2 {
			wg.Go(func() { _, err := get(t, c); assert.NoError(t, err) })
			synctest.Wait()
		}
		wg.Go(func() {
			start := time.Now()
			_, err := get(t, c)
			assert.Equal(t, time.Since(start), time.Second)
			assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
			assert.Equal(t, err.Error(), "test: GET /v1/orders/{id}: bulkhead full for "+s.URL+": no place within 1s, 2 in flight and 0 waiting (not sent, 1s). "+
				"Hint: call less at once, or raise Bulkhead's MaxInFlight, Queue or MaxWait; a response body that Do returned keeps its place until it is closed")
		})
		synctest.Wait()
		_, err := get(t, c)
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
		assert.Contains(t, err.Error(), "bulkhead full for "+s.URL+": 2 in flight and 1 waiting (not sent, 0s)")
		assert.Equal(t, l.told().calls[0].Result, aplomb.ResultBulkheadFull)
		assert.Equal(t, l.told().calls[0].Attempts, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		time.Sleep(time.Second)
		_, err = aplomb.Get[order](ctx, c, "/x")
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
		assert.Equal(t, h.count(), 2)
	})
}

// A wait does not outlive the deadline, and a caller's cancel is no full
// bulkhead.
func TestLaw03_BulkheadWaitEndsWithTheCall(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 300*ms)
		},
		"cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(300*ms, cancel)
			return ctx, cancel
		},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			var l journal
			c := newClient(t, aplombtest.NewServer(t, script(after(time.Second, ok))), aplomb.Bulkhead{MaxInFlight: 1}, l.hooks())
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() { _, _ = get(t, c) })
			synctest.Wait()
			ctx, cancel := end(context.Background())
			defer cancel()
			start := time.Now()
			_, err := aplomb.Get[order](ctx, c, "/x")
			assert.Equal(t, time.Since(start), 300*ms)
			assert.ErrorIs(t, err, ctx.Err())
			assert.Equal(t, errors.Is(err, aplomb.ErrBulkheadFull), name == "deadline")
			want := map[string]aplomb.Result{"deadline": aplomb.ResultBulkheadFull, "cancel": aplomb.ResultCanceled}
			assert.Equal(t, l.told().calls[0].Result, want[name])
		})
	}
}

// Who leaves the queue costs the others nothing: neither a place nor their turn.
func TestBulkheadCancelledWaiters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(100*ms, ok))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bulkhead{MaxInFlight: 1, Queue: 5})
		start := time.Now()
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		var mu sync.Mutex
		ended := make([]time.Duration, 6)
		for i := range 6 {
			wg.Go(func() {
				own := context.Background()
				if i%2 == 1 {
					own = ctx
				}
				_, err := aplomb.Get[order](own, c, "/x")
				assert.Equal(t, err != nil, i%2 == 1, "caller", i)
				mu.Lock()
				defer mu.Unlock()
				ended[i] = time.Since(start)
			})
			synctest.Wait()
		}
		time.Sleep(50 * ms)
		cancel()
		wg.Wait()
		assert.Equal(t, ended, []time.Duration{100 * ms, 50 * ms, 200 * ms, 50 * ms, 300 * ms, 50 * ms})
		assert.Equal(t, h.count(), 3)
	})
}

// A turn that comes at the moment its waiter gives up is not lost.
func TestBulkheadTurnAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(after(time.Second, ok))), aplomb.Bulkhead{MaxInFlight: 1, MaxWait: time.Second})
		for range 50 {
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() { _, _ = get(t, c) })
			}
			wg.Wait()
			_, err := get(t, c)
			assert.NoError(t, err)
		}
	})
}

// A place is held until the body is closed or read to its end, by whatever
// reads it, and given up once, on every path.
func TestBulkheadPlaceIsGivenUp(t *testing.T) {
	do := func(t *testing.T, c *aplomb.Client) *http.Response {
		t.Helper()
		req, _ := http.NewRequest("GET", "http://api.test/x", nil)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		return resp
	}
	through := func(place func(...aplomb.Middleware) aplomb.Option, f func(next http.RoundTripper, r *http.Request) (*http.Response, error)) aplomb.Option {
		return place(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) { return f(next, r) })
		})
	}
	die := func() { panic("user's code") }
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		opts []aplomb.Option
		step http.HandlerFunc
		use  func(*testing.T, *aplomb.Client)
	}{
		"closed":       {nil, ok, func(t *testing.T, c *aplomb.Client) { _ = do(t, c).Body.Close() }},
		"closed twice": {nil, ok, func(t *testing.T, c *aplomb.Client) { b := do(t, c).Body; _ = b.Close(); _ = b.Close() }},
		"read to EOF": {nil, ok, func(t *testing.T, c *aplomb.Client) {
			_, _ = io.ReadAll(do(t, c).Body)
			assert.Equal(t, aplomb.InFlight(c), 0, "at once")
		}},
		"broken body": {nil, fault(aplombtest.TruncatedBody(5)), func(t *testing.T, c *aplomb.Client) { _, _ = io.ReadAll(do(t, c).Body) }},
		"context's end": {nil, ok, func(t *testing.T, c *aplomb.Client) {
			ctx, cancel := context.WithCancel(context.Background())
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/x", nil)
			_, err := c.Do(req) //nolint:bodyclose // it is forgotten
			assert.NoError(t, err)
			cancel()
			synctest.Wait()
		}},
		"typed":     {nil, ok, func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c) }},
		"typed 404": {nil, status(404), func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c) }},
		"typed 101": {nil, hijack(t, upgraded, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }),
			func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c) }},
		"lost": {nil, fault(aplombtest.LostResponse()), func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c) }},
		"no credential": {[]aplomb.Option{aplomb.Bearer(aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("x") }))},
			ok, func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c) }},
		"rate refused": {[]aplomb.Option{aplomb.RateLimit{PerSecond: 0.001}}, ok, func(t *testing.T, c *aplomb.Client) {
			for range 3 {
				_, _ = get(t, c, aplomb.Timeout(time.Second))
			}
			time.Sleep(2 * time.Hour)
		}},
		"cancelled before": {nil, ok, func(_ *testing.T, c *aplomb.Client) { _, _ = aplomb.Get[order](cancelled, c, "/x") }},
		"timed out":        {nil, after(time.Minute, ok), func(t *testing.T, c *aplomb.Client) { _, _ = get(t, c, aplomb.Timeout(time.Second)) }},
		"PerAttempt dies": {[]aplomb.Option{through(aplomb.PerAttempt, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				defer func() { _ = resp.Body.Close() }()
			}
			die()
			return resp, err
		})}, ok, func(t *testing.T, c *aplomb.Client) { survives(func() { do(t, c) }) }},
		"hook dies": {[]aplomb.Option{aplomb.Hooks{AttemptDone: func(context.Context, aplomb.AttemptEvent) { die() }}}, ok,
			func(t *testing.T, c *aplomb.Client) { survives(func() { do(t, c) }) }},
		"judge dies": {[]aplomb.Option{aplomb.Judge(func(*aplomb.Attempt) aplomb.Verdict { die(); return aplomb.Verdict{} })}, ok,
			func(t *testing.T, c *aplomb.Client) { survives(func() { do(t, c) }) }},
		"PerCall replaces the answer": {[]aplomb.Option{through(aplomb.PerCall, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			_ = resp.Body.Close()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		})}, ok, func(t *testing.T, c *aplomb.Client) { _ = do(t, c).Body.Close() }},
		"PerCall sends again": {[]aplomb.Option{through(aplomb.PerCall, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if resp, err := next.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
			}
			return next.RoundTrip(r)
		})}, ok, func(t *testing.T, c *aplomb.Client) { _ = do(t, c).Body.Close() }},
		"redirected": {nil, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/y" {
				ok(w, r)
				return
			}
			status(307, "Location", "/y")(w, r)
		}, func(t *testing.T, c *aplomb.Client) { _ = do(t, c).Body.Close() }},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			c := newClient(t, aplombtest.NewServer(t, script(tt.step)), append([]aplomb.Option{aplomb.NoRetry(), aplomb.NoBreaker(),
				aplomb.Bulkhead{MaxInFlight: 1, MaxWait: ms}}, tt.opts...)...)
			for range 3 {
				tt.use(t, c)
			}
			synctest.Wait()
			assert.Equal(t, aplomb.InFlight(c), 0)
		})
	}
}

// A hook that dies takes no place with it, whether the turn had come or not.
func TestBulkheadOutlivesItsHooks(t *testing.T) {
	for name, hooks := range map[string]func(die func()) aplomb.Hooks{
		"WaitStart": func(die func()) aplomb.Hooks {
			return aplomb.Hooks{WaitStart: func(context.Context, aplomb.WaitEvent) { die() }}
		},
		"WaitDone": func(die func()) aplomb.Hooks {
			return aplomb.Hooks{WaitDone: func(context.Context, aplomb.WaitEvent) { die() }}
		},
	} {
		for how, death := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
			bubbleCase(t, name+" "+how, func(t *testing.T) {
				c := newClient(t, aplombtest.NewServer(t, script(after(100*ms, ok))), aplomb.Bulkhead{MaxInFlight: 1}, hooks(death))
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() { survives(func() { _, _ = get(t, c) }) })
					synctest.Wait()
				}
				wg.Wait()
				assert.Equal(t, aplomb.InFlight(c), 0)
				_, err := get(t, c)
				assert.NoError(t, err)
			})
		}
	}
}

// An upgraded connection keeps its place while it is open, and can be written to.
func TestBulkheadUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, hijack(t, upgraded, func(conn net.Conn) { _, _ = io.Copy(conn, conn) }))
		c := newClient(t, s, aplomb.Bulkhead{MaxInFlight: 1})
		conn := upgrade(t, c, s.URL)
		_, err := get(t, c)
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
		assert.NoError(t, conn.Close())
	})
}

// A backoff holds no place, and a retry queues again.
func TestBulkheadUnderRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b busy
		h := script(b.in(after(100*ms, status(503))), b.in(after(100*ms, ok)))
		c := fixedJitter(newClient(t, aplombtest.NewServer(t, h), aplomb.Bulkhead{MaxInFlight: 1}), 1)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := get(t, c)
			assert.NoError(t, err)
			assert.Equal(t, time.Since(start), 400*ms) // 100, backoff of 200, 100
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := get(t, c)
			assert.NoError(t, err)
			assert.Equal(t, time.Since(start), 200*ms, "during the other's backoff")
		})
		wg.Wait()
		assert.Equal(t, b.most.Load(), 1)
	})
}

// An open circuit is told of before any queue, and a place that comes up is
// held while its holder waits for a quota.
func TestBulkheadInTheStack(t *testing.T) {
	bubbleCase(t, "after the breaker", func(t *testing.T) {
		h := newHost(t, aplomb.Bulkhead{MaxInFlight: 1})
		h.fail(t, 20)
		assert.ErrorIs(t, h.get(), aplomb.ErrCircuitOpen)
	})
	bubbleCase(t, "before the limiter", func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(ok)), aplomb.Bulkhead{MaxInFlight: 1}, aplomb.RateLimit{PerSecond: 0.1})
		_, err := get(t, c)
		assert.NoError(t, err)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { _, _ = get(t, c) })
		synctest.Wait()
		_, err = get(t, c)
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
	})
}

// One host's calls do not queue behind another's, nor behind another key's.
func TestBulkheadPerHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := aplombtest.NewServer(t, script(after(10*time.Second, ok)))
		c := newClient(t, slow, aplomb.Bulkhead{MaxInFlight: 1, Key: func(r *http.Request) string { return r.URL.Path[:2] }})
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { _, _ = aplomb.Get[order](context.Background(), c, "/a") })
		synctest.Wait()
		_, err := aplomb.Get[order](context.Background(), c, "/a2")
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
		assert.Contains(t, err.Error(), "bulkhead full for /a")
		_, err = aplomb.Get[order](context.Background(), c, "/b")
		assert.NoError(t, err)
	})
}

// With shares the bulkhead and what is known of latencies, unless it names the
// struct.
func TestBulkheadWith(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(after(10*time.Second, ok))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bulkhead{MaxInFlight: 1})
		sibling, err := c.With(aplomb.Header("X", "1"))
		assert.NoError(t, err)
		apart, err := c.With(aplomb.Bulkhead{MaxInFlight: 1})
		assert.NoError(t, err)
		off, err := c.With(aplomb.NoBulkhead())
		assert.NoError(t, err)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { _, _ = get(t, c) })
		synctest.Wait()
		_, err = get(t, sibling)
		assert.ErrorIs(t, err, aplomb.ErrBulkheadFull)
		for _, free := range []*aplomb.Client{apart, off} {
			_, err = get(t, free)
			assert.NoError(t, err)
		}
	})
	bubbleCase(t, "latencies", func(t *testing.T) {
		var n atomic.Int64
		h := script(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 21 {
				time.Sleep(time.Second)
			}
			after(10*ms, ok)(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, h)) // a breaker is enough to record
		for range 20 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		hedged, err := c.With(aplomb.Hedge{})
		assert.NoError(t, err)
		_, err = get(t, hedged)
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 22)
	})
}

// server is one with so many workers, each busy for a while with each request,
// and a FIFO queue before them.
type server struct {
	mu     sync.Mutex
	free   []time.Time   // when each worker is
	work   time.Duration // give or take 30 %
	random *rand.Rand
	served int
	took   []time.Duration
}

func newServer(workers int, work time.Duration) *server {
	return &server{free: make([]time.Time, workers), work: work, random: rand.New(rand.NewPCG(5, 6))}
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := time.Now()
	slices.SortFunc(s.free, time.Time.Compare)
	at := s.free[0]
	if at.Before(now) {
		at = now
	}
	s.free[0] = at.Add(time.Duration((0.7 + 0.6*s.random.Float64()) * float64(s.work)))
	done := s.free[0]
	s.mu.Unlock()
	time.Sleep(time.Until(done))
	s.mu.Lock()
	s.served++
	s.took = append(s.took, time.Since(now))
	s.mu.Unlock()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// count is how many were served since the last count, and within what time 95 %
// of them.
func (s *server) count() (served int, p95 time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.took)
	if len(s.took) > 0 {
		p95 = s.took[len(s.took)*95/100]
	}
	served = s.served
	s.served, s.took = 0, nil
	return served, p95
}

func (s *server) slow(work time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = work
}

// load runs so many callers against c until stop.
func load(t *testing.T, c *aplomb.Client, path string, callers int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := aplomb.Get[order](ctx, c, path)
				if code := aplomb.StatusCode(err); err != nil && code != 503 && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// The adaptive bound finds how many requests the server works on at once: it
// keeps the server busy, and nearly nobody waits there. It follows the server
// when that slows down, and back.
func TestBulkheadAdapts(t *testing.T) {
	for _, workers := range []int{10, 30} {
		bubbleCase(t, fmt.Sprint(workers, " workers"), func(t *testing.T) {
			const work = 200 * ms
			s := newServer(workers, work)
			c := newClientAt(t, "http://api.test", aplomb.Transport(s), aplomb.NoRetry(), aplomb.Bulkhead{Adaptive: true, Queue: 100, MaxWait: time.Minute})
			defer load(t, c, "/x", 100)()
			phase := func(settle time.Duration, work time.Duration) (bound int, throughput, latency float64) {
				time.Sleep(settle)
				s.count()
				const window = 10 * time.Second
				time.Sleep(window)
				served, p95 := s.count()
				bound = aplomb.BulkheadBound(c)
				throughput = float64(served) / (float64(window) / float64(work) * float64(workers))
				latency = float64(p95) / float64(work)
				t.Logf("bound %d, throughput %.3f, p95 %.2f times the work", bound, throughput, latency)
				return bound, throughput, latency
			}
			healthy, throughput, latency := phase(8*time.Second, work)
			assert.True(t, throughput >= 0.9 && latency <= 2.2)
			s.slow(5 * work)
			slowed, _, _ := phase(30*time.Second, 5*work)
			assert.True(t, slowed >= workers/3 && slowed <= workers && slowed < healthy, slowed, "when it slowed down, from", healthy)
			s.slow(work)
			_, throughput, latency = phase(20*time.Second, work)
			assert.True(t, throughput >= 0.9 && latency <= 2.2)
			if workers > 10 {
				return
			}
			// Minutes on the bound is what it was: without probes of the base it would
			// have drifted far away.
			_, throughput, latency = phase(6*time.Minute, work)
			assert.True(t, throughput >= 0.9 && latency <= 2.2)
			// A server that stays slow is as good as it gets, after two minutes.
			s.slow(5 * work)
			_, throughput, latency = phase(4*time.Minute, 5*work)
			assert.True(t, throughput >= 0.9 && latency <= 2.2)
		})
	}
}

// serverless is a transport without a server: it answers each request as f says,
// after the time f says.
func serverless(f func(*http.Request) (int, time.Duration)) aplomb.Option {
	return aplomb.Transport(aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		code, took := f(r)
		timer := time.NewTimer(took)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
	}))
}

// A healthy host whose answers take very different times is none that is full.
func TestBulkheadBearsNoise(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(3, 4))
		c := newClientAt(t, "http://api.test", aplomb.NoRetry(), aplomb.Bulkhead{Adaptive: true, Queue: 100, MaxWait: time.Minute},
			serverless(func(r *http.Request) (int, time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				took := 60 * float64(ms) * math.Exp(random.NormFloat64())
				if r.URL.Path == "/slow" {
					took *= 50
				}
				return 200, time.Duration(took)
			}))
		defer load(t, c, "/x", 20)()
		defer load(t, c, "/slow", 20)()
		time.Sleep(40 * time.Second)
		const looks = 120
		least, sum := 64, 0
		for range looks {
			time.Sleep(time.Second)
			least, sum = min(least, aplomb.BulkheadBound(c)), sum+aplomb.BulkheadBound(c)
		}
		t.Log("the bound was at least", least, "and", sum/looks, "on average")
		assert.True(t, least >= 3 && sum/looks >= 12, least, sum/looks)
	})
}

// Faults make the bound shrink, and so do calls whose callers gave up on a host
// that hangs; it grows back when they end.
func TestBulkheadShrinksOnFaults(t *testing.T) {
	for name, bad := range map[string]struct {
		code int
		took time.Duration
	}{"503": {503, 200 * ms}, "hanging": {200, time.Hour}} {
		bubbleCase(t, name, func(t *testing.T) {
			var ill atomic.Bool
			c := newClientAt(t, "http://api.test", aplomb.NoRetry(), aplomb.NoBreaker(), aplomb.Timeout(time.Second),
				aplomb.Bulkhead{Adaptive: true, MaxInFlight: 20, Queue: 100, MaxWait: time.Minute},
				serverless(func(*http.Request) (int, time.Duration) {
					if ill.Load() {
						return bad.code, bad.took
					}
					return 200, 200 * ms
				}))
			defer load(t, c, "/x", 20)()
			time.Sleep(20 * time.Second)
			assert.Equal(t, aplomb.BulkheadBound(c), 20)
			ill.Store(true)
			time.Sleep(20 * time.Second)
			assert.True(t, aplomb.BulkheadBound(c) <= 4, aplomb.BulkheadBound(c))
			ill.Store(false)
			time.Sleep(40 * time.Second)
			assert.True(t, aplomb.BulkheadBound(c) >= 10, aplomb.BulkheadBound(c))
		})
	}
}

// A host that is asked little keeps its bound where it is: what was never
// reached is no reason to grow.
func TestBulkheadGrowsOnDemand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClientAt(t, "http://api.test", aplomb.Bulkhead{Adaptive: true},
			serverless(func(*http.Request) (int, time.Duration) { return 200, 50 * ms }))
		assert.Equal(t, aplomb.BulkheadBound(c), 4)
		stop := load(t, c, "/x", 3)
		time.Sleep(time.Minute)
		stop()
		assert.Equal(t, aplomb.BulkheadBound(c), 4)
	})
}
