package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/aplomb-go/aplomb"
)

// One request in many is slow. The hedge is sent after a tenth of a second here;
// without After it would be sent after the operation's p95.
func ExampleHedge() {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			<-r.Context().Done() // lost somewhere
			return
		}
		_, _ = io.WriteString(w, `{"id":"o_1","amount":25}`)
	}))
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Hedge{After: 100 * time.Millisecond})
	var r aplomb.Response
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/o_1", aplomb.Capture(&r))
	fmt.Println(o.ID, r.Attempts, err)
	// Output: o_1 2 <nil>
}

func ExampleNoHedge() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Hedge{})
	// A report that takes minutes is not worth asking for twice.
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/o_1", aplomb.NoHedge())
	fmt.Println(o.ID, err)
	// Output: o_1 <nil>
}

// Two slow downloads are under way, and there is no room for a third.
func ExampleBulkhead() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "data")
	}))
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Name("files"), aplomb.Bulkhead{MaxInFlight: 2, MaxWait: time.Millisecond})
	for range 2 {
		req, _ := http.NewRequest(http.MethodGet, "/download", http.NoBody)
		resp, err := c.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = resp.Body.Close() }() // gives the place up
	}
	_, err := aplomb.Get[[]byte](context.Background(), c, "/download")
	fmt.Println(errors.Is(err, aplomb.ErrBulkheadFull))
	// Output: true
}

// The bound follows what the host can do.
func ExampleBulkhead_adaptive() {
	server := orders()
	defer server.Close()
	c, err := aplomb.New(server.URL, aplomb.Bulkhead{MaxInFlight: 200, Adaptive: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/o_1")
	fmt.Println(o.ID, err)
	// Output: o_1 <nil>
}

func ExampleNoBulkhead() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Bulkhead{})
	free, err := c.With(aplomb.NoBulkhead()) // for a health check, which must not queue
	if err != nil {
		fmt.Println(err)
		return
	}
	o, err := aplomb.Get[order](context.Background(), free, "/v1/orders/o_1")
	fmt.Println(o.ID, err)
	// Output: o_1 <nil>
}
