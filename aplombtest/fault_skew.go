package aplombtest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Skew has the server's clock go wrong by d, fast if d is above zero: the handler
// answers, and what it says about time is moved. That is Date, also the one
// [http.Server] would have set, Expires, Last-Modified, Sunset and Retry-After
// where they are dates, and X-RateLimit-Reset and RateLimit-Reset where they are
// seconds since 1970. What the handler itself makes of the clock, such as the age
// of a token, is not.
func Skew(d time.Duration) Fault {
	return Fault{fmt.Sprintf("Skew(%v)", d), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		skewed := &skewedWriter{ResponseWriter: w, by: d}
		next.ServeHTTP(skewed, r)
		skewed.shift() // a handler that wrote nothing has answered too
	}}
}

// skewedWriter moves the headers just before they are sent.
type skewedWriter struct {
	http.ResponseWriter

	by   time.Duration
	done bool
}

func (w *skewedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *skewedWriter) WriteHeader(code int) {
	if code >= http.StatusOK {
		w.shift()
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *skewedWriter) Write(p []byte) (int, error) {
	w.shift()
	return w.ResponseWriter.Write(p)
}

// Flush sends the headers if nothing has.
func (w *skewedWriter) Flush() {
	w.shift()
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *skewedWriter) shift() {
	if w.done {
		return
	}
	w.done = true
	h := w.Header()
	if h.Get("Date") == "" {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	for _, name := range []string{"Date", "Expires", "Last-Modified", "Sunset", "Retry-After"} {
		if t, err := http.ParseTime(h.Get(name)); err == nil {
			h.Set(name, t.Add(w.by).UTC().Format(http.TimeFormat))
		}
	}
	for _, name := range []string{"X-Ratelimit-Reset", "Ratelimit-Reset"} {
		if s, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && s > maxDeltaSeconds {
			h.Set(name, strconv.FormatInt(s+int64(w.by/time.Second), 10))
		}
	}
}

// maxDeltaSeconds tells an epoch from a number of seconds to wait: ten years,
// before any time a program of today meets and beyond any wait.
const maxDeltaSeconds = 10 * 365 * 24 * 60 * 60
