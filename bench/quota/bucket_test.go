package quota_test

import (
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The quota.
const (
	perSecond = 200
	burst     = 10
)

// bucket is a server that enforces a quota.
type bucket struct {
	headers bool          // it says how the quota stands, and not only how long to wait
	way     time.Duration // a request travels for so long to five times that, and so does its answer

	mu            sync.Mutex
	tokens        float64
	at, start     time.Time
	good, refused map[int]int // by second since the start
}

func newBucket(headers bool, way time.Duration) *bucket {
	now := time.Now()
	return &bucket{headers: headers, way: way, tokens: burst, at: now, start: now, good: map[int]int{}, refused: map[int]int{}}
}

func (b *bucket) travel() { <-time.After(b.way + rand.N(4*b.way)) }

// ServeHTTP implements [http.Handler].
func (b *bucket) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	b.travel()
	defer b.travel()
	if !b.take(w.Header()) {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	_, _ = io.WriteString(w, `{"id":"o_1"}`)
}

// take takes a token, if there is one, and says in the header how the bucket stands.
func (b *bucket) take(h http.Header) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(burst, b.tokens+perSecond*now.Sub(b.at).Seconds())
	b.at = now
	second := int(now.Sub(b.start) / time.Second)
	refused := b.tokens < 1-1e-9
	if refused {
		b.refused[second]++
		h.Set("Retry-After", "1")
	} else {
		b.good[second]++
		b.tokens--
	}
	if b.headers {
		h.Set("X-Ratelimit-Limit", strconv.Itoa(perSecond))
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(int(b.tokens+1e-9)))
		h.Set("X-Ratelimit-Reset", strconv.Itoa(int(math.Ceil((burst-b.tokens)/perSecond))))
	}
	return !refused
}

// use is what was answered from second from up to to.
func (b *bucket) use(from, to int) (good, refused int) {
	for s := from; s < to; s++ {
		good += b.good[s]
		refused += b.refused[s]
	}
	return good, refused
}
