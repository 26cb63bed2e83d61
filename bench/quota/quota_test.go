package quota_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/peers"
)

const workers = 32

// situation is what the server says, how far away it is, and how long the workers
// work.
type situation struct {
	name    string
	headers bool
	way     time.Duration // see bucket
	seconds int
	without []string // who is left out
}

// Where each refusal is all that is learned, and costs the second that it asks for,
// 8 s are few. Near the server one worker by itself is faster than the quota; further
// away it is not, so that workers which are refused at different times are soon one
// after the other, and use it by chance.
var situations = []situation{
	{"headers-8s", true, time.Millisecond, 8, nil},
	{"Retry-After-8s", false, time.Millisecond, 8, nil},
	{"Retry-After-30s", false, time.Millisecond, 30, storming},
	{"near-headers-8s", true, 50 * time.Microsecond, 8, storming},
	{"near-Retry-After-8s", false, 50 * time.Microsecond, 8, storming},
}

// storming are those who ask again at once, which is known from the first lines.
var storming = []string{"net-http"}

// alike are those whose breaker alone tells them from another: here none opens.
var alike = []string{"gobreaker", "composed-1s"}

func TestFiguresQuota(t *testing.T) {
	beside.Asked(t)
	told := peers.Setting{PerSecond: perSecond, Burst: burst}
	for _, s := range situations {
		for _, p := range peers.All {
			if !slices.Contains(alike, p.Name) && !slices.Contains(s.without, p.Name) {
				s.measure(t, p, peers.Setting{})
			}
		}
		for _, p := range peers.All {
			if p.Limits && !slices.Contains(alike, p.Name) {
				p.Name += "-told"
				s.measure(t, p, told)
			}
		}
	}
}

// measure has the workers ask.
func (s *situation) measure(t *testing.T, p peers.Peer, set peers.Setting) {
	t.Helper()
	var b *bucket
	synctest.Test(t, func(t *testing.T) {
		b = newBucket(s.headers, s.way)
		server := aplombtest.NewServer(t, b)
		set.URL, set.Transport = server.URL, server.Transport()
		call, err := p.New(set)
		if err != nil {
			t.Fatal(err)
		}
		work(t, call, time.Duration(s.seconds)*time.Second)
	})
	good, refused := b.use(1, s.seconds)
	_, all := b.use(0, s.seconds)
	beside.Print(fmt.Sprintf("Quota/%s/%s", s.name, p.Name),
		beside.Figure{Value: 100 * float64(good) / float64(perSecond*(s.seconds-1)), Unit: "used-%"},
		beside.Figure{Value: 100 * float64(refused) / float64(max(1, good+refused)), Unit: "refused-%"},
		beside.Figure{Value: float64(all), Unit: "429s"})
}

// work has each worker make one call after the other. A call that fails costs its
// worker a moment, or one that fails at once would keep time from going on.
func work(t *testing.T, call peers.Call, last time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), last)
	defer cancel()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				if call(ctx) != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	group.Wait()
}
