package aplomb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// bubble runs f under virtual time, in parallel with other tests.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// newClient makes a client of the server, closed with the test.
func newClient(t *testing.T, s *aplombtest.Server, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	return newClientAt(t, s.URL, append([]aplomb.Option{aplomb.Name("test"), aplomb.Transport(s.Transport())}, opts...)...)
}

func newClientAt(t *testing.T, url string, opts ...aplomb.Option) *aplomb.Client {
	t.Helper()
	c, err := aplomb.New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// api is a handler that answers the n-th request with the n-th step, the last
// one for ever, and remembers what it was sent.
type api struct {
	mu    sync.Mutex
	steps []http.HandlerFunc
	seen  []*http.Request
	at    []time.Time
}

func script(steps ...http.HandlerFunc) *api { return &api{steps: steps} }

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	step := a.steps[min(len(a.seen), len(a.steps)-1)]
	a.seen = append(a.seen, r)
	a.at = append(a.at, time.Now())
	a.mu.Unlock()
	step(w, r)
}

func (a *api) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// request is the i-th request seen.
func (a *api) request(i int) *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[i]
}

// gaps are the times between requests.
func (a *api) gaps() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(a.at); i++ {
		gaps = append(gaps, a.at[i].Sub(a.at[i-1]))
	}
	return gaps
}

// status answers with a code and headers, and a JSON error body from 400 on.
func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		if code < 400 {
			w.WriteHeader(code)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"scripted %d"}}`, code)
	}
}

// body answers 200 with a JSON body.
func body(v any, headers ...string) http.HandlerFunc {
	raw, err := json.Marshal(v)
	if s, ok := v.(string); ok {
		raw, err = []byte(s), nil
	}
	if err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		_, _ = w.Write(raw)
	}
}

// fault is an aplombtest fault as a step.
func fault(f aplombtest.Fault) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		aplombtest.NewScript(body(`{"id":"late"}`), f).ServeHTTP(w, r)
	}
}

type order struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}

var ok = body(order{ID: "o_1", Amount: 25})

func get(t *testing.T, c *aplomb.Client, opts ...aplomb.CallOption) (order, error) {
	t.Helper()
	return aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", append(opts, aplomb.Path("id", "o_1"))...)
}

func post(t *testing.T, c *aplomb.Client, opts ...aplomb.CallOption) (order, error) {
	t.Helper()
	return aplomb.Post[order](context.Background(), c, "/v1/orders", append(opts, aplomb.JSON(order{Amount: 25}))...)
}

// synctestRun is bubble for a test that must not run in parallel.
func synctestRun(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// bubbleCase is a bubble as a subtest.
func bubbleCase(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { bubble(t, f) })
}

// slowly answers after 41 ms, so that the lines have a time to show.
func slowly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { time.Sleep(41 * time.Millisecond); h(w, r) }
}

// allocations is what a request costs through the behaviours, over runs of them.
func allocations(t *testing.T, runs int, opts ...aplomb.Option) float64 {
	t.Helper()
	next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	rt, err := aplomb.Wrap(next, opts...)
	assert.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.test/", http.NoBody)
	assert.NoError(t, err)
	runtime.GC()
	return testing.AllocsPerRun(runs, func() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	})
}
