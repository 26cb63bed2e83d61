package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// warehouse is an API on this machine that is healthy, down and throttled in turns.
type warehouse struct {
	address string
	server  *http.Server
	serving sync.WaitGroup
	start   time.Time
}

// A turn takes so long: most of it is well.
const (
	wellFor      = 20 * time.Second
	downFor      = 10 * time.Second
	throttledFor = 10 * time.Second
)

func newWarehouse() (*warehouse, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &warehouse{address: "http://" + l.Addr().String(), start: time.Now()}
	w.server = &http.Server{Handler: http.HandlerFunc(w.answer), ReadHeaderTimeout: 5 * time.Second}
	w.serving.Go(func() { _ = w.server.Serve(l) }) // it ends with close
	return w, nil
}

func (w *warehouse) close() {
	_ = w.server.Close()
	w.serving.Wait()
}

func (w *warehouse) answer(out http.ResponseWriter, _ *http.Request) {
	at := time.Since(w.start) % (wellFor + downFor + throttledFor)
	h := out.Header()
	h.Set("X-Ratelimit-Limit", "1000")
	switch {
	case at < wellFor:
		left := 1000 - int(at/wellForUnit)
		h.Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		h.Set("X-Ratelimit-Reset", strconv.Itoa(int((wellFor-at)/time.Second)+1))
		_, _ = io.WriteString(out, `{"mugs":7}`)
	case at < wellFor+downFor:
		out.WriteHeader(http.StatusServiceUnavailable)
	default:
		h.Set("Retry-After", strconv.Itoa(int((wellFor+downFor+throttledFor-at)/time.Second)+1))
		out.WriteHeader(http.StatusTooManyRequests)
	}
}

// wellForUnit is in how much of a well turn one unit of the quota goes.
const wellForUnit = wellFor / 900
