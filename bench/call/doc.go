// Package call measures what a call costs beside a bare http.Client, beside a
// stack made by hand and beside other libraries: the client's own work, without
// a socket. Each way gets the same answers, and checks what it got.
//
// The cases are a GET, and a POST of 4 KiB of JSON, both decoded into a struct (GET,
// POST); the POST of what is JSON already, since to encode a struct takes as long as
// all else (POST-bytes); GET and POST through the *http.Client that a library gives, for who has an
// SDK (GET-http, POST-http); and a GET that is answered by one 429, whose wait is
// none or the shortest there is, and then by 200 (429).
//
// Each is set up as its own documentation has it for this job: retries, a breaker
// where it has one, a bearer token, no log. In detail:
//
//   - aplomb: New with Bearer, and nothing else: retries with a budget, a breaker
//     per host, the gate of the server's quota, timeouts, bounded bodies.
//   - net-http: http.Client, the header set by hand, encoding/json. It repeats
//     nothing, so that it has no way past a 429.
//   - composed: package internal/composed, whose caller gives each call 60 s;
//     composed-http is its *http.Client.
//   - retryablehttp: NewClient, the header set by hand. Retries alone: no breaker,
//     no rate. Its *http.Client keeps a body in memory.
//   - failsafe-go: failsafehttp.NewRoundTripper with NewRetryPolicyBuilder, which
//     repeats twice, around a breaker that opens when half of 20 fail in 10 s; the
//     header set by hand, decoded by hand.
//   - resty-v2: SetRetryCount(3), a condition for failures and 429, SetAuthToken,
//     SetResult. It reads no Retry-After, so it waits for 1 ns. No breaker.
//   - resty-v3: SetRetryCount(3) with its conditions for 429 and 5xx,
//     NewCircuitBreakerRatio(0.5, 20, 1 s), SetAuthToken, SetResult.
//   - azcore: NewPipeline with the default retries and NewBearerTokenPolicy. It
//     takes Retry-After: 0 for a word missing, so RetryDelay is 1 ns. No breaker.
//   - req-v3: SetCommonRetryCount(3), a condition for failures and 429,
//     SetCommonBearerAuthToken, SetSuccessResult. It reads no Retry-After, so it
//     waits for no time. No breaker.
//   - heimdall-v7: hystrix.NewClient with a retrier of three, as in its README, a
//     breaker at 50 % of 20, timeouts of 30 s, the header set by hand, decoded by
//     hand. It does not repeat a 429.
//
// Set up so, none but aplomb learns a quota, has a budget for retries or bounds
// what it reads. resty, azcore, req and heimdall give no *http.Client that has
// their retries.
package call
