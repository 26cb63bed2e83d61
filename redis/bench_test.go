package redis_test

import (
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	aplombredis "github.com/aplomb-go/aplomb/redis"
)

// BenchmarkTake is one place after another, with the median and the 99th
// percentile of the round trips.
func BenchmarkTake(b *testing.B) {
	s := aplombredis.Store{Client: startServer(b).client()}
	claim := aplomb.Claim{PerSecond: 1e6, Burst: 1000, MaxWait: time.Second}
	var spent []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := s.Take(b.Context(), "k", claim); err != nil {
			b.Fatal(err)
		}
		spent = append(spent, time.Since(began))
	}
	report(b, spent)
}

// report says what half of the round trips and 99 in 100 took at most.
func report(b *testing.B, spent []time.Duration) {
	b.Helper()
	slices.Sort(spent)
	b.ReportMetric(float64(spent[len(spent)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(spent[len(spent)*99/100].Microseconds()), "p99-us")
}

// BenchmarkInboxInsert is 64 writers of new events of 1 KiB, each synced.
func BenchmarkInboxInsert(b *testing.B) {
	s := &aplombredis.Inbox{Client: startDurable(b).client()}
	body := make([]byte, 1<<10)
	var next atomic.Int64
	var mu sync.Mutex
	var spent []time.Duration
	b.SetParallelism(64 / min(64, runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			e := event(strconv.FormatInt(next.Add(1), 10))
			e.Body = body
			began := time.Now()
			if _, err := s.Insert(b.Context(), e); err != nil {
				b.Error(err)
			}
			mine = append(mine, time.Since(began))
		}
		mu.Lock()
		defer mu.Unlock()
		spent = append(spent, mine...)
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	report(b, spent)
}

// BenchmarkInboxHandle claims 16 events and settles each, of one Order of 100 or of
// none.
func BenchmarkInboxHandle(b *testing.B) {
	for name, orders := range map[string]int{"none": 0, "orders": 100} {
		b.Run(name, func(b *testing.B) {
			s := &aplombredis.Inbox{Client: startDurable(b).client()}
			for i := range b.N {
				e := event(strconv.Itoa(i))
				if orders > 0 {
					e.Order = strconv.Itoa(i % orders)
				}
				mustInsert(b, s, e)
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				records := mustClaim(b, s, 16)
				settleAll(b, s, records, inbox.StateDone)
				n += len(records)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
