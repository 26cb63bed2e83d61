package aplombtest_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// frame is one of HTTP/2: RFC 9113, section 4.1.
type frame struct {
	kind    byte
	stream  uint32
	payload []byte
}

const (
	anyKind     = 0xff
	kindData    = 0x0
	kindHeaders = 0x1
	kindReset   = 0x3
	kindGoAway  = 0x7
)

// rawHTTP2 is a client that sends bodiless requests and hands out frames.
type rawHTTP2 struct {
	t    *testing.T
	conn *tls.Conn
	next uint32 // stream
}

func dialHTTP2(t *testing.T, srv *aplombtest.Server) *rawHTTP2 {
	t.Helper()
	bare, err := srv.Transport().DialContext(t.Context(), "tcp", "api.test:443")
	assert.NoError(t, err)
	config := srv.Transport().TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "api.test", []string{"h2"}
	c := &rawHTTP2{t: t, conn: tls.Client(bare, config), next: 1}
	t.Cleanup(func() { _ = c.conn.Close() })
	c.send([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // with empty SETTINGS
	return c
}

func (c *rawHTTP2) send(p []byte) {
	c.t.Helper()
	_, err := c.conn.Write(p)
	assert.NoError(c.t, err)
}

// get asks for / on the next stream: HPACK's table has all but the host.
func (c *rawHTTP2) get() {
	c.t.Helper()
	block := append([]byte{0x82, 0x87, 0x84, 0x41, 8}, "api.test"...)
	head := []byte{0, 0, byte(len(block)), kindHeaders, 0x5} // END_STREAM, END_HEADERS
	c.send(append(binary.BigEndian.AppendUint32(head, c.next), block...))
	c.next += 2
}

// await returns the next frame of that kind, or of any, or what reading ends
// with.
func (c *rawHTTP2) await(kind byte) (frame, error) {
	for {
		var head [9]byte
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return frame{}, err
		}
		f := frame{head[3], binary.BigEndian.Uint32(head[5:]), make([]byte, int(head[1])<<8|int(head[2]))}
		if _, err := io.ReadFull(c.conn, f.payload); err != nil {
			return frame{}, err
		}
		if f.kind == kind || kind == anyKind {
			return f, nil
		}
	}
}

// numbers is the payload of a frame that consists of them.
func (f frame) numbers() (all []uint32) {
	for p := f.payload; len(p) >= 4; p = p[4:] {
		all = append(all, binary.BigEndian.Uint32(p))
	}
	return all
}

// TestGoAwayOnTheWire: the second request is stream 3, which the server says it
// has seen, and answers; then the connection ends.
func TestGoAwayOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(hello, aplombtest.Pass(), aplombtest.GoAway()))
		c := dialHTTP2(t, srv)
		c.get()
		_, err := c.await(kindHeaders)
		assert.NoError(t, err)
		c.get()
		start, seen := time.Now(), map[byte]frame{} // they come in either order
		for f, err := c.await(anyKind); !errors.Is(err, io.EOF); f, err = c.await(anyKind) {
			assert.NoError(t, err)
			seen[f.kind] = f
		}
		assert.Equal(t, seen[kindGoAway].numbers(), []uint32{3, 0}, "last stream, NO_ERROR")
		assert.Equal(t, seen[kindHeaders].stream, 3)
		assert.Equal(t, string(seen[kindData].payload), "hello")
		assert.Equal(t, time.Since(start), time.Second, "net/http gives the client a second to read")
	})
}

func TestGoAwayUnprocessedOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		effect := new(effects)
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(effect, aplombtest.Pass(), aplombtest.GoAwayUnprocessed(), aplombtest.GoAwayUnprocessed()))
		for _, test := range []struct {
			before int
			last   uint32
		}{{before: 1, last: 1}, {before: 0, last: 0}} {
			c := dialHTTP2(t, srv)
			for range test.before {
				c.get()
				_, err := c.await(kindHeaders)
				assert.NoError(t, err)
			}
			c.get()
			goAway, err := c.await(kindGoAway)
			assert.NoError(t, err)
			assert.Equal(t, goAway.stream, 0)
			assert.Equal(t, goAway.numbers(), []uint32{test.last, 0}, "last stream, NO_ERROR")
			_, err = c.await(kindGoAway)
			assert.ErrorIs(t, err, io.EOF)
		}
		assert.Equal(t, effect.n.Load(), 1)
	})
}

func TestRefusedStreamOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		effect := new(effects)
		srv := aplombtest.NewTLSServer(t, aplombtest.NewScript(effect, aplombtest.Pass(), aplombtest.RefusedStream()))
		c := dialHTTP2(t, srv)
		c.get()
		_, err := c.await(kindHeaders)
		assert.NoError(t, err)
		c.get()
		reset, err := c.await(kindReset)
		assert.NoError(t, err)
		assert.Equal(t, reset.stream, 3)
		assert.Equal(t, reset.numbers(), []uint32{7}, "REFUSED_STREAM")
		c.get()
		answer, err := c.await(kindHeaders)
		assert.NoError(t, err)
		assert.Equal(t, answer.stream, 5, "the connection lives on")
		assert.Equal(t, effect.n.Load(), 2)
		assert.Equal(t, srv.Conns(), 1)
	})
}

// TestTransportSendsAgainWhatWasNotProcessed posts without a key: only because
// the server says that it did nothing may it be sent again, and net/http does so.
func TestTransportSendsAgainWhatWasNotProcessed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault           aplombtest.Fault
		requests, conns int
	}{
		"goaway, processed":   {aplombtest.GoAway(), 2, 2},
		"goaway, unprocessed": {aplombtest.GoAwayUnprocessed(), 3, 2},
		"refused stream":      {aplombtest.RefusedStream(), 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				effect := new(effects)
				script := aplombtest.NewScript(effect, test.fault)
				srv := aplombtest.NewTLSServer(t, script)
				for range 2 {
					res, err := srv.Client().Post(srv.URL, "text/plain", strings.NewReader("body"))
					assert.NoError(t, err)
					assert.Equal(t, res.Proto+" "+read(t, res), "HTTP/2.0 0123456789")
					synctest.Wait()
				}
				assert.Equal(t, effect.n.Load(), 2, "each took effect once")
				assert.Equal(t, script.Requests(), test.requests)
				assert.Equal(t, srv.Conns(), test.conns)
			})
		})
	}
}

// TestGoAwayOnHTTP1 is a connection that is closed: after a good answer, or
// without one.
func TestGoAwayOnHTTP1(t *testing.T) {
	t.Parallel()
	onBothNetworks(t, func(t *testing.T, s *scene) {
		c := s.ask(t, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
		defer c.Close()
		answer, err := io.ReadAll(c)
		assert.NoError(t, err, "closed, unasked")
		assert.Contains(t, string(answer), "Connection: close\r\n")
		assert.Equal(t, bodyOf(string(answer)), "0123456789")
		for range 2 {
			answer, err := s.raw(t)
			assert.NoError(t, err)
			assert.Equal(t, answer, "")
		}
		s.undisturbed(t, 2)
	}, aplombtest.GoAway(), aplombtest.GoAwayUnprocessed(), aplombtest.RefusedStream())
}

// TestUnprocessedElsewhere: a server that is not ours can only drop the stream.
func TestUnprocessedElsewhere(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(hello, aplombtest.GoAwayUnprocessed(), aplombtest.RefusedStream())
	srv := httptest.NewUnstartedServer(script)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for range 2 {
		_, err := srv.Client().Get(srv.URL)
		assert.True(t, err != nil && strings.Contains(err.Error(), "INTERNAL_ERROR"), err)
	}
	res, body := get(t, srv.Client(), srv.URL)
	assert.Equal(t, res.Proto+" "+body, "HTTP/2.0 hello")
}

// TestUnprocessedNeedsTheConnectionAlone: with another request under way nobody
// could tell which stream is which.
func TestUnprocessedNeedsTheConnectionAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spy := &errorSpy{TB: t}
		script := aplombtest.NewScript(hello, aplombtest.Stall(time.Minute), aplombtest.GoAwayUnprocessed())
		srv := aplombtest.NewTLSServer(spy, script)
		client := srv.Client()
		first := make(chan error, 1)
		go func() {
			res, err := client.Get(srv.URL)
			if err == nil {
				_ = res.Body.Close()
			}
			first <- err
		}()
		synctest.Wait()
		_, err := client.Post(srv.URL, "text/plain", bytes.NewReader(nil))
		assert.True(t, err != nil && strings.Contains(err.Error(), "INTERNAL_ERROR"), err)
		assert.NoError(t, <-first, "the other one is unharmed")
		srv.Close()
		assert.Contains(t, spy.text.String(), "GoAwayUnprocessed on a connection with 2 requests under way")
	})
}

// errorSpy keeps what the test would have failed with.
type errorSpy struct {
	testing.TB
	text strings.Builder
}

func (s *errorSpy) Errorf(format string, args ...any) { fmt.Fprintf(&s.text, format, args...) }
