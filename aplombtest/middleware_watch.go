package aplombtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"
)

// snapshot is what a request was before it was sent.
type snapshot struct {
	request http.Request
	header  http.Header
	trailer http.Header
	url     url.URL
	urlAt   *url.URL
	ctx     context.Context //nolint:containedctx // it is compared, not used
}

func snapshotOf(r *http.Request) snapshot {
	return snapshot{request: *r, header: r.Header.Clone(), trailer: r.Trailer.Clone(), url: *r.URL, urlAt: r.URL, ctx: r.Context()}
}

// differs names what of r is no longer as it was.
func (s *snapshot) differs(r *http.Request) string {
	if r == nil {
		return ""
	}
	was := &s.request
	for _, field := range []struct {
		name string
		same bool
	}{
		{"Method", r.Method == was.Method},
		{"URL", r.URL == s.urlAt && *r.URL == s.url},
		{"Header", reflect.DeepEqual(r.Header, s.header)},
		{"Body", r.Body == was.Body},
		{"GetBody", (r.GetBody == nil) == (was.GetBody == nil)},
		{"ContentLength", r.ContentLength == was.ContentLength},
		{"TransferEncoding", reflect.DeepEqual(r.TransferEncoding, was.TransferEncoding)},
		{"Close", r.Close == was.Close},
		{"Host", r.Host == was.Host},
		{"Trailer", reflect.DeepEqual(r.Trailer, s.trailer)},
		{"Response", r.Response == was.Response},
		{"Form", r.Form == nil && r.PostForm == nil && r.MultipartForm == nil},
		{"context", r.Context() == s.ctx},
	} {
		if !field.same {
			return field.name
		}
	}
	return ""
}

// sentBody is a request's body.
type sentBody struct {
	mu     sync.Mutex
	text   *strings.Reader
	closed bool
	late   bool // read when it was closed
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.late = true
		return 0, errors.New("aplombtest: the request's body is closed")
	}
	return b.text.Read(p)
}

func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

func (b *sentBody) state() (late, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.late, b.closed
}

// answerBody is a response's body: its parts come one by one, each a pause after
// the one before, until the request's context ends.
type answerBody struct {
	parts   []string
	pause   time.Duration
	end     error // instead of io.EOF
	chunked bool  // its length is not told

	ctx  context.Context //nolint:containedctx // that of the request it answers
	gone chan struct{}   // closed with the body

	mu     sync.Mutex
	next   int // part
	rest   string
	ended  bool
	closed bool
}

func (b *answerBody) text() string { return strings.Join(b.parts, "") }

func (b *answerBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rest == "" && b.next < len(b.parts) && b.next > 0 && b.pause > 0 {
		b.mu.Unlock()
		select {
		case <-time.After(b.pause):
		case <-b.gone:
		case <-b.ctx.Done():
		}
		b.mu.Lock()
	}
	switch {
	case b.closed:
		return 0, errors.New("aplombtest: the response's body is closed")
	case b.ctx.Err() != nil:
		return 0, b.ctx.Err()
	case b.rest == "" && b.next == len(b.parts):
		b.ended = true
		if b.end != nil {
			return 0, b.end
		}
		return 0, io.EOF
	case b.rest == "":
		b.rest = b.parts[b.next]
		b.next++
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *answerBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.gone)
	}
	return nil
}

func (b *answerBody) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// exhausted says whether all was sent.
func (b *answerBody) exhausted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next == len(b.parts)
}
