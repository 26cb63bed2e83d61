// Package stripe measures aplomb/stripe side by side with stripe-go and with
// plain net/http, in the same run, so that what is held are ratios and not the
// machine: what a call costs, what a program that creates one customer weighs,
// and what it takes to build it. RESULTS.md has the figures; `make bench-stripe`
// writes it.
package stripe
