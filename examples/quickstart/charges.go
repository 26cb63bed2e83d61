package main

import (
	"context"
	"slices"

	"github.com/aplomb-go/aplomb/stripe"
)

// charges reads a customer's charges, ten to a page, in one range loop.
func (t *tour) charges(ctx context.Context) error {
	var want []string
	before := 0
	if t.shop != nil {
		t.customer = t.shop.SeedCustomer("bob@example.com")
		want = t.shop.SeedCharges(t.customer, 23)
		slices.Reverse(want) // lists are newest first
		before = t.shop.Effects().Requests
	}
	var got []string
	for charge, err := range t.stripe.Charges.List(ctx, stripe.ChargeListParams{Customer: t.customer, Limit: 10}) {
		if err != nil {
			return err
		}
		got = append(got, charge.ID)
	}
	duplicates := len(got) - len(slices.Compact(slices.Sorted(slices.Values(got))))
	if t.shop == nil {
		t.sayf("charges: %s", count(len(got), "item", "items"))
		t.report.state("charges_listed", len(got))
		t.report.promise("duplicates", duplicates, 0)
		return nil
	}
	pages := t.shop.Effects().Requests - before
	order := "in order"
	if !slices.Equal(got, want) {
		order = "OUT OF ORDER"
	}
	t.sayf("charges: %s over %s, %s, none twice", count(len(got), "item", "items"), count(pages, "page", "pages"), order)
	t.report.promise("charges_listed", len(got), len(want))
	t.report.promise("pages_read", pages, 3)
	t.report.promise("duplicates", duplicates, 0)
	return nil
}
