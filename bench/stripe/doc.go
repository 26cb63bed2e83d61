// Package stripe measures aplomb/stripe side by side with stripe-go and with
// plain net/http, in the same run, so that what is held are ratios and not the
// machine: what a call costs and what a list of many pages does. The folder cost
// measures what a program that creates one customer weighs, and what it takes to
// build it. The report has the figures: bench/RESULTS.md.
//
//   - aplomb: New of aplomb/stripe with a static key. The rate that it keeps to for
//     Stripe is off, for here nobody has to be spared; all other policies are on.
//     Where pages are far away it has Prefetch, since there is work to overlap with.
//   - stripe-go: NewClient with NewBackendsWithConfig, which repeats twice, as it does
//     by default; nothing is logged.
//   - net-http, hand-loop: http.Client and encoding/json, into a struct of the seven
//     fields that a program names. It repeats nothing.
//   - aplomb-items: New of aplomb with Bearer, and Items with ByCursor, into the same
//     struct.
package stripe
