package cache

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"
)

// answer is what a server sent, and when by our clock.
type answer struct {
	*http.Response
	asked, received time.Time
}

// response is the stored answer as one to r.
func (e *entry) response(r *http.Request, now time.Time) *http.Response {
	resp := &http.Response{
		Status: strconv.Itoa(e.Status) + " " + http.StatusText(e.Status), StatusCode: e.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.Header.Clone(), Body: http.NoBody, ContentLength: int64(len(e.body)),
		Uncompressed: e.Uncompressed, Request: r,
	}
	resp.Header.Set("Age", wholeSeconds(e.age(now)))
	if r.Method != http.MethodHead && len(e.body) > 0 {
		resp.Body = io.NopCloser(bytes.NewReader(e.body))
	}
	return resp
}

// gatewayTimeout is what only-if-cached asks for where nothing fits (RFC 9111,
// section 5.2.1.7).
func (x *exchange) gatewayTimeout() *http.Response {
	resp := &http.Response{
		Status: "504 Gateway Timeout", StatusCode: http.StatusGatewayTimeout, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: x.request,
	}
	return x.tell(resp, Event{Result: ResultMiss}, "detail=only-if-cached")
}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
