package redact

import (
	"net/url"
	"strings"
)

// headerAllowed are the fields that carry no credential and no personal data
// by their definition. Left out with care: Link (URLs with cursors), Referer
// (URLs), Idempotency-Key (whoever has it can read the stored answer),
// WWW-Authenticate (nonces), X-Forwarded-For (people).
var headerAllowed = set(`
	accept accept-encoding accept-language accept-ranges age allow alt-svc api-version cache-control cf-cache-status cf-ray
	connection content-encoding content-language content-length content-range content-type date deprecation etag expires
	if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified prefer
	preference-applied range request-id retry-after retry-after-ms server server-timing
	stripe-should-retry stripe-version sunset te traceparent trailer transfer-encoding
	upgrade user-agent vary via x-amz-request-id x-amzn-requestid x-api-version x-cache x-content-type-options
	x-correlation-id x-github-api-version x-github-media-type x-github-request-id
	x-ms-request-id x-ms-retry-after-ms x-ms-version x-poll-interval x-powered-by x-request-id x-runtime
	x-shopify-api-version x-shopify-shop-api-call-limit x-should-retry anthropic-version openai-processing-ms openai-version`)

// limitWords are what a quota field's name is made of. A vendor may put
// anything behind X-RateLimit-, so every word must be known.
var limitWords = set(`x rate limit ratelimit anthropic policy remaining reset after used observed resource name scope
	global requests tokens input output complexity second minute hour day`)

// Header returns the value if the field named is known to be harmless, after
// [Text] has looked at it; a Location goes through [URL]; else Mask. Names are
// compared without regard to case.
func Header(name, value string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "location" || name == "content-location":
		u, err := url.Parse(strings.TrimSpace(value))
		if err != nil {
			return Mask
		}
		return URL(u)
	case headerAllowed.has(name) || isLimit(name) || strings.HasSuffix(name, "-version"):
		return Text(value, 0)
	}
	return Mask
}

// isLimit recognises the quota fields that package header reads.
func isLimit(name string) bool {
	if !strings.Contains(name, "ratelimit") && !strings.Contains(name, "rate-limit") {
		return false
	}
	for word := range strings.SplitSeq(name, "-") {
		if !limitWords.has(word) {
			return false
		}
	}
	return true
}
