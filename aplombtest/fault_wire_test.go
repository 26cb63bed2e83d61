package aplombtest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestRaw(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		answer, err := s.raw(t)
		assert.NoError(t, err, "a FIN, not a RST")
		assert.Equal(t, answer, "SMTP ready\r\n\r\n")
		_, err = s.post(t.Context())
		assert.True(t, err != nil, "no answer")
		assert.Contains(t, err.Error(), `malformed HTTP status code "OK"`)
		assert.Equal(t, s.effect.n.Load(), 0)
		s.undisturbed(t, 1)
	}, aplombtest.Raw("SMTP ready\r\n\r\n"), aplombtest.Raw("HTTP/1.1 OK\r\n\r\n"))
}

// TestHeaderFlood reads more headers from a bare connection than net/http would,
// and no end of them.
func TestHeaderFlood(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		c := s.ask(t, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
		defer c.Close()
		head := make([]byte, 12<<20)
		_, err := io.ReadFull(c, head)
		assert.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(head), "HTTP/1.1 200 OK\r\nX-Flood: xxx"))
		assert.True(t, !strings.Contains(string(head), "\r\n\r\n"), "no end")
		_ = c.Close()

		_, err = s.post(t.Context())
		assert.True(t, err != nil, "no answer")
		assert.Contains(t, err.Error(), "server response headers exceeded 10485760 bytes")
		s.undisturbed(t, 1)
	}, aplombtest.HeaderFlood(), aplombtest.HeaderFlood())
}

func TestHeaderFloodEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, aplombtest.NewScript(hello, aplombtest.HeaderFlood()))
		transport := srv.Transport()
		transport.MaxResponseHeaderBytes = 1 << 30
		_, err := (&http.Client{Transport: transport}).Post(srv.URL, "", nil)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

func TestHeaderFloodOverHTTP2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(hello, aplombtest.HeaderFlood()))
		_, err := srv.Client().Get(srv.URL)
		assert.True(t, err != nil, "no answer")
		assert.Contains(t, err.Error(), "PROTOCOL_ERROR")
		_, body := get(t, srv.Client(), srv.URL)
		assert.Equal(t, body, "hello")
		assert.Equal(t, srv.Conns(), 2)
	})
}
