package stripe_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	stripego "github.com/stripe/stripe-go/v85"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/stripe"
)

const pageCount = 10

// What a page costs on its way, and what a program does with it, where it is far
// from the server.
const latency, work = 5 * time.Millisecond, 5 * time.Millisecond

// pageWays are the ways to go through ten pages of 100 charges. chain is the way that
// does nothing with them: no request can be made before the one before it is answered.
func pageWays(tb testing.TB, latency, work time.Duration) (ways []beside.Way, chain beside.Way) {
	tb.Helper()
	sc, theirs, _ := clients(tb, newPaged(pageCount, latency))
	walk := func(work time.Duration, prefetch ...aplomb.CallOption) func() error {
		return func() error {
			n := 0
			for _, err := range sc.Charges.List(context.Background(), stripe.ChargeListParams{Limit: pageSize}, prefetch...) {
				if err != nil {
					return err
				}
				n = worked(n, work)
			}
			return whole(n)
		}
	}
	var ahead []aplomb.CallOption // what there is to overlap with is the work
	if work > 0 {
		ahead = append(ahead, aplomb.Prefetch())
	}
	ways = []beside.Way{
		{Name: ours, Run: walk(work, ahead...)},
		{Name: peer, Run: func() error {
			n := 0
			params := &stripego.ChargeListParams{ListParams: stripego.ListParams{Limit: stripego.Int64(pageSize)}}
			for _, err := range theirs.V1Charges.List(context.Background(), params).All(context.Background()) {
				if err != nil {
					return err
				}
				n = worked(n, work)
			}
			return whole(n)
		}},
	}
	return ways, beside.Way{Name: "the chain of cursors", Run: walk(0)}
}

// worked counts an item, and does a page's work at its end.
func worked(n int, work time.Duration) int {
	if n++; n%pageSize == 0 && work > 0 {
		<-time.After(work)
	}
	return n
}

func whole(n int) error {
	if n != pageCount*pageSize {
		return fmt.Errorf("%d charges, want %d", n, pageCount*pageSize)
	}
	return nil
}

// TestPageBudgets: page after page costs a fraction of stripe-go's time, and hardly
// more than the requests themselves, one after the other.
func TestPageBudgets(t *testing.T) {
	near, _ := pageWays(t, 0, 0)
	beside.Within(t, 1/4.5, near[0], near[1], 1)
	far, chain := pageWays(t, latency, work)
	beside.Within(t, 1/2.1, far[0], far[1], 1)
	beside.Within(t, 1.25, far[0], chain, 1)
}
