package aplomb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/aplomb-go/aplomb/internal/header"
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
	end      int64 // where this answer ends, as it said; -1 unknown
	total    int64 // where the document does; -1 unknown
	failures int   // since the last of them
	err      error // the last word
}

// resumable wraps the body of the stream's response, if it can be gone on with.
func (s *stream) resumable(ctx context.Context, accept string) io.ReadCloser {
	h := s.resp.Header
	etag := h.Get("ETag")
	if s.method != http.MethodGet || s.resp.StatusCode != http.StatusOK || !strings.HasPrefix(etag, `"`) ||
		!strings.EqualFold(h.Get("Accept-Ranges"), "bytes") || s.resp.Uncompressed || h.Get("Content-Encoding") != "" {
		return s.resp.Body
	}
	n := s.resp.ContentLength
	return &resumed{ctx: ctx, s: s, accept: accept, etag: etag, body: s.resp.Body, end: n, total: n}
}

func (r *resumed) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.body.Read(p)
		if n > 0 {
			r.at, r.failures = r.at+int64(n), 0
			return n, nil // an error comes again
		}
		switch {
		case err == nil:
			return 0, nil
		case !errors.Is(err, io.EOF):
		case r.at == r.total, r.total < 0 && r.end < 0:
			r.err = io.EOF
			continue
		case r.at == r.end: // a server may send less than it was asked for
			err = nil
		default:
			err = io.ErrUnexpectedEOF
		}
		r.err = r.again(err)
	}
	return 0, r.err
}

func (r *resumed) Close() error { return r.body.Close() }

// again asks for the rest, at once where nothing is broken. Its error ends the stream.
func (r *resumed) again(broken error) error {
	_ = r.body.Close()
	for {
		if broken != nil {
			if r.failures++; r.failures > maxReconnects {
				return broken
			}
			if err := r.s.pause(r.ctx, rand.N(usualReconnect<<(r.failures-1)/3+1), broken); err != nil {
				return err
			}
		}
		call, resp, err := r.s.request(r.ctx, r.accept, Header("Range", "bytes="+strconv.FormatInt(r.at, 10)+"-"), Header("If-Range", r.etag),
			Expect(http.StatusOK, http.StatusPartialContent), NoRetry())
		switch {
		case err != nil && answered(err):
			return err
		case err != nil:
			broken = err
			continue
		}
		if why := r.adopt(resp); why != "" {
			_ = resp.Body.Close()
			return fmt.Errorf("it broke off (%w) and cannot be gone on with: %s", orDefault(broken, io.ErrUnexpectedEOF), why)
		}
		r.s.call, r.body = call, resp.Body
		return nil
	}
}

// adopt says what is wrong with an answer that is to be the rest.
func (r *resumed) adopt(resp *http.Response) string {
	c, ok := header.ContentRange(resp.Header)
	switch {
	case resp.StatusCode != http.StatusPartialContent, resp.Header.Get("ETag") != r.etag, ok && r.total >= 0 && c.Total >= 0 && c.Total != r.total:
		return "it is another document by now"
	case !ok || c.From != r.at || c.To <= c.From:
		return "the server sent another part than it was asked for"
	case resp.Uncompressed, resp.Header.Get("Content-Encoding") != "":
		return "the server packs it now"
	case r.total < 0 && c.Total < 0:
		return "the server does not say where it ends"
	}
	r.end = c.To
	if r.total < 0 {
		r.total = c.Total
	}
	return ""
}
