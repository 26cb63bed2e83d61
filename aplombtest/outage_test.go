package aplombtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestOutageOfABareClient counts to the request what an hour's outage does to
// four workers that call once a second and have only a timeout.
func TestOutageOfABareClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, jsonAPI)
		client := srv.Client()
		client.Timeout = 10 * time.Second
		start := time.Now()
		report := aplombtest.Outage{Workers: 4}.Run(t, func(ctx context.Context) error { return bareGet(ctx, client, srv.URL) }, srv)
		assert.Equal(t, time.Since(start), 70*time.Minute)

		for name, want := range map[string]struct {
			requests, handled, uses, failed int
			longest                         time.Duration
		}{
			"healthy":     {2400, 2400, 2400, 0, 0},
			"refused":     {0, 0, 2400, 2400, 0},
			"silent":      {0, 0, 240, 240, 10 * time.Second}, // each call waits for its timeout
			"resetting":   {2400, 0, 2400, 2400, 0},
			"unavailable": {2400, 0, 2400, 2400, 0},
			"recovering":  {2400, 300, 2400, 2100, 0},
		} {
			p := report.Phase(name)
			assert.Equal(t, []any{p.Requests, p.Handled, p.Uses, p.Failed, p.Longest},
				[]any{want.requests, want.handled, want.uses, want.failed, want.longest}, name)
		}
		assert.Equal(t, report.Phase("refused").Dials, 2400)
		degraded := report.Phase("degraded") // 503 and reset are 30%, but net/http itself repeats some of the latter
		assert.True(t, degraded.Failed > degraded.Uses/5 && degraded.Failed < degraded.Uses*3/10, degraded)
		assert.Equal(t, degraded.Longest, 2*time.Second)
		assert.Equal(t, report.During().For, time.Hour)
		assert.Equal(t, report.Back, 0)
		assert.Equal(t, report.Rush, 4, "each worker once")
	})
}

// TestOutageOfAClient has the same workers use a client with every default. What
// bounds it is the breaker's longest open time, 1.5 s less a fifth.
func TestOutageOfAClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, jsonAPI)
		client := newClient(t, srv)
		report := aplombtest.Outage{Workers: 4}.Run(t, func(ctx context.Context) error { return call(ctx, client) }, srv)

		assert.Equal(t, report.Phases[0].Failed, 0)
		last := report.Phases[len(report.Phases)-1]
		assert.True(t, last.Handled >= 1000 && last.Failed == 0, "the quota's pace is soon forgotten:", last)
		degraded := report.Phase("degraded")
		assert.True(t, degraded.Failed <= degraded.Uses/50, "where a bare client loses more than a fifth:", degraded)
		const probes, before = int(10 * time.Minute / (1200 * time.Millisecond)), 20 + 4 // attempts until it opens
		for _, name := range []string{"refused", "silent", "resetting", "unavailable"} {
			p := report.Phase(name)
			reached := max(p.Dials, p.Requests)
			assert.True(t, reached > 0 && reached <= probes+before, name, reached)
		}
		recovering := report.Phase("recovering")
		assert.True(t, recovering.Handled >= 290, "the quota is used:", recovering)
		assert.True(t, recovering.Requests-recovering.Handled <= 100, "with few refusals:", recovering)
		assert.True(t, report.Back <= 11*time.Second, "when the quota's last window of 10 s is over:", report.Back)
		assert.True(t, report.Rush <= 4, report.Rush)
	})
}

