package call_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/bench/internal/beside"
	"github.com/aplomb-go/aplomb/bench/internal/canned"
)

const address = canned.Base + canned.Path

// A client is one library, set up over a transport. What it has no way for is
// nil.
type client struct {
	name string
	get  func(ctx context.Context) (canned.Order, error)
	post func(ctx context.Context, d *draft) (canned.Order, error)
	// send posts what is JSON already, and decodes the answer as the others do.
	send func(ctx context.Context, body []byte) (canned.Order, error)
	http *http.Client // of the library: it sends the credential by itself, or signed does
	// signed has the caller put the credential on, where the *http.Client does not.
	signed bool
	total  time.Duration // that the caller gives a call
	fails  bool          // at a 429
}

// clients make each library's client, ours first.
var clients = []func(testing.TB, http.RoundTripper) client{
	ours, bare, byHand, byHandHTTP, retryable, failsafe, restyTwo, restyThree, azure, imroc, gojek,
}

// draft is what is posted. Nearly all of it is text, so that what encoding/json
// takes of every way's time is little.
type draft struct {
	Amount   int    `json:"amount"`
	Currency string `json:"currency"`
	Note     string `json:"note"`
}

// draftOf is one of so many bytes of JSON.
func draftOf(size int) *draft {
	d := &draft{Amount: 2500, Currency: "usd"}
	empty, _ := json.Marshal(d)
	d.Note = strings.Repeat("x", size-len(empty))
	return d
}

// size of what is posted.
const size = 4 << 10

// The cases, each with its ways.

func gets(tb testing.TB) []beside.Way  { return typedGets(tb, false) }
func later(tb testing.TB) []beside.Way { return typedGets(tb, true) }

func typedGets(tb testing.TB, busy bool) []beside.Way {
	tb.Helper()
	return each(tb, func(c client, api *canned.API) func() (canned.Order, error) {
		if c.get == nil || busy && c.fails {
			return nil
		}
		api.Busy = busy
		return func() (canned.Order, error) { return c.get(context.Background()) }
	})
}

func posts(tb testing.TB, size int) []beside.Way {
	tb.Helper()
	d := draftOf(size)
	return each(tb, func(c client, api *canned.API) func() (canned.Order, error) {
		if c.post == nil {
			return nil
		}
		api.Body = int64(size)
		return func() (canned.Order, error) { return c.post(context.Background(), d) }
	})
}

func bytePosts(tb testing.TB, size int) []beside.Way {
	tb.Helper()
	body := marshal(tb, draftOf(size))
	return each(tb, func(c client, api *canned.API) func() (canned.Order, error) {
		if c.send == nil {
			return nil
		}
		api.Body = int64(size)
		return func() (canned.Order, error) { return c.send(context.Background(), body) }
	})
}

func httpGets(tb testing.TB) []beside.Way {
	tb.Helper()
	return each(tb, func(c client, _ *canned.API) func() (canned.Order, error) {
		if c.http == nil {
			return nil
		}
		return func() (canned.Order, error) { return c.do(context.Background(), http.MethodGet, nil) }
	})
}

func httpPosts(tb testing.TB, size int) []beside.Way {
	tb.Helper()
	body := marshal(tb, draftOf(size))
	return each(tb, func(c client, api *canned.API) func() (canned.Order, error) {
		if c.http == nil {
			return nil
		}
		api.Body = int64(size)
		return func() (canned.Order, error) { return c.do(context.Background(), http.MethodPost, body) }
	})
}

// each has way say how each client does it, nil where it has none, and checks
// what comes of it.
func each(tb testing.TB, way func(client, *canned.API) func() (canned.Order, error)) []beside.Way {
	tb.Helper()
	var ways []beside.Way
	for _, made := range clients {
		api := &canned.API{}
		c := made(tb, api)
		call := way(c, api)
		if call == nil {
			continue
		}
		ways = append(ways, beside.Way{Name: c.name, Run: func() error { return canned.Check(call()) }})
	}
	return ways
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// over has the typed calls made by hand, over the *http.Client.
func (c client) over() client {
	c.get = func(ctx context.Context) (canned.Order, error) { return c.do(ctx, http.MethodGet, nil) }
	c.send = func(ctx context.Context, body []byte) (canned.Order, error) { return c.do(ctx, http.MethodPost, body) }
	return c.encoding()
}

// encoding has what is posted encoded by hand.
func (c client) encoding() client {
	c.post = func(ctx context.Context, d *draft) (canned.Order, error) {
		body, err := json.Marshal(d)
		if err != nil {
			return canned.Order{}, err
		}
		return c.send(ctx, body)
	}
	return c
}

// do uses the library as an *http.Client.
func (c *client) do(ctx context.Context, method string, body []byte) (canned.Order, error) {
	if c.total > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.total)
		defer cancel()
	}
	req, err := newRequest(ctx, method, body)
	if err != nil {
		return canned.Order{}, err
	}
	if c.signed {
		canned.Sign(req.Header)
	}
	return canned.Read(c.http.Do(req))
}

// newRequest is net/http's way to make one.
func newRequest(ctx context.Context, method string, body []byte) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, address, http.NoBody)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}
