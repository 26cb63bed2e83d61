// Command aplomb gets one order with aplomb. Without an address it does nothing.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aplomb-go/aplomb"
)

type order struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}

func main() {
	if len(os.Args) < 2 {
		return
	}
	o, err := get(context.Background(), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(o.ID, o.Amount)
}

func get(ctx context.Context, base string) (order, error) {
	c, err := aplomb.New(base, aplomb.Bearer(aplomb.Env("ACME_TOKEN")))
	if err != nil {
		return order{}, err
	}
	return aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
}