// TestOutageEndsWithinAProbe: however long it was, the first call comes through
// one open time (1.5 s and a fifth) and one call's turn after its end.
func TestOutageEndsWithinAProbe(t *testing.T) {
	t.Parallel()
	for name, phase := range map[string]aplombtest.Phase{
		"refused":   {Trouble: aplombtest.DialRefused},
		"not found": {Trouble: aplombtest.DNSNotFound, Fault: aplombtest.Reset()},
		"resetting": {Fault: aplombtest.Reset()},
		"failing":   {Fault: aplombtest.Status(500)},
	} {
		for _, d := range []time.Duration{time.Minute, 15 * time.Minute} {
			t.Run(fmt.Sprint(name, " ", d), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := aplombtest.NewServer(t, jsonAPI)
					client := newClient(t, srv)
					broken := phase
					broken.For = d
					report := aplombtest.Outage{Workers: 4, Phases: []aplombtest.Phase{{For: time.Minute}, broken, {For: time.Minute}}}.
						Run(t, func(ctx context.Context) error { return call(ctx, client) }, srv)
					assert.True(t, report.Back <= 1800*time.Millisecond+250*time.Millisecond, report)
					assert.True(t, report.Rush <= 4, report)
				})
			})
		}
	}
}

func newClient(t *testing.T, srv *aplombtest.Server) *aplomb.Client {
	t.Helper()
	c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	return c
}

func call(ctx context.Context, c *aplomb.Client) error {
	_, err := aplomb.Get[map[string]int](ctx, c, "/v1/stock", aplomb.Timeout(10*time.Second))
	return err
}

// TestOutageIsExact has one call every 10 s: what happens at the instant in which
// a phase ends belongs to the next.
func TestOutageIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, hello)
		transport := srv.Transport()
		transport.DisableKeepAlives = true
		client := &http.Client{Transport: transport}
		report := aplombtest.Outage{
			Every: 10 * time.Second,
			Phases: []aplombtest.Phase{
				{Name: "a", For: time.Minute},
				{Name: "left out"},
				{Name: "b", For: time.Minute, Fault: aplombtest.Status(503)},
				{Name: "c", For: 25 * time.Second, Trouble: aplombtest.DNSHangs}, // 10 s each
				{Name: "a", For: 30 * time.Second},
			},
		}.Run(t, func(ctx context.Context) error { return bareGet(ctx, client, srv.URL) }, srv)
		assert.Equal(t, report.String(), ""+
			"  phase   for  dials  requests  handled  uses  failed  longest\n"+
			"      a  1m0s      6         6        6     6       0       0s\n"+
			"      b  1m0s      6         6        0     6       6       0s\n"+
			"      c   25s      3         0        0     3       3      10s\n"+
			"      a   30s      3         3        3     3       0       0s\n"+
			"back after 5s; 0 requests in the first second; 0 uses unfinished")
		during := report.During()
		assert.Equal(t, []int{during.Dials, during.Requests, during.Handled, during.Uses, during.Failed}, []int{9, 6, 0, 9, 9})
		assert.Equal(t, during.Longest, 10*time.Second)
		assert.Equal(t, report.Phase("a").For, 90*time.Second)
		assert.Equal(t, report.Phase("none").Uses, 0)

		_, body := get(t, client, srv.URL)
		assert.Equal(t, body, "hello", "it is over")
		assert.Equal(t, report.Phase("a").Requests, 9, "and counts no more")
	})
}

// TestOutageSpreadsItsWorkers: four that begin a use every 4 s, one of which takes
// 6, are one each second but for those that are late.
func TestOutageSpreadsItsWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, jsonAPI)
		start := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		aplombtest.Outage{Workers: 4, Every: 4 * time.Second, Phases: []aplombtest.Phase{{For: 10*time.Second - 1}}}.Run(t, func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if len(at) == 2 {
				mu.Unlock()
				time.Sleep(6 * time.Second)
				mu.Lock()
			}
			return nil
		}, srv)
		for i := range at {
			at[i] /= time.Second
		}
		assert.Equal(t, at, []time.Duration{0, 1, 2, 3, 4, 6, 7, 7, 8})
	})
}

