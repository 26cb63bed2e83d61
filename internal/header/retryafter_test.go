package header

import (
	"math"
	"net/http"
	"testing"
	"time"
)

// now is the local time at which the responses of these tests arrive; a round
// number, so that the epochs below can be read.
var now = time.Unix(1_800_000_000, 0).UTC() // 2027-01-15 08:00:00

const longest = time.Duration(math.MaxInt64)

// fields builds a header from name, value pairs.
func fields(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	// The server's clock is one hour behind ours.
	skewed := now.Add(-time.Hour)
	in30 := skewed.Add(30 * time.Second)
	for _, tt := range []struct {
		name  string
		given http.Header
		want  time.Duration
		ok    bool
	}{
		{"absent", nil, 0, false},
		{"empty", fields("Retry-After", " "), 0, false},
		{"seconds", fields("Retry-After", "120"), 2 * time.Minute, true},
		{"zero", fields("Retry-After", "0"), 0, true},
		{"whitespace", fields("Retry-After", " \t7 "), 7 * time.Second, true},
		{"fraction", fields("Retry-After", "1.5"), 1500 * time.Millisecond, true},
		{"finest fraction", fields("Retry-After", "0.0000000019"), time.Nanosecond, true},
		{"point without digits", fields("Retry-After", "3."), 3 * time.Second, true},
		{"no digit before the point", fields("Retry-After", ".5"), 0, false},
		{"negative", fields("Retry-After", "-1"), 0, false},
		{"signed", fields("Retry-After", "+1"), 0, false},
		{"exponent", fields("Retry-After", "1e3"), 0, false},
		{"hexadecimal", fields("Retry-After", "0x10"), 0, false},
		{"not a number", fields("Retry-After", "NaN"), 0, false},
		{"infinite", fields("Retry-After", "Inf"), 0, false},
		{"words", fields("Retry-After", "soon"), 0, false},
		{"trailing unit", fields("Retry-After", "5s"), 0, false},
		{"first of two lines", fields("Retry-After", "1", "Retry-After", "2"), time.Second, true},

		{"milliseconds win", fields("Retry-After", "9", "Retry-After-Ms", "250"), 250 * time.Millisecond, true},
		{"milliseconds of Azure win", fields("Retry-After", "9", "x-ms-retry-after-ms", "20.5"), 20500 * time.Microsecond, true},
		{"OpenAI's before Azure's", fields("x-ms-retry-after-ms", "1", "retry-after-ms", "2"), 2 * time.Millisecond, true},
		{"bad milliseconds do not", fields("Retry-After", "9", "Retry-After-Ms", "-3"), 9 * time.Second, true},
		{"milliseconds are never an epoch", fields("Retry-After-Ms", "1800000000000"), 1_800_000_000 * time.Second, true},
		{"huge milliseconds", fields("Retry-After-Ms", "99999999999999999999999"), longest, true},

		{"IMF-fixdate", fields("Retry-After", now.Add(time.Minute).Format(http.TimeFormat)), time.Minute, true},
		{"RFC 850", fields("Retry-After", now.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT")), time.Minute, true},
		{"asctime", fields("Retry-After", now.Add(time.Minute).Format(time.ANSIC)), time.Minute, true},
		{"RFC 3339", fields("Retry-After", now.Add(time.Minute).Format(time.RFC3339)), time.Minute, true},
		{"past date", fields("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), 0, true},
		{"far date", fields("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), longest, true},
		{
			"skew cancels",
			fields("Date", skewed.Format(http.TimeFormat), "Retry-After", in30.Format(http.TimeFormat)),
			30 * time.Second, true,
		},
		{"unreadable Date", fields("Date", "today", "Retry-After", now.Add(time.Second).Format(http.TimeFormat)), time.Second, true},

		{"epoch seconds", fields("Retry-After", "1800000090"), 90 * time.Second, true},
		{"epoch milliseconds", fields("Retry-After", "1800000090500"), 90500 * time.Millisecond, true},
		{"epoch with fraction", fields("Retry-After", "1800000000.25"), 250 * time.Millisecond, true},
		{"past epoch", fields("Retry-After", "1743441608"), 0, true}, // go-retryablehttp#248
		{"epoch and skew", fields("Date", skewed.Format(http.TimeFormat), "Retry-After", "1799996430"), 30 * time.Second, true},
		{"epoch beside a nonsense Date", fields("Date", "Thu, 01 Jan 1970 00:00:00 GMT", "Retry-After", "1800000005"), 5 * time.Second, true},
		{"a long delay is not an epoch", fields("Retry-After", "31536000"), 365 * 24 * time.Hour, true},
		{"epoch too far away", fields("Retry-After", "2500000000"), longest, true},
		{"overflow of int64 nanoseconds", fields("Retry-After", "9999999999"), longest, true},
		{"largest int64", fields("Retry-After", "9223372036854775807"), longest, true},
		{"beyond int64", fields("Retry-After", "92233720368547758079223372036854775807"), longest, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := RetryAfter(tt.given, now)
			if got != tt.want || ok != tt.ok {
				t.Errorf("RetryAfter(%v) = %v, %v; want %v, %v", tt.given, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestRetryAfterInThePast holds the epoch rule where testing/synctest lives.
func TestRetryAfterInThePast(t *testing.T) {
	t.Parallel()
	bubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // unix 946684800, below 1e9
	got, ok := RetryAfter(fields("Retry-After", "946684810"), bubble)
	if got != 10*time.Second || !ok {
		t.Errorf("got %v, %v; want 10s, true", got, ok)
	}
}

func TestDecimalSaturates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		unit time.Duration
		want time.Duration
	}{
		{"9223372036", time.Second, 9223372036 * time.Second},
		{"9223372036.854775807", time.Second, longest},
		{"9223372036.854775808", time.Second, longest},
		{"9223372037", time.Second, longest},
		{"9223372036854", time.Millisecond, 9223372036854 * time.Millisecond},
		{"9223372036855", time.Millisecond, longest},
	} {
		d, ok := parseDecimal(tt.in)
		if got := d.of(tt.unit); got != tt.want || !ok {
			t.Errorf("%s of %v = %d, %v; want %d", tt.in, tt.unit, got, ok, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{
		"1", "1.5", "-1", "9999999999", "1800000000", "1800000000000", "Fri, 31 Dec 1999 23:59:59 GMT",
		"Friday, 31-Dec-99 23:59:59 GMT", "Fri Dec 31 23:59:59 1999", "2027-01-15T08:00:00+01:00", "9223372036854775808.9", "",
	} {
		f.Add(s, s, int64(1_800_000_000))
		f.Add(s, "", int64(-62135596800))
	}
	f.Fuzz(func(t *testing.T, value, date string, unix int64) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		for _, key := range []string{"Retry-After", "Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
			h[key] = []string{value}
			if d, ok := RetryAfter(h, time.Unix(unix, 0)); d < 0 || !ok && d != 0 {
				t.Errorf("%s: %q, Date %q: %v, %v", key, value, date, d, ok)
			}
		}
	})
}
