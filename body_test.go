package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// A single-use body that was refused unread is an answer like any other, and
// is closed once.
func TestSingleUseBodyRefusedUnread(t *testing.T) {
	bubble(t, func(t *testing.T) {
		next := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			_ = r.Body.Close()
			return &http.Response{StatusCode: 503, Request: r}, nil
		})
		once := &closeCounter{Reader: strings.NewReader("upload")}
		req, _ := http.NewRequest("PUT", "http://api.test/x", once)
		resp, err := newClientAt(t, "http://api.test", aplomb.Transport(next)).Do(req)
		assert.NoError(t, err)
		assert.Equal(t, resp.StatusCode, 503)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, once.closed, 1)
	})
}

// The same through net/http, which asks first.
func TestSingleUseBodyExpectContinue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		once := &closeCounter{Reader: strings.NewReader("upload")}
		req, _ := http.NewRequest("PUT", "http://api.test/x", once)
		req.Header.Set("Expect", "100-continue")
		resp, err := newClient(t, aplombtest.NewServer(t, h)).Do(req)
		assert.NoError(t, err)
		assert.Equal(t, resp.StatusCode, 503)
		assert.NoError(t, resp.Body.Close())
		synctest.Wait()
		assert.Equal(t, once.closed, 1)
	})
}

// A Content-Length is a claim, not a size to make room for.
func TestContentLengthLies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hijack(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{}", math.MaxInt64), nil)
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h)), aplomb.NoRetry(), aplomb.MaxBody(math.MaxInt64))
		assert.Contains(t, fmt.Sprint(err), "body broke off after 2 bytes")
	})
}

// The largest MaxBody is no bound, and no overflow.
func TestMaxBodyWithoutBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v, err := get(t, newClient(t, aplombtest.NewServer(t, script(ok))), aplomb.MaxBody(math.MaxInt64))
		assert.NoError(t, err)
		assert.Equal(t, v.ID, "o_1")
	})
}

// A request body may go on while the response is read, over HTTP/2 and HTTP/1.1.
func TestStreamsBothWays(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		part := make([]byte, 100)
		for {
			n, err := r.Body.Read(part)
			_, _ = w.Write(part[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}
	for name, server := range map[string]func(testing.TB, http.Handler) *aplombtest.Server{"1.1": aplombtest.NewServer, "2": aplombtest.NewTLSServer} {
		bubbleCase(t, name, func(t *testing.T) {
			s := server(t, http.HandlerFunc(echo))
			from, to := io.Pipe()
			req, _ := http.NewRequest("POST", s.URL+"/x", from)
			resp, err := newClient(t, s).Do(req)
			assert.NoError(t, err)
			time.Sleep(time.Second)
			_, err = io.WriteString(to, "ping")
			assert.NoError(t, err)
			assert.NoError(t, to.Close())
			raw, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.Equal(t, string(raw), "ping")
			assert.NoError(t, resp.Body.Close())
		})
	}
}

// hijack answers with text on the bare connection, which f then has until it
// is closed.
func hijack(t *testing.T, text string, f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString(text)
		_ = buf.Flush()
		if f != nil {
			f(conn)
		}
	}
}

const upgraded = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

// Do hands an upgraded connection over, to read and to write.
func TestUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, hijack(t, upgraded, func(conn net.Conn) { _, _ = io.Copy(conn, conn) }))
		conn := upgrade(t, newClient(t, s), s.URL)
		assert.NoError(t, conn.Close())
	})
}

// A typed call does not wait for the end of an upgraded connection.
func TestUpgradeOfTypedCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		stay := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
		_, err := get(t, newClient(t, aplombtest.NewServer(t, hijack(t, upgraded, stay))))
		assert.Contains(t, fmt.Sprint(err), "cannot take over the connection")
		assert.Equal(t, time.Since(start), 0)
	})
}