// TestOutageOfAWholeProgram: it runs until its context is done, at the end.
func TestOutageOfAWholeProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := aplombtest.NewNetwork(t)
		a, b := network.Serve("https://a.test", hello), network.Serve("http://b.test", hello)
		transport := network.Transport()
		transport.DisableKeepAlives = true
		client := &http.Client{Transport: transport, Timeout: time.Second}
		start, runs := time.Now(), 0
		failed := map[string]int{}
		report := aplombtest.Outage{Phases: []aplombtest.Phase{
			{For: time.Minute}, {For: time.Minute, Trouble: aplombtest.TLSExpired}, {For: time.Minute, Trouble: aplombtest.DialRefused},
		}}.Run(t, func(ctx context.Context) error {
			runs++
			for tick := time.NewTicker(7 * time.Second); ; {
				for _, s := range []*aplombtest.Server{a, b} {
					if bareGet(ctx, client, s.URL) != nil {
						failed[s.URL]++
					}
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					tick.Stop()
					return ctx.Err()
				}
			}
		}, a, b)
		assert.Equal(t, time.Since(start), 3*time.Minute)
		assert.Equal(t, runs, 1)
		assert.Equal(t, report.Unfinished, 1)
		assert.Equal(t, failed, map[string]int{"https://a.test": 17, "http://b.test": 8}, "an expired certificate is nothing to http")
		assert.Equal(t, report.Back, math.MaxInt64, "never")
		assert.Contains(t, report.String(), "back after never")
	})
}

// TestOutageResetsConnections: those that are open when a phase of refusals
// begins, in the midst of an answer.
func TestOutageResetsConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(hello).Always(aplombtest.StallBody(2, time.Hour)))
		var first error
		aplombtest.Outage{Phases: []aplombtest.Phase{{For: time.Minute}, {For: time.Minute, Trouble: aplombtest.DialRefused}}}.
			Run(t, func(ctx context.Context) error {
				start := time.Now()
				err := bareGet(ctx, srv.Client(), srv.URL)
				if first == nil {
					first = err
					assert.Equal(t, time.Since(start), time.Minute)
				}
				return err
			}, srv)
		assert.ErrorIs(t, first, syscall.ECONNRESET)
	})
}

func TestOutageLogsItsReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spy := &seedSpy{TB: t, failed: true}
		srv := aplombtest.NewServer(t, hello)
		report := aplombtest.Outage{Phases: []aplombtest.Phase{{For: time.Minute}}}.
			Run(spy, func(ctx context.Context) error { return bareGet(ctx, srv.Client(), srv.URL) }, srv)
		spy.end()
		assert.Equal(t, spy.text.String(), "aplombtest: the outage:\n"+report.String()+"\n")
	})
}

func TestOutageNeedsABubble(t *testing.T) {
	t.Parallel()
	assert.Contains(t, fatal(t, func(tb testing.TB) {
		aplombtest.Outage{}.Run(tb, func(context.Context) error { return nil })
	}), "outside a bubble")
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(hello).Always(aplombtest.Throttle(2, 10*time.Second)))
		ask := func() string {
			res, _ := get(t, srv.Client(), srv.URL)
			return fmt.Sprint(res.StatusCode, res.Header.Get("Retry-After"))
		}
		time.Sleep(time.Hour)
		assert.Equal(t, []string{ask(), ask(), ask()}, []string{"200", "200", "42910"}, "the first window begins with the first request")
		time.Sleep(8500 * time.Millisecond)
		assert.Equal(t, ask(), "4292", "1.5 s are 2")
		time.Sleep(1500*time.Millisecond - 1)
		assert.Equal(t, ask(), "4291")
		time.Sleep(time.Nanosecond)
		assert.Equal(t, ask(), "200")
		time.Sleep(25 * time.Second)
		assert.Equal(t, []string{ask(), ask(), ask()}, []string{"200", "200", "4295"}, "half a window is over")
	})
}

var jsonAPI = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"mugs":7}`)
})

// bareGet is what a program does without a library.
func bareGet(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	_, err = io.ReadAll(res.Body)
	return err
}
