// Command stripego creates one customer with stripe-go.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/stripe/stripe-go/v85"
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
	sc := stripe.NewClient(os.Getenv("STRIPE_SECRET_KEY"))
	return sc.V1Customers.Create(ctx, &stripe.CustomerCreateParams{
		Email: stripe.String("ada@example.com"), Name: stripe.String("Ada"),
	})
}
