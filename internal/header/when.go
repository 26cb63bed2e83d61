package header

import (
	"math"
	"net/http"
	"strings"
	"time"
)

const (
	forever = time.Duration(math.MaxInt64)

	// A bare number above minEpoch seconds is 3 years as a delay, which nobody
	// means, so it is held against the calendar. The bound sits below 1e9 so
	// that clocks in the past (testing/synctest starts in 2000) work too.
	minEpoch = 100_000_000
	// Above maxDelta a number is either an epoch or nonsense, never a delay.
	maxDelta = 1_000_000_000
	// epochReach is how far from the present an epoch may lie: 10 years.
	epochReach = 10 * 366 * 24 * time.Hour
)

// clock is what a response knows about the present.
type clock struct {
	server   time.Time // the response's own Date, else received
	received time.Time
}

// clockOf reads Date (RFC 9110, section 6.6.1): measuring a server's instants
// against the server's own clock makes skew between the two machines cancel.
func clockOf(h http.Header, received time.Time) clock {
	c := clock{server: received, received: received}
	if v := first(h, "Date"); v != "" {
		if t, err := http.ParseTime(v); err == nil {
			c.server = t
		}
	}
	return c
}

// until is the time left before t; 0 when it has passed. time.Sub saturates.
func (c clock) until(t time.Time) time.Duration {
	return max(t.Sub(c.server), 0)
}

// epoch reads d as unix seconds or milliseconds and reports the time left. A
// server whose Date is nonsense is measured against our own clock instead.
func (c clock) epoch(d decimal) (time.Duration, bool) {
	for _, t := range [...]time.Time{d.unix(), d.unixMilli()} {
		for _, now := range [...]time.Time{c.server, c.received} {
			if left := t.Sub(now); left > -epochReach && left < epochReach {
				return max(left, 0), true
			}
		}
	}
	return 0, false
}

// number reads a bare number: seconds to go, or an epoch by its magnitude.
// plausible is false for what is too large to be either.
func (c clock) number(d decimal) (left time.Duration, plausible bool) {
	if d.whole >= minEpoch {
		if left, ok := c.epoch(d); ok {
			return left, true
		}
	}
	if d.whole > maxDelta {
		return forever, false
	}
	return d.of(time.Second), true
}

// instant reads one of the three HTTP-date forms (RFC 9110, section 5.6.7) or,
// because servers send it, an RFC 3339 timestamp.
func instant(s string) (time.Time, bool) {
	if s == "" { // most answers have none, and four errors would be made of that
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 { // a zone can push it out of the calendar
		return time.Time{}, false
	}
	return t, true
}

// decimal is a non-negative number, kept exact where a float64 would not be.
type decimal struct {
	whole int64 // saturates at math.MaxInt64
	nano  int64 // the fraction, in billionths
}

// parseDecimal reads digits, optionally followed by a point and more digits.
// Signs, exponents and anything else are refused.
func parseDecimal(s string) (d decimal, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" {
		return decimal{}, false
	}
	for _, c := range []byte(whole) {
		if c < '0' || c > '9' {
			return decimal{}, false
		}
		if d.whole > (math.MaxInt64-9)/10 {
			d.whole = math.MaxInt64 // and stays there: the test above holds from now on
			continue
		}
		d.whole = d.whole*10 + int64(c-'0')
	}
	unit := int64(100_000_000)
	for _, c := range []byte(fraction) {
		if c < '0' || c > '9' {
			return decimal{}, false
		}
		d.nano += int64(c-'0') * unit
		unit /= 10
	}
	return d, true
}

// of is d times unit, saturating. unit is at most a second.
func (d decimal) of(unit time.Duration) time.Duration {
	part := time.Duration(d.nano) * unit / time.Second
	if d.whole > int64((forever-part)/unit) {
		return forever
	}
	return time.Duration(d.whole)*unit + part
}

// unix reads d as seconds since 1970. Beyond the calendar it gives a year far
// enough away to be nobody's present.
func (d decimal) unix() time.Time {
	return time.Unix(min(d.whole, lastSecond), d.nano)
}

// unixMilli reads d as milliseconds since 1970.
func (d decimal) unixMilli() time.Time {
	return time.UnixMilli(min(d.whole, lastSecond*1000))
}

// lastSecond is the end of the year 9999, where RFC 3339 and HTTP-date end.
const lastSecond = 253_402_300_799

// first is the first value of a canonical key, trimmed; "" when absent. It
// exists because Header.Get canonicalises its argument, which costs.
func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return strings.TrimSpace(v[0])
	}
	return ""
}
