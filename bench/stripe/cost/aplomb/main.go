// Command aplomb creates one customer with aplomb/stripe.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/stripe"
)

func main() {
	c, err := create(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.ID)
}

func create(ctx context.Context) (*stripe.Customer, error) {
	sc, err := stripe.New(aplomb.Env("STRIPE_SECRET_KEY"))
	if err != nil {
		return nil, err
	}
	return sc.Customers.Create(ctx, stripe.CustomerCreateParams{Email: "ada@example.com", Name: "Ada"})
}
