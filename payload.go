package aplomb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aplomb-go/aplomb/internal/sized"
)

// payload is a request body that can be opened again for every attempt.
type payload struct {
	contentType string
	open        func() (io.ReadCloser, error)
	size        int64  // -1 unknown
	raw         []byte // the body itself, where it is in memory
	value       any    // or what is to be encoded to be it
	json        bool   // there is such a value
	once        bool   // open works one time
}

// JSON sends v as a JSON body. It is encoded once a call, when that begins, by
// encoding/json or the call's [Codec].
func JSON(v any) CallOption {
	return &payload{contentType: "application/json", value: v, json: true, size: -1}
}

// encoded is p as it is sent: a value is bytes then.
func (p *payload) encoded(codec *Codec) (*payload, error) {
	if p == nil || !p.json {
		return p, nil
	}
	raw, err := codec.marshal(p.value)
	if err != nil {
		return nil, fmt.Errorf("JSON body: %w", err)
	}
	return bytesPayload(p.contentType, raw), nil
}

// Form sends values as an application/x-www-form-urlencoded body.
func Form(values url.Values) CallOption {
	return bytesPayload("application/x-www-form-urlencoded", []byte(values.Encode()))
}

// Body sends what open returns, opened anew for each attempt and closed after
// it, so that a retry sends the same bytes and nothing is held in memory. The
// length is taken from an *os.File, *bytes.Reader or the like; otherwise the
// body is chunked.
func Body(contentType string, open func() (io.ReadCloser, error)) CallOption {
	if open == nil {
		return callOption(func(*settings) error { return errors.New("aplomb: Body: the opener is nil") })
	}
	return &payload{contentType: contentType, open: open, size: -1}
}

// BodyOnce sends what is read from r, for a body that cannot be opened again. An
// attempt that read nothing of it, such as one that found no connection, is
// followed by another; once a byte was read there is none (law 1). The length is
// taken as for [Body]; r is closed if it is an io.Closer.
func BodyOnce(contentType string, r io.Reader) CallOption {
	if isNil(r) {
		return callOption(func(*settings) error { return errors.New("aplomb: BodyOnce: the reader is nil") })
	}
	var taken atomic.Bool
	body, ok := r.(io.ReadCloser)
	if !ok {
		body = io.NopCloser(r)
	}
	size := sized.Of(r)
	return &payload{contentType: contentType, size: size, once: true, open: func() (io.ReadCloser, error) {
		if taken.Swap(true) {
			return nil, errors.New("the reader of BodyOnce was sent by an earlier call: give it to one call")
		}
		return body, nil
	}}
}

func (p *payload) applyCall(s *settings) error {
	s.payload = p
	return nil
}

func bytesPayload(contentType string, raw []byte) *payload {
	return &payload{contentType: contentType, raw: raw, size: int64(len(raw)), open: func() (io.ReadCloser, error) {
		body := &bytesBody{}
		body.Reset(raw)
		return body, nil
	}}
}

// bytesBody is a body in memory.
type bytesBody struct{ bytes.Reader }

func (*bytesBody) Close() error { return nil }

// attachTo puts the body on r.
func (p *payload) attachTo(r *http.Request, codec *Codec, zip func(*payload) (*payload, error)) error {
	if p == nil {
		return nil
	}
	if p.size == 0 {
		zip = nil
	}
	if zip != nil && r.Header.Get("Content-Encoding") != "" {
		return errors.New("Gzip: the call has a Content-Encoding of its own: leave one of them out")
	}
	p, err := p.encoded(codec)
	if err != nil {
		return err
	}
	if zip != nil {
		if p, err = zip(p); err != nil {
			return err
		}
		r.Header.Set("Content-Encoding", "gzip")
	}
	body, err := p.open()
	if err != nil {
		return fmt.Errorf("open the request body: %w", err)
	}
	if body == nil {
		return errors.New("open the request body: the opener returned neither a body nor an error")
	}
	r.Body, r.GetBody = body, p.open
	if p.once {
		r.GetBody = nil
	}
	r.ContentLength = p.size
	if p.size < 0 {
		r.ContentLength = sized.Of(body)
	}
	if r.ContentLength == 0 {
		_ = body.Close()
		r.Body, r.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
	}
	if p.contentType != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", p.contentType)
	}
	return nil
}

// singleUseBody is a caller's body that cannot be opened again. It stays open
// after an attempt that read nothing of it, such as one that could not connect;
// a body of which one byte was read is never sent again (law 1).
type singleUseBody struct {
	io.ReadCloser
	touched atomic.Bool

	mu     sync.Mutex
	asked  bool // a transport is done with it
	last   bool // there will be no further attempt
	closed bool
}

func (b *singleUseBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.ReadCloser.Read(p)
}

// Close keeps an untouched body for the next attempt.
func (b *singleUseBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = true
	return b.settle()
}

// finish says that no attempt follows. A transport that is still sending, as
// with a stream both ways, closes the body itself.
func (b *singleUseBody) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = true
	_ = b.settle()
}

func (b *singleUseBody) settle() error {
	if b.closed || !b.asked || !b.last && !b.touched.Load() {
		return nil
	}
	b.closed = true
	return b.ReadCloser.Close()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// isStream reports a response that may never end.
func isStream(resp *http.Response) bool {
	kind := mediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusSwitchingProtocols || kind == "text/event-stream" ||
		strings.HasPrefix(kind, "multipart/") || strings.HasSuffix(kind, "ndjson") || strings.HasPrefix(kind, "application/grpc")
}

func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
