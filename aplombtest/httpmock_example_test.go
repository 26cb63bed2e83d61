package aplombtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/aplomb-go/aplomb"
)

type mockedOrder struct {
	ID string `json:"id"`
}

// A stub by hand, with jarcoal/httpmock: a MockTransport of the test's own, given to
// the client. httpmock.Activate would change http.DefaultTransport under every other
// test of the process.
func Example_httpmock() {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://api.acme.example/v1/orders/o_1",
		httpmock.NewJsonResponderOrPanic(200, mockedOrder{ID: "o_1"}))

	c, err := aplomb.New("https://api.acme.example", aplomb.Transport(mock))
	if err != nil {
		fmt.Println(err)
		return
	}
	order, err := aplomb.Get[mockedOrder](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order.ID, err)
	// Output: o_1 <nil>
}

// Answers in turn: the server is busy, then broken off, then well. The count says how
// often it was sent.
func Example_httpmockSequence() {
	busy := httpmock.NewStringResponder(503, "busy")
	broken := httpmock.NewErrorResponder(errors.New("connection reset by peer"))
	well := httpmock.NewStringResponder(200, `{"id":"o_1"}`)

	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://api.acme.example/v1/orders/o_1", busy.Then(broken).Then(well))

	c, err := aplomb.New("https://api.acme.example", aplomb.Transport(mock), aplomb.Retry{MinBackoff: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	order, err := aplomb.Get[mockedOrder](context.Background(), c, "/v1/orders/o_1")
	fmt.Println(order.ID, err)
	fmt.Println(mock.GetCallCountInfo()["GET https://api.acme.example/v1/orders/o_1"], "attempts")
	// Output:
	// o_1 <nil>
	// 3 attempts
}

// An answer that looks at what was sent, and a payment that is not sent twice.
func Example_httpmockRequest() {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("POST", "https://api.acme.example/v1/orders", func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Idempotency-Key") == "" {
			return httpmock.NewStringResponse(502, "bad gateway"), nil
		}
		return httpmock.NewStringResponse(201, `{"id":"o_2"}`), nil
	})

	c, err := aplomb.New("https://api.acme.example", aplomb.Transport(mock))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = aplomb.Post[mockedOrder](context.Background(), c, "/v1/orders", aplomb.JSON(mockedOrder{}))
	var failed *aplomb.APIError
	fmt.Println(errors.As(err, &failed), mock.GetTotalCallCount())
	order, err := aplomb.Post[mockedOrder](context.Background(), c, "/v1/orders", aplomb.JSON(mockedOrder{}), aplomb.IdempotencyKey("order-2"))
	fmt.Println(order.ID, err, mock.GetTotalCallCount())
	// Output:
	// true 1
	// o_2 <nil> 2
}
