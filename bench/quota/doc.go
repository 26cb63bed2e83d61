// Package quota measures how much of a quota a client uses that nobody told it of,
// and how often it is refused: a token bucket of 200 a second with a burst of 10, and
// 32 workers that ask as fast as they are let, in virtual time. Some clients are told
// the quota as well. The report has the figures: bench/RESULTS.md.
//
// The clients are those of package internal/peers, with their defaults, or what their
// documentation's examples have where there is no default:
//
//   - aplomb: New and nothing else; told by RateLimit.
//   - composed: package internal/composed, told by x/time/rate.
//   - retryablehttp, azcore: NewClient and NewPipeline with their own retries, which
//     obey Retry-After. They cannot be told.
//   - failsafe-go: its HTTP retry policy with 0.1 to 2 s, as in its examples, a
//     breaker, and told by its smooth limiter.
//   - resty-v2: three retries of 0.1 to 2 s; it looks at no Retry-After by itself, and
//     its limiter refuses in place of waiting, so that it repeats that as well.
//   - resty-v3: three retries by its own conditions; told by its token bucket.
//   - net-http: repeats nothing, and is left out after the first situations, which show
//     that its workers ask again at once.
//
// Every round has random numbers of its own: the times on the way are drawn anew.
package quota
