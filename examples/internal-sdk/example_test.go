package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/aplomb-go/aplomb"
)

func Example() {
	srv := httptest.NewServer(&orderAPI{byKey: map[string]Order{}}) // stands in for https://orders.acme.example
	defer srv.Close()
	ctx := context.Background()

	c, err := New(srv.URL, aplomb.Static("t0ken")) // or aplomb.Env("ACME_TOKEN")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"o-1", "o-2", "o-3"} {
		if _, err := c.CreateOrder(ctx, Order{ID: id, SKU: "mug", Quantity: 2}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for order, err := range c.Orders(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(order.ID, order.Status)
	}
	_, err = c.Order(ctx, "o-9")
	if e, ok := errors.AsType[*Error](err); ok {
		fmt.Println(e.Code, "in request", e.RequestID)
	}
	// Output:
	// o-1 placed
	// o-2 placed
	// o-3 placed
	// order_unknown in request acme-6
}
