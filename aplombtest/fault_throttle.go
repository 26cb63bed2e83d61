package aplombtest

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Throttle is a quota of n requests in each window: these pass, and the others
// are answered 429 with a Retry-After of the seconds until the next window,
// rounded up. Windows follow one another from the first request on, and are the fault's: make one for
// each [Script]. For refusals
// that no pace avoids see [Random].
func Throttle(n int, window time.Duration) Fault {
	window = max(window, 1)
	var mu sync.Mutex
	var begun time.Time // the window
	var left int
	admit := func() (wait time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if since := now.Sub(begun); begun.IsZero() || since >= window {
			if begun.IsZero() {
				begun, since = now, 0
			}
			begun, left = now.Add(-(since % window)), n
		}
		if left > 0 {
			left--
			return 0
		}
		return begun.Add(window).Sub(now)
	}
	return Fault{fmt.Sprintf("Throttle(%d, %v)", n, window), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if wait := admit(); wait > 0 {
			seconds := int((wait + time.Second - 1) / time.Second)
			Status(http.StatusTooManyRequests, "Retry-After", strconv.Itoa(seconds)).handle(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}}
}
