// Package storm measures what clients do to a host that is down, and how soon they are
// back when it is: 50 workers with one call after the other, 50 ms apart, in virtual
// time, with all default waits divided by ten, so that an outage of 5 s is one of 50.
// The report has the figures: bench/RESULTS.md.
//
// The clients are those of package internal/peers. Each has its own default waits,
// or those of its documentation's examples, divided by ten, since what is compared is
// how they go about it and not how patient somebody set them:
//
//   - aplomb: New with a tenth of its defaults, and nothing else.
//   - composed: package internal/composed, with gobreaker's own minute for which it
//     is open; composed-1s: with the second that one sets who has read on.
//   - gobreaker: by itself, open for its minute after more than five failures.
//   - failsafe-go, resty-v3: retries of 0.1 to 2 s, and breakers that are open for a
//     minute after five failures.
//   - retryablehttp, azcore, resty-v2: retries, and no breaker.
//   - net-http: neither.
package storm
