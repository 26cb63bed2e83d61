// Package aplomb calls HTTP APIs and keeps its composure when they do not:
// when they throttle, hang, lose the answer to a charge they made, rotate keys,
// or answer 200 with a login page.
//
// A [Client] is one *http.Client with a stack of behaviours inside:
//
//	c, err := aplomb.New("https://api.acme.example", aplomb.Bearer(aplomb.Env("ACME_TOKEN")))
//	...
//	order, err := aplomb.Get[Order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", id))
//
// That is already safe for production: [New] without options has timeouts, retries
// that never send an unsafe request twice, a circuit breaker per host, pacing by
// the server's rate-limit headers, bounded bodies and errors without secrets.
// Options change it ([Option] lists them all).
//
// # Two doors
//
// Typed calls, [Get], [Post], [Call] and the iterators [Items], [Pages] and
// [Follow], decode the answer and return an [*APIError] for a status that is not
// a success. [Client.Do], [Client.HTTPClient] and [Client.Transport] keep
// net/http's contract, in which any answer is a response and a nil error; they
// put the same stack under an official SDK, whose own retries are switched off
// lest attempts multiply, or a generated client (docs/sdks.md has a line for each):
//
//	sc := stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
//		HTTPClient: c.HTTPClient(), MaxNetworkRetries: stripe.Int64(0),
//	})))
//	gql := genqlient.NewClient(endpoint, c)
//
// # The stack
//
//	call     Hooks.CallStart ... CallDone
//	         total deadline
//	         PerCall middlewares
//	         idempotency key (minted once)
//	         retry + budget ------------------------------------------+
//	         hedge: one more attempt beside a slow one                |
//	attempt    breaker check (fail fast, before any queue)            |
//	           bulkhead (a place among the requests in flight)        |
//	           quota gates and told rate, one queue                   |  every wait: ctx-aware,
//	           breaker admit (probe lease)                            |  never past the deadline,
//	           PerAttempt middlewares                                 |  an event while it waits
//	           auth: attach, signers last, only to allowed origins    |
//	           header and idle timeouts (once the credential is there)|
//	           base transport                                         |
//	           auth hears of the answer: nonce, clock, next secret    |
//	           verdict: judged, sealed, then log and hooks -----------+
//	           bulkhead's place given up, at the end of the body
//
// Each attempt gets one [Verdict], read alike by retry, budget, breaker, gate,
// log and hooks; a [Judge] refines it where an API has its own signs.
// [Wrap] mounts any of the behaviours alone, around any RoundTripper. Package cache
// is a [PerCall] middleware: an answer that is kept takes nothing of a quota.
//
// # Credentials
//
// [Bearer], [APIKey], [Basic] and the like take a [SecretSource]: [Env], [File],
// [SecretFunc] for a secrets manager, and [Rotation] while a key is being changed.
// [Tokens] keeps what has to be fetched and ends; package oauth makes it for each
// flow of OAuth 2.0. [JWT] and [Digest] are made here, and [Sign] takes the
// signatures of package signature: HMAC, AWS, RFC 9421.
//
// A call is sent again once where its credential has become another: its secret
// was refused by a 401 and there is a next one, what signed it went by a clock
// that is off (400, 401 or 403; see [ServerTime]), or its scheme has learned a
// nonce. For other answers that blame the request nothing is repeated.
//
// # Deadlines
//
// A typed call has 60 s unless its context has a deadline or [Timeout] says
// otherwise; [Client.Do] has none of its own. Where it is known that a wait
// would outlast the deadline, the wait is not begun: a told rate or a quota
// refuses with [ErrRateLimited] and the time it would be ready; a backoff or a
// Retry-After gives back the last answer; a hedge is left out. A circuit that is
// open refuses whatever the deadline. A bulkhead's queue, whose pace is not
// known, is waited in until then. What is in flight is cancelled, and counts
// against the host only if it had its usual time ([Breaker]).
//
// # Errors
//
// An [*APIError] is the server's word, a [*CallError] ours: no connection, no
// time, an open circuit, a quota that would not free up in time. A [*DecodeError]
// is an answer that is not what was asked for. Each prints as one line that
// holds no secret and ends with what to try next.
//
// # Events
//
// Package webhook takes in what APIs deliver, package poll reads what they list, and
// package inbox keeps what either brings until it was handled, each event once.
//
// # Large answers
//
// [Stream] ranges over an answer's items as they come, with one of them in memory:
// JSON Lines, an array within a document, CSV, server-sent events. [Items] does that
// for a list of pages. Package cache keeps answers and asks whether they still hold.
//
// Package transfer downloads what is large although connections break and processes
// die, and streams uploads so that a retry sends the same.
//
// # Laws
//
// Each has tests named after its number.
//
//  1. No request is sent twice unless it is safe, keyed, or provably unsent. A
//     body is replayed byte for byte or not at all.
//  2. One logical call has one idempotency key, on every attempt, hedge and
//     redirect.
//  3. No wait outlives the context's deadline: what cannot be met is refused at
//     once, with the time it would be ready.
//  4. A credential goes only to its allowed origins (scheme, host, effective
//     port), decided in the transport at every hop. An https credential never
//     travels over http. The caller's own headers and body do not cross origins
//     on a redirect either.
//  5. No secret is ever printed. Redaction is by allow-list.
//  6. Every error is one safe line that names operation, status, the server's own
//     message, request id, attempts, time, and the next step.
//  7. Everything is bounded: bodies, headers, redirects, waits, keys in maps,
//     pages of a loop.
//  8. The caller's request is never mutated, every body is closed on every path,
//     no goroutine is left behind.
//  9. A breaker's probe has a lease. 429 and the caller's own cancel do not open
//     the breaker, nor does a deadline shorter than the host usually takes.
//  10. Shared state may fail: a store that is down slows no call beyond its small
//     timeout and fails none by itself.
//  11. What was acknowledged is never lost.
//  12. The same event by webhook and by poll takes effect once.
//  13. An iterator yields an error once and ends; a repeated cursor is an error;
//     break leaves nothing running; a list that is silently truncated is an error.
//  14. A behaviour that is off costs nothing; the success path of retry allocates
//     nothing.
package aplomb
