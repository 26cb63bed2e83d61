package aplombtest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// rawGet sends a GET that closes the connection afterwards, over a bare one, and
// returns all that comes back.
func (s *scene) rawGet(t *testing.T) (answer string, err error) {
	t.Helper()
	c := s.ask(t, "GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
	defer c.Close()
	got, err := io.ReadAll(c)
	return string(got), err
}

// ask sends request over a bare connection, which is the caller's to close: a
// server of httptest waits for that.
func (s *scene) ask(t *testing.T, request string) net.Conn {
	t.Helper()
	c, err := s.dial()
	assert.NoError(t, err)
	_, err = io.WriteString(c, request)
	assert.NoError(t, err)
	return c
}

// bodyOf is what follows the headers.
func bodyOf(answer string) string {
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	return body
}

// TestResetBody: what has arrived is read, then ECONNRESET where a FIN would be
// an io.EOF.
func TestResetBody(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		answer, err := s.raw(t)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		assert.Contains(t, answer, "Content-Length: 10\r\n")
		assert.Equal(t, bodyOf(answer), "0123")

		res, err := s.post(t.Context())
		assert.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		assert.Equal(t, string(got), "01234")
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		_ = res.Body.Close()
		s.undisturbed(t, 3)
	}, aplombtest.ResetBody(4), aplombtest.ResetBody(5))
}

// TestWrongLengthTooLong: the body is all there, the connection is open, and the
// client waits.
func TestWrongLengthTooLong(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		c := s.ask(t, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
		defer c.Close()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		assert.NoError(t, err)
		assert.Equal(t, res.ContentLength, 13)
		got := make([]byte, 10)
		_, err = io.ReadFull(res.Body, got)
		assert.NoError(t, err)
		assert.Equal(t, string(got), "0123456789")
		assert.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		n, err := res.Body.Read(got)
		assert.Equal(t, n, 0)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "no byte and no end")
		_ = c.Close()

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		res, err = s.post(ctx)
		assert.NoError(t, err)
		_, err = io.ReadFull(res.Body, got)
		assert.NoError(t, err)
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = res.Body.Read(got)
		assert.ErrorIs(t, err, context.Canceled)
		_ = res.Body.Close()
		s.undisturbed(t, 3)
	}, aplombtest.WrongLength(3), aplombtest.WrongLength(1))
}

// TestWrongLengthTooShort: what the client leaves unread stands where the next
// answer should begin.
func TestWrongLengthTooShort(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		const request = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"
		c := s.ask(t, request)
		defer c.Close()
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		assert.NoError(t, err)
		assert.Equal(t, res.ContentLength, 7)
		assert.Equal(t, read(t, res), "0123456", "and no error")
		_, err = io.WriteString(c, request)
		assert.NoError(t, err)
		rest := make([]byte, 3)
		_, err = io.ReadFull(r, rest)
		assert.NoError(t, err)
		assert.Equal(t, string(rest), "789", "in the place of HTTP/1.1")
		assert.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, err = r.ReadByte()
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "the connection stays open, and is silent")
		assert.Equal(t, s.effect.n.Load(), 1, "the second request is not answered")
		_ = c.Close()

		res, err = s.post(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, read(t, res), "", "a body of less than nothing is empty")
	}, aplombtest.WrongLength(-3), aplombtest.WrongLength(-99))
}

func TestWrongLengthOverHTTP2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(new(effects), aplombtest.WrongLength(-3), aplombtest.WrongLength(0), aplombtest.WrongLength(3)))
		_, body := get(t, srv.Client(), srv.URL)
		assert.Equal(t, body, "0123456")
		_, body = get(t, srv.Client(), srv.URL)
		assert.Equal(t, body, "0123456789")
		client := srv.Client()
		client.Timeout = time.Minute
		start := time.Now()
		res, err := client.Get(srv.URL)
		assert.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, string(got), "0123456789")
		assert.Equal(t, time.Since(start), time.Minute)
		_ = res.Body.Close()
		assert.Equal(t, srv.Conns(), 1)
	})
}

func TestGarbageChunk(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		answer, err := s.raw(t)
		assert.NoError(t, err, "a FIN, not a RST")
		assert.Contains(t, answer, "Transfer-Encoding: chunked\r\n")
		assert.Equal(t, bodyOf(answer), "4\r\n0123\r\ngarbage\r\nnot a chunk\r\n")

		res, err := s.post(t.Context())
		assert.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		assert.Equal(t, string(got), "0123456789")
		assert.True(t, err != nil, "no end")
		assert.Equal(t, err.Error(), "invalid byte in chunk length")
		_ = res.Body.Close()
		s.undisturbed(t, 3)
	}, aplombtest.GarbageChunk(4), aplombtest.GarbageChunk(99))
}
