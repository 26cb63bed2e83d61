// Package crowd has many callers call at the same time.
package crowd

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Result is what came of it.
type Result struct {
	Took      time.Duration // until the last call was done
	Processor time.Duration // of all processors, that the process had meanwhile
	Latencies []time.Duration
}

// Run makes so many calls by so many callers, each of which makes its next when
// its last is done. do gets the caller's number and the call's. The first error
// ends it.
func Run(callers, calls int, do func(caller, call int) error) (Result, error) {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	var (
		next  atomic.Int64
		group sync.WaitGroup
	)
	took := make([]time.Duration, calls)
	began, used := time.Now(), processor()
	for caller := range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= calls {
					return
				}
				from := time.Now()
				if err := do(caller, n); err != nil {
					stop(err)
					return
				}
				took[n] = time.Since(from)
			}
		})
	}
	group.Wait()
	return Result{Took: time.Since(began), Processor: processor() - used, Latencies: took}, context.Cause(ctx)
}

// processor is the time that the process has had of all processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PerSecond is how many calls were done in a second.
func (r Result) PerSecond() float64 { return float64(len(r.Latencies)) / r.Took.Seconds() }

// PerCall is the processor time of one call. It is less at the mercy of what else a
// machine does than the time that passes.
func (r Result) PerCall() time.Duration { return r.Processor / time.Duration(len(r.Latencies)) }

// P99 is what 99 of 100 calls took at most.
func (r Result) P99() time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Latencies))
	return sorted[(len(sorted)*99+99)/100-1]
}
