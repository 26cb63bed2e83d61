// Package pages measures going through a list of 100 pages of 100 items that are
// linked as GitHub links them, in the same run, so that what is held are ratios and
// not the machine. bench/stripe measures Stripe's cursors likewise. The report has
// the figures: bench/RESULTS.md.
//
// All of them read the same seven fields of an item over the same transport, which
// has no socket:
//
//   - aplomb: New with Bearer, and Items with ByLink{}, all policies on.
//   - hand-loop: the loop that a careful person writes, with http.Client,
//     encoding/json and the Link header taken apart by hand. It repeats nothing.
//   - go-github: NewClient with WithAuthToken, and NewRequest and Do with a page of a
//     type of one's own, as its own issues have many fields more. It looks at
//     X-RateLimit headers, as it does by default, and repeats nothing.
package pages
