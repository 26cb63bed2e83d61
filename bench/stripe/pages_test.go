package stripe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	stripego "github.com/stripe/stripe-go/v85"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/goals"
	"github.com/aplomb-go/aplomb/stripe"
)

// What a page costs on its way, and what a program does with it, where it is far
// from the server.
const latency, work = 5 * time.Millisecond, 5 * time.Millisecond

// pageWays are the ways to go through so many pages of 100 charges, with nothing in
// between. The last two read the fields that a program names, and no whole charge.
func pageWays(tb testing.TB, pages int) []beside.Way {
	tb.Helper()
	rt := newPaged(pages, 0)
	sc, theirs, client := clients(tb, rt)
	c, err := aplomb.New("https://api.stripe.com", aplomb.Bearer(aplomb.Static(key)), aplomb.Transport(rt))
	if err != nil {
		tb.Fatal(err)
	}
	return []beside.Way{
		{Name: ours, Run: walk(sc, pages, 0)},
		{Name: peer, Run: walkPeer(theirs, pages, 0)},
		{Name: "aplomb-items", Run: func() error {
			n := 0
			by := aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}
			for _, err := range aplomb.Items[plainCharge](context.Background(), c, "/v1/charges", by, aplomb.Query("limit", "100")) {
				if err != nil {
					return err
				}
				n++
			}
			return whole(n, pages)
		}},
		{Name: "hand-loop", Run: func() error { return plainWalk(client, pages) }},
	}
}

// farWays are the ways to go through ten pages that are far away, with work to do on
// each. chain is the way that does nothing with them: no request can be made before
// the one before it is answered.
func farWays(tb testing.TB) (ways []beside.Way, chain beside.Way) {
	tb.Helper()
	const pages = 10
	sc, theirs, _ := clients(tb, newPaged(pages, latency))
	ways = []beside.Way{
		{Name: ours, Run: walk(sc, pages, work, aplomb.Prefetch())}, // what there is to overlap with is the work
		{Name: peer, Run: walkPeer(theirs, pages, work)},
	}
	return ways, beside.Way{Name: "chain-of-cursors", Run: walk(sc, pages, 0)}
}

func walk(sc *stripe.Client, pages int, work time.Duration, opts ...aplomb.CallOption) func() error {
	return func() error {
		n := 0
		for _, err := range sc.Charges.List(context.Background(), stripe.ChargeListParams{Limit: pageSize}, opts...) {
			if err != nil {
				return err
			}
			n = worked(n, work)
		}
		return whole(n, pages)
	}
}

func walkPeer(theirs *stripego.Client, pages int, work time.Duration) func() error {
	return func() error {
		n := 0
		params := &stripego.ChargeListParams{ListParams: stripego.ListParams{Limit: stripego.Int64(pageSize)}}
		for _, err := range theirs.V1Charges.List(context.Background(), params).All(context.Background()) {
			if err != nil {
				return err
			}
			n = worked(n, work)
		}
		return whole(n, pages)
	}
}

// plainWalk is what a program without a library would write.
func plainWalk(client *http.Client, pages int) error {
	n := 0
	query := url.Values{"limit": {"100"}}
	for more := true; more; {
		var page plainPage
		if err := plainDo(client, http.MethodGet, "/v1/charges?"+query.Encode(), "", &page); err != nil {
			return err
		}
		n += len(page.Data)
		more = page.HasMore && len(page.Data) > 0
		if more {
			query.Set("starting_after", page.Data[len(page.Data)-1].ID)
		}
	}
	return whole(n, pages)
}

// worked counts an item, and does a page's work at its end.
func worked(n int, work time.Duration) int {
	if n++; n%pageSize == 0 && work > 0 {
		<-time.After(work)
	}
	return n
}

func whole(n, pages int) error {
	if n != pages*pageSize {
		return fmt.Errorf("%d charges, want %d", n, pages*pageSize)
	}
	return nil
}

// TestPageBudgets: page after page costs a fraction of stripe-go's time, and hardly
// more than the requests themselves, one after the other.
func TestPageBudgets(t *testing.T) {
	within := func(name string, own, other beside.Way) {
		beside.Within(t, goals.Limit(t, "Pages", name, "ns/op", other.Name), own, other, 1)
	}
	near := pageWays(t, 10)
	within("cursor-100x100", near[0], near[1])
	far, chain := farWays(t)
	within("cursor-10x100-5ms", far[0], far[1])
	within("cursor-10x100-5ms", far[0], chain)
}
