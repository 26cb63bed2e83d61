package cache

import (
	"net/http"
	"strings"
	"time"
)

const (
	// heuristicShare of the time since it was last modified is how long an answer
	// is fresh whose server says nothing of it (RFC 9111, section 4.2.2).
	heuristicShare = 10
	// heuristicCap bounds that: an API that says nothing has promised nothing.
	heuristicCap = 5 * time.Minute
)

// lifetime is how long the answer is fresh from its birth at the origin (RFC
// 9111, section 4.2.1). s-maxage is for shared caches, and this is none.
func (e *entry) lifetime() time.Duration {
	if d, given := e.control.seconds("max-age"); given {
		return d
	}
	if lines := e.Header["Expires"]; len(lines) > 0 {
		return expires(lines, e.born())
	}
	modified, ok := date(e.Header.Get("Last-Modified"))
	if !ok || !cacheableByDefault(e.Status) {
		return 0
	}
	return min(max(0, e.born().Sub(modified)/heuristicShare), heuristicCap)
}

// expires is the lifetime that Expires states: none for what is no date, such as
// "0", and for several that differ.
func expires(lines []string, born time.Time) time.Duration {
	at, ok := date(lines[0])
	if !ok {
		return 0
	}
	for _, line := range lines[1:] {
		if line != lines[0] {
			return 0
		}
	}
	return max(0, at.Sub(born))
}

// born is when the origin made the answer, by its own clock.
func (e *entry) born() time.Time {
	if at, ok := date(e.Header.Get("Date")); ok {
		return at
	}
	return e.Received
}

// age is how old the answer is now (RFC 9111, section 4.2.3). Date is left out of
// it, which section 4.2.3 allows where every cache on the way knows Age, so that
// a server whose clock is off has its answers kept as long as it says. Where our
// own clock was set back nothing is known: then it is as old as can be.
func (e *entry) age(now time.Time) time.Duration {
	resident := now.Sub(e.Received)
	if resident < 0 {
		return maxSeconds * time.Second
	}
	first, _, _ := strings.Cut(e.Header.Get("Age"), ",")
	age := seconds(trim(first))
	delay := min(max(0, e.Received.Sub(e.Asked)), maxSeconds*time.Second) // the three then have no overflow
	return age + delay + min(resident, maxSeconds*time.Second)
}

// ttl is how much longer the answer is fresh; negative is for how long it is stale.
func (e *entry) ttl(now time.Time) time.Duration { return e.lifetime() - e.age(now) }

// strict reports that a stale answer must not be used without validation.
func (e *entry) strict() bool {
	return e.control.has("must-revalidate") || e.control.has("no-cache")
}

// fits reports that the answer may be used for a request with these directives
// and no word of the server's (RFC 9111, sections 4.2 and 5.2.1).
func (e *entry) fits(request control, now time.Time) bool {
	if request.has("no-cache") || e.control.has("no-cache") {
		return false
	}
	ttl, age := e.ttl(now), e.age(now)
	if limit, given := request.seconds("max-age"); given && age > limit {
		return false
	}
	if margin, given := request.seconds("min-fresh"); given && ttl < margin {
		return false
	}
	if ttl > 0 {
		return true
	}
	if !request.has("max-stale") || e.strict() {
		return false
	}
	limit := request["max-stale"]
	return limit == "" || -ttl <= seconds(limit)
}

// fitsWhile reports that the answer may be used while it is being validated (RFC
// 5861, section 3). Who asks for a certain freshness does not get less.
func (e *entry) fitsWhile(request control, now time.Time) bool {
	window, given := e.control.seconds("stale-while-revalidate")
	return given && !e.strict() && -e.ttl(now) <= window && !demanding(request)
}

// fitsError reports that the answer may be used instead of an error (RFC 5861,
// section 4); allowance is what the settings add for servers that say nothing.
func (e *entry) fitsError(request control, now time.Time, allowance time.Duration) bool {
	if e.strict() || demanding(request) {
		return false
	}
	window, given := e.control.seconds("stale-if-error")
	if own, asked := request.seconds("stale-if-error"); asked {
		window, given = max(window, own), true
	}
	if !given {
		window = allowance
	}
	return window > 0 && -e.ttl(now) <= window
}

// demanding reports a request that wants no stale answer.
func demanding(request control) bool {
	return request.has("no-cache") || request.has("max-age") || request.has("min-fresh")
}

// date reads a date in one of the three forms of RFC 9110, section 5.6.7, in any
// case (RFC 9111, section 4.2), and no other: package time is more lenient. What
// day of the week it is said to be makes no difference.
func date(s string) (time.Time, bool) {
	for _, layout := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if at, err := time.Parse(layout, s); err == nil {
			_, given, _ := strings.Cut(s, " ")
			_, read, _ := strings.Cut(at.Format(layout), " ")
			return at, strings.EqualFold(given, read)
		}
	}
	return time.Time{}, false
}
