package aplomb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resumed is the body of a stream that goes on where it broke off: with a Range
// (RFC 9110, section 14) of the same bytes (If-Range), which a server allows by a strong
// ETag and Accept-Ranges. Of a packed body nobody can name the bytes that were read.
type resumed struct {
	ctx      context.Context
	s        *stream
	accept   string
	etag     string
	body     io.ReadCloser
	at       int64 // bytes read
	failures int   // since the last of them
}

// resumable wraps the body of the stream's response, if it can be gone on with.
func (s *stream) resumable(ctx context.Context, accept string) io.ReadCloser {
	h := s.resp.Header
	etag := h.Get("ETag")
	if s.method != http.MethodGet || s.resp.StatusCode != http.StatusOK || !strings.HasPrefix(etag, `"`) ||
		!strings.EqualFold(h.Get("Accept-Ranges"), "bytes") || s.resp.Uncompressed || h.Get("Content-Encoding") != "" {
		return s.resp.Body
	}
	return &resumed{ctx: ctx, s: s, accept: accept, etag: etag, body: s.resp.Body}
}

func (r *resumed) Read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		if n > 0 {
			r.at, r.failures = r.at+int64(n), 0
			return n, nil // an error comes again
		}
		if err == nil || errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := r.again(err); err != nil {
			return 0, err
		}
	}
}

func (r *resumed) Close() error { return r.body.Close() }

// again asks for the rest. Its error ends the stream.
func (r *resumed) again(broken error) error {
	_ = r.body.Close()
	for {
		if r.failures++; r.failures > maxReconnects || r.ctx.Err() != nil {
			return broken
		}
		d := rand.N(usualReconnect<<(r.failures-1)/3 + 1)
		if deadline, ok := r.ctx.Deadline(); ok && time.Until(deadline) < d {
			return broken
		}
		if err := r.s.call.sleep(r.ctx, WaitBackoff, d); err != nil {
			return err
		}
		call, resp, err := r.s.client.open(r.ctx, r.s.method, r.s.path, r.accept, slices.Concat(r.s.opts,
			[]CallOption{Header("Range", "bytes="+strconv.FormatInt(r.at, 10)+"-"), Header("If-Range", r.etag)}))
		switch {
		case err != nil && answered(err):
			return err
		case err != nil:
			broken = err
			continue
		}
		if from := fmt.Sprintf("bytes %d-", r.at); resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), from) {
			_ = resp.Body.Close()
			return fmt.Errorf("it broke off (%w) and cannot be gone on with: it is another document by now", broken)
		}
		r.s.call, r.body = call, resp.Body
		return nil
	}
}
