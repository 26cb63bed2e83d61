package monitor

import (
	"math/bits"
	"time"
)

// Latencies are counted in buckets of microseconds, eight for each doubling, so that
// a percentile is off by at most 12.5 %.
const (
	subBits  = 3
	maxOctet = 28 // 2^28 µs are over four minutes; what is longer counts as that
	buckets  = maxOctet << subBits
)

// histogram counts durations.
type histogram [buckets]uint32

func (h *histogram) add(o *histogram) {
	for i, n := range o {
		h[i] += n
	}
}

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	octet := bits.Len64(us) - 1
	if octet >= maxOctet {
		return buckets - 1
	}
	if octet < subBits {
		return int(us)
	}
	return octet<<subBits | int(us>>(octet-subBits))&(1<<subBits-1)
}

// upperBound is the longest duration that falls into the bucket.
func upperBound(bucket int) time.Duration {
	octet, sub := bucket>>subBits, bucket&(1<<subBits-1)
	if octet < subBits { // the smallest are exact
		return time.Duration(bucket) * time.Microsecond
	}
	return time.Duration((1<<subBits+sub+1)<<(octet-subBits)-1) * time.Microsecond
}

// percentiles of all that hs counted; p is in order and from 0 to 1.
func percentiles(hs []*histogram, p ...float64) []time.Duration {
	var sum histogram
	var total uint64
	for _, h := range hs {
		for i, n := range h {
			sum[i] += n
			total += uint64(n)
		}
	}
	found := make([]time.Duration, len(p))
	if total == 0 {
		return found
	}
	var seen uint64
	next := 0
	for i, n := range sum {
		seen += uint64(n)
		for next < len(p) && float64(seen) >= p[next]*float64(total) && seen > 0 {
			found[next] = upperBound(i)
			next++
		}
	}
	return found
}