// An error's status and headers count although its body broke off.
func TestErrorWithBrokenBody(t *testing.T) {
	cut := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			status(code, headers...)(w, r)
		}
	}
	bubbleCase(t, "429", func(t *testing.T) {
		h := script(cut(429, "Retry-After", "30"), ok)
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h)))
		assert.NoError(t, err)
		assert.Equal(t, len(h.gaps()), 1)
		assert.True(t, h.gaps()[0] >= 30*time.Second, h.gaps())
	})
	bubbleCase(t, "404", func(t *testing.T) {
		h := script(cut(404))
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h)))
		assert.Equal(t, aplomb.StatusCode(err), 404)
		assert.Equal(t, h.count(), 1)
	})
}

// A body of a PerCall middleware's own that breaks off is not taken for whole.
func TestMiddlewaresBrokenBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		broken := aplomb.PerCall(func(http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				half := io.MultiReader(strings.NewReader("half"), failing{errors.New("checksum mismatch")})
				return &http.Response{StatusCode: 200, Body: io.NopCloser(half), Request: r}, nil
			})
		})
		_, err := aplomb.Get[[]byte](context.Background(), newClientAt(t, "http://api.test", broken), "/x")
		assert.Contains(t, fmt.Sprint(err), "checksum mismatch")
	})
}

// failing fails when it is read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// That the body's own source could not connect is no proof that the server got
// nothing.
func TestBodysSourceCannotConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); ok(w, r) })
		open := func() (io.ReadCloser, error) {
			down := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("source is down")}
			return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 10_000)), failing{down})), nil
		}
		_, err := aplomb.Post[order](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/x", aplomb.Body("text/plain", open))
		assert.Contains(t, fmt.Sprint(err), "source is down")
		synctest.Wait()
		assert.Equal(t, h.count(), 1)
	})
}

// An error is made without reading the body again, which may take for ever.
func TestErrorDoesNotReadTheBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := aplombtest.NewServer(t, script(hang))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, strings.NewReader("hello"))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 5, every: time.Second}), nil }
		start := time.Now()
		_, err := newClient(t, s, aplomb.NoRetry()).Do(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), time.Second)
	})
}

// A body that net/http opens anew, on a second connection, keeps a long upload
// alive as the first did.
func TestRewoundUploadLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rewinds := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			_, _ = r.Body.Read(make([]byte, 1))
			_ = r.Body.Close()
			again, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(io.Discard, again)
			_ = again.Close()
			return &http.Response{StatusCode: 204, Request: r}, err
		})
		c := newClientAt(t, "http://api.test", aplomb.Transport(rewinds), aplomb.NoRetry())
		open := func() (io.ReadCloser, error) { return io.NopCloser(&dripping{parts: 20, every: 4 * time.Second}), nil }
		_, err := aplomb.Put[struct{}](context.Background(), c, "/x", aplomb.Body("text/plain", open), aplomb.Timeout(time.Hour))
		assert.NoError(t, err)
	})
}

// upgrade takes over the connection to a server that echoes, and tries it.
func upgrade(t *testing.T, c *aplomb.Client, url string) io.ReadWriteCloser {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	assert.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "x")
	resp, err := c.Do(req)
	assert.NoError(t, err)
	conn, isConn := resp.Body.(io.ReadWriteCloser)
	assert.True(t, isConn)
	_, err = io.WriteString(conn, "ping")
	assert.NoError(t, err)
	back := make([]byte, 4)
	_, err = io.ReadFull(conn, back)
	assert.NoError(t, err)
	assert.Equal(t, string(back), "ping")
	return conn
}

// trailing is a body whose checksum is known at its end.
type trailing struct {
	io.Reader
	request *http.Request
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		b.request.Trailer.Set("X-Checksum", "abc")
	}
	return n, err
}

func (*trailing) Close() error { return nil }

// A trailer may be set while the body is read, as with net/http.
func TestTrailerOfABodyThatWasRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got string
		s := aplombtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got = r.Trailer.Get("X-Checksum")
		}))
		req, err := http.NewRequest(http.MethodPut, "http://api.test/x", http.NoBody)
		assert.NoError(t, err)
		req.Trailer = http.Header{"X-Checksum": nil}
		req.Body, req.ContentLength, req.GetBody = &trailing{strings.NewReader("hello"), req}, -1, nil
		resp, err := newClient(t, s).Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, got, "abc")
	})
}
