// Package cost measures what a program costs that creates one customer: the folders
// base, aplomb and stripego are the same program with net/http alone, with
// aplomb/stripe and with stripe-go. The report has the figures: bench/RESULTS.md.
package cost
