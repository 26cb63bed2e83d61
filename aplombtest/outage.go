package aplombtest

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Outage takes a whole program through the bad hour of an API, in the
// milliseconds of a [testing/synctest] bubble, and says how it went. The zero
// value is the standard hour:
//
//	 5 min  healthy
//	10 min  degraded     of the requests, 20% get a 503, 10% a reset, 20% an answer 2 s late
//	10 min  refused      dials are refused, connections are reset
//	10 min  silent       dials hang, requests are taken and not answered
//	10 min  resetting    every request is reset
//	10 min  unavailable  503 with Retry-After: 5
//	10 min  recovering   5 requests in 10 s are let through, the others get a 429 with Retry-After
//	 5 min  healthy
//
// It needs a server, and what the program does:
//
//	synctest.Test(t, func(t *testing.T) {
//		srv := aplombtest.NewServer(t, api)
//		client := newClient(srv.URL, srv.Transport())
//		report := aplombtest.Outage{}.Run(t, func(ctx context.Context) error { return client.Sync(ctx) }, srv)
//		if report.Back > 2*time.Second || report.Rush > 10 {
//			t.Error(report)
//		}
//	})
type Outage struct {
	// Phases are what happens, in order. Default: the standard hour above.
	Phases []Phase
	// Seed is what the standard hour draws its shares from; see [Random].
	Seed uint64
	// Workers is how many goroutines use the program at once; their starts are
	// spread over Every. Default 1.
	Workers int
	// Every is how long after the start of one use a worker begins the next, at
	// the earliest; a use that takes longer is followed at once. Default 1 s.
	Every time.Duration
}

// Phase is a part of an [Outage].
type Phase struct {
	// Name is what the report calls it.
	Name string
	// For is how long it lasts. A phase that does not last is left out.
	For time.Duration
	// Trouble is what dials meet. Default: none.
	Trouble Trouble
	// Fault is what each request meets; for a mix, or for a share only, see
	// [Random]. What it has begun, such as a stall, outlives the phase. Default:
	// [Pass].
	Fault Fault
}

// broken says whether anything is wrong in p.
func (p Phase) broken() bool { return p.Trouble != 0 || p.Fault.serve != nil }

// standardHour is the one that the comment of Outage tells of.
func standardHour(seed uint64) []Phase {
	return []Phase{
		{Name: "healthy", For: 5 * time.Minute},
		{Name: "degraded", For: 10 * time.Minute, Fault: Random(seed,
			Odds{0.2, Status(http.StatusServiceUnavailable)}, Odds{0.1, Reset()}, Odds{0.2, LateResponse(2 * time.Second)})},
		{Name: "refused", For: 10 * time.Minute, Trouble: DialRefused, Fault: Reset()},
		{Name: "silent", For: 10 * time.Minute, Trouble: DialHangs, Fault: Stall(0)},
		{Name: "resetting", For: 10 * time.Minute, Fault: Reset()},
		{Name: "unavailable", For: 10 * time.Minute, Fault: Status(http.StatusServiceUnavailable, "Retry-After", "5")},
		{Name: "recovering", For: 10 * time.Minute, Fault: Throttle(5, 10*time.Second)},
		{Name: "healthy", For: 5 * time.Minute},
	}
}

// Run uses the program while servers go through the phases together, and
// returns when the last phase is over and every use has returned. A worker calls
// use again and again: that may be one call of the program, or the whole of it,
// which runs until its context is done. The context is done at the end of the last
// phase; a use that it cuts off counts as neither good nor failed.
//
// Run must be called in a bubble, where the servers have been made; elsewhere it
// would take its hour, so it ends the test. If the test fails, the report is
// logged.
func (o Outage) Run(tb testing.TB, use func(ctx context.Context) error, servers ...*Server) OutageReport {
	tb.Helper()
	if !inBubble() {
		tb.Fatalf("aplombtest: Outage.Run outside a bubble of testing/synctest would take as long as it says")
	}
	if len(servers) == 0 {
		tb.Fatalf("aplombtest: Outage.Run without servers: give those that go through it")
	}
	p := newPassage(o)
	attach := func(p *passage) {
		for _, s := range servers {
			s.outage.Store(p)
		}
	}
	attach(p)
	defer attach(nil)
	ctx, cancel := context.WithDeadline(tb.Context(), p.end())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { p.resetConns(ctx, servers) })
	workers, every := max(1, o.Workers), o.Every
	if every <= 0 {
		every = time.Second
	}
	for i := range workers {
		wg.Go(func() {
			if sleep(ctx, every*time.Duration(i)/time.Duration(workers)) {
				p.work(ctx, every, use)
			}
		})
	}
	wg.Wait()
	report := p.result()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("aplombtest: the outage:\n%v", report)
		}
	})
	return report
}
