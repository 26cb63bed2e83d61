package header

import (
	"math/bits"
	"net/http"
	"strings"
	"time"
)

// Limit is one quota that a response speaks of. Unknown numbers are -1.
type Limit struct {
	Name      string        // policy or resource, as the response names it; often ""
	Limit     int64         // units per window
	Remaining int64         // units left
	Reset     time.Duration // from received to the reset; -1 when unknown
	Window    time.Duration // 0 when unknown
	Partition string        // IETF parameter pk as sent; usually ""
}

func unknown(name string) Limit {
	return Limit{Name: name, Limit: -1, Remaining: -1, Reset: -1}
}

// Limits reads every quota that the response states, in a fixed order:
//
//   - RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers),
//     joined by policy name; also the dictionary form of draft 07;
//   - the triples RateLimit-Limit, -Remaining, -Reset (the drafts up to 06,
//     GitLab, Docker Hub), X-RateLimit-* (GitHub, Discord) and X-Rate-Limit-*
//     (Twitter, Okta);
//   - one Limit per member of the families of OpenAI, Anthropic, Linear and
//     Kong, named "requests", "tokens", "minute" and so on;
//   - X-Shopify-Shop-Api-Call-Limit, "32/40".
//
// A reset may be seconds to go, a unix time in seconds or milliseconds, an
// HTTP-date, RFC 3339 or a Go-like duration ("6m0s"). Instants are measured
// against the response's Date when it has one, so that clock skew cancels. A
// quota stated twice in two unnamed triples is given once. Negative numbers,
// which servers send for "unlimited", are unknown.
//
// A response without any of these costs no allocation.
func Limits(h http.Header, received time.Time) []Limit {
	dialects, some := mentioned(h)
	if !some {
		return nil
	}
	now := clockOf(h, received)
	limits := standard(h, now)
	for ; dialects != 0; dialects &= dialects - 1 {
		if l, ok := triples[bits.TrailingZeros32(dialects)].read(h, now); ok && !stated(limits, l) {
			limits = append(limits, l)
		}
	}
	limits = windows(limits, items(h["Ratelimit-Limit"]), 1)
	limits = windows(limits, items(h["Ratelimit-Policy"]), 0)
	if l, ok := shopify(first(h, "X-Shopify-Shop-Api-Call-Limit")); ok {
		limits = append(limits, l)
	}
	return limits
}

// mentioned is the triples that the response has a field of, a bit for each, and
// whether it says anything of a quota: it spares the common response all map look-ups,
// and one that states a quota some fifty.
func mentioned(h http.Header) (dialects uint32, some bool) {
	for k := range h {
		if strings.HasPrefix(k, "X-Rate") || strings.HasPrefix(k, "Ratelimit") ||
			strings.HasPrefix(k, "Anthropic-Rate") || k == "X-Shopify-Shop-Api-Call-Limit" {
			some = true
			for i := range triples {
				if triples[i].has(k) {
					dialects |= 1 << i
				}
			}
		}
	}
	return dialects, some
}

// stated tells whether an unnamed quota was already given in another dialect.
func stated(limits []Limit, l Limit) bool {
	for _, o := range limits {
		if l.Name == "" && o.Name == "" && l.Limit >= 0 && o.Limit == l.Limit && o.Remaining == l.Remaining {
			return true
		}
	}
	return false
}

// shopify reads "used/limit" of the REST Admin API's leaky bucket
// (shopify.dev/docs/api/usage/limits). It does not say when it is empty again.
func shopify(v string) (Limit, bool) {
	used, limit, ok := strings.Cut(v, "/")
	u, l := count(used), count(limit)
	if !ok || u < 0 || l < 0 {
		return Limit{}, false
	}
	q := unknown("")
	q.Limit, q.Remaining = l, max(l-u, 0)
	return q, true
}

// count reads a whole number of units; a fraction (Reddit sends "98.0") is
// rounded down; -1 for anything else.
func count(s string) int64 {
	d, ok := parseDecimal(strings.TrimSpace(s))
	if !ok {
		return -1
	}
	return d.whole
}

// reset reads a moment or a delay in any of its spellings; -1 when unknown.
func (c clock) reset(s string) time.Duration {
	if d, ok := parseDecimal(s); ok {
		if left, plausible := c.number(d); plausible {
			return left
		}
		return -1
	}
	if t, ok := instant(s); ok {
		return c.until(t)
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d // OpenAI: "6m0s", "20ms"
	}
	return -1
}
