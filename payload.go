package aplomb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
)

// payload is a request body that can be opened again for every attempt.
type payload struct {
	contentType string
	open        func() (io.ReadCloser, error)
	size        int64 // -1 unknown
	err         error // found while encoding, reported by the call
}

// JSON sends v as a JSON body. It is encoded once, when the call is made.
func JSON(v any) RequestOption {
	return bodyOption("JSON", func() *payload {
		raw, err := json.Marshal(v)
		if err != nil {
			return &payload{err: fmt.Errorf("JSON body: %w", err)}
		}
		return bytesPayload("application/json", raw)
	})
}

// Form sends values as an application/x-www-form-urlencoded body.
func Form(values url.Values) RequestOption {
	return bodyOption("Form", func() *payload {
		return bytesPayload("application/x-www-form-urlencoded", []byte(values.Encode()))
	})
}

// Body sends what open returns, opened anew for each attempt and closed after
// it, so that a retry sends the same bytes and nothing is held in memory. The
// length is taken from an *os.File, *bytes.Reader or the like; otherwise the
// body is chunked.
func Body(contentType string, open func() (io.ReadCloser, error)) RequestOption {
	return bodyOption("Body", func() *payload {
		if open == nil {
			return &payload{err: errors.New("Body: the opener is nil")}
		}
		return &payload{contentType: contentType, open: open, size: -1}
	})
}

func bodyOption(name string, build func() *payload) RequestOption {
	return &requestOption{callOnly: name, set: func(s *settings) error {
		s.payload = build()
		return s.payload.err
	}}
}

func bytesPayload(contentType string, raw []byte) *payload {
	return &payload{contentType: contentType, size: int64(len(raw)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}}
}

// attachTo puts the body on r.
func (p *payload) attachTo(r *http.Request) error {
	if p == nil {
		return nil
	}
	body, err := p.open()
	if err != nil {
		return fmt.Errorf("open the request body: %w", err)
	}
	r.Body, r.GetBody = body, p.open
	r.ContentLength = p.size
	if p.size < 0 {
		r.ContentLength = sizeOf(body)
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

// sizeOf is how many bytes are left in body, -1 when it does not say.
func sizeOf(body io.Reader) int64 {
	switch b := body.(type) {
	case *os.File:
		info, err := b.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		at, err := b.Seek(0, io.SeekCurrent)
		if err != nil {
			return -1
		}
		return info.Size() - at
	case interface{ Len() int }:
		return int64(b.Len())
	default:
		return -1
	}
}

// onceBody is a caller's body that cannot be opened again. It stays open after
// an attempt that read nothing of it, such as one that could not connect; a
// body of which one byte was read is never sent again (law 1).
type onceBody struct {
	io.ReadCloser
	touched atomic.Bool
	closed  atomic.Bool
}

func (b *onceBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.ReadCloser.Read(p)
}

// Close keeps an untouched body for the next attempt; the call closes it at
// its end with finish.
func (b *onceBody) Close() error {
	if b.touched.Load() {
		return b.finish()
	}
	return nil
}

func (b *onceBody) finish() error {
	if b.closed.Swap(true) {
		return nil
	}
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
