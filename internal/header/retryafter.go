package header

import (
	"net/http"
	"time"
)

// RetryAfter reads how long the server asks us to wait, counted from received,
// the local time at which the response arrived.
//
// retry-after-ms (OpenAI) and x-ms-retry-after-ms (Azure) win over Retry-After
// (RFC 9110, section 10.2.3) because they are finer; both may carry fractions.
// Retry-After is read as
//
//   - seconds, also with a fraction ("1.5"), which gateways send;
//   - any of the three HTTP-date forms, or RFC 3339, minus the response's own
//     Date so that clock skew cancels, else minus received;
//   - a unix time in seconds or milliseconds sent by mistake, recognised by its
//     size and by lying within ten years of the present.
//
// A moment in the past gives 0, true. A negative or unreadable value gives
// 0, false. A number too large for any of these gives the largest Duration.
// When a field comes on several lines the first counts.
func RetryAfter(h http.Header, received time.Time) (time.Duration, bool) {
	for _, key := range [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if d, ok := parseDecimal(first(h, key)); ok {
			return d.of(time.Millisecond), true
		}
	}
	v := first(h, "Retry-After")
	if v == "" {
		return 0, false
	}
	now := clockOf(h, received)
	if d, ok := parseDecimal(v); ok {
		left, _ := now.number(d)
		return left, true
	}
	if t, ok := instant(v); ok {
		return now.until(t), true
	}
	return 0, false
}
