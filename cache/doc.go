// Package cache keeps what an API has answered, for as long as it says, and asks
// whether that still holds instead of asking for all of it again (RFC 9111).
//
// A dashboard read forty repositories every minute. Nothing in them changed, and
// each reading cost forty of the five thousand requests that the API allowed in an
// hour, until at noon there were none left and the dashboard was empty. Every
// answer had come with an ETag, and the API counts no request that sends it back
// and is told 304. Then somebody kept the answers in a map, and for a week one
// customer saw another one's invoices.
//
//	answers, err := cache.New(cache.NewMemory(64<<20), cache.Settings{})
//	c, err := aplomb.New("https://api.github.com",
//		aplomb.Bearer(aplomb.Env("GITHUB_TOKEN")),
//		aplomb.PerCall(answers.Middleware))
//
// # What is promised
//
//   - A private cache by RFC 9111: what is fresh is answered without a request, what
//     is stale is validated by ETag and Last-Modified, Vary keeps answers apart, and
//     a request that may change something makes what is kept of its address
//     forgotten, whatever it was answered. stale-while-revalidate and stale-if-error
//     work (RFC 5861).
//   - The answers of two credentials are never mixed. A [Cache] is for the credential
//     of the client, or the transport, that used it first. Requests with another one
//     go past it unless it is said for whom they are (see Tenants). What a request's own
//     headers carry, an SDK's Authorization, a Cookie, baggage, a tenant's name or a
//     version of the API, keeps answers apart by itself.
//   - Nothing that carries a secret is stored: no request, no address, no answer with
//     a Set-Cookie or another header that hands out a secret, by its name or in its
//     value, no answer to an address with a secret in it, and nothing that Cache-Control forbids. A body is what
//     the server allowed to keep: one with a secret in it says no-store, or its
//     caller does.
//   - The caller gets a body as it comes. It is kept along the way, up to
//     [Settings.MaxEntry], and only if it was read to an end that can be told from
//     a cut.
//   - Equal requests at the same time are one request. Who waits for another's answer
//     goes on by itself where that is not to be shared, its reader went away, or it
//     does not begin within 30 s.
//   - A store that fails, hangs, or is full or slow, fails no call and slows none by
//     more than 250 ms, however often it is asked; it is then left alone for a second,
//     or until it is back.
//
// # Tenants
//
// A client of [aplomb.Client.With] for each tenant has [Cache.For] in its
// [aplomb.PerCall], and shares what is kept for that tenant however often it is made.
// A request that has its tenant's credential from an [aplomb.NewContext] or from the
// call itself has [As] in its context.
//
// Without either these go past the cache, and so do those of a client whose credential
// may go by the context: an [aplomb.AuthFunc], an [aplomb.Signer], an
// [aplomb.SecretSource] type of your own. An [aplomb.SecretFunc] is fine, for it is asked
// once for all. Another [aplomb.Transport] or [aplomb.PerAttempt] of a With, which may
// attach a credential, counts as another credential. But one that attaches it by the
// context, or a middleware of PerCall below the cache that attaches any, is seen by
// nobody: give credentials to the client as such, or use As.
//
// # Where it stands
//
// In [aplomb.PerCall], above retries, limits and the quota's gate: an answer from
// the cache waits for none of them, and an open circuit is an error that a stale
// answer can stand in for. A validation is a request that passes all of them.
//
// # What is left alone
//
// Requests with a body, a Range, a condition of their own or a URL that has an Opaque
// go past the cache. Not kept are partial content (206), outages (5xx), what speaks
// of the moment or of the credential (401, 403, 429 and the like), streams of events,
// answers with a trailer, and, from typed calls, errors whose length is not known.
//
// Where the server says nothing of freshness, an answer is fresh for a tenth of the
// time since it was last modified, at most five minutes. The request header
// Cache-Control: no-cache validates whatever is kept, and no-store goes past the
// cache altogether. An unknown request header keeps answers apart, and one with
// another value in each request keeps any from being found: send such things as
// X-Request-Id.
//
// # What it says
//
// Each answer has a Cache-Status header (RFC 9211), such as "aplomb; hit; ttl=42" or
// "aplomb; fwd=stale; fwd-status=304". One that was made without the server also has
// X-From-Cache, by which go-github and others know that its rate limits are not
// news; those are not kept. [Settings.Answered] and [Cache.Stats] are for metrics.
//
// # Stores
//
// [NewMemory] keeps answers in the process, [OpenDisk] in files for this user only,
// for one credential and any number of processes. Both are bounded in bytes. A
// [Store] of your own needs three methods.
//
// # Beside others
//
// compat/cache holds this against the caches for clients that are kept best,
// bartventer/httpcache v0.12.0 and sandrolain/httpcache v1.4.2, case by case. All
// three keep max-age, no-store, private, Vary, stale-while-revalidate and
// invalidation, and take no part or cut body for a whole. Neither of the two keeps two
// credentials apart, leaves out a Set-Cookie or an address with a token, is
// bounded in bytes, makes one request of equal ones, finds out a 304 that is about
// another answer, or heeds a DELETE that got none; a body of 64 MiB costs them more
// than 40. The former also reads each body to its end before its caller sees it,
// looks for stale-if-error in the error, and does not keep the header of a 304.
package cache
