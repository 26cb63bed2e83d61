package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/webhook"
)

func pipe() (a, b net.Conn) { return net.Pipe() }

// raw writes a request as it is, and reads the answer; "" if there was none.
func raw(t *testing.T, addr, head, body string, closes bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	assert.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, head+"\r\n"+body)
	assert.NoError(t, err)
	if closes {
		assert.NoError(t, conn.(*net.TCPConn).CloseWrite())
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line)
}

// Over a real connection: what a sender may do to the body, and that it is told to
// send one only if it may.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	sink := new(fakeSink)
	h, j, k := stripe(sink)
	srv := httptest.NewServer(h)
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	head := func(extra string) string {
		return "POST /x HTTP/1.1\r\nHost: a\r\nStripe-Signature: " + k.delivery(t, k.body, time.Now()).Header.Get("Stripe-Signature") + "\r\n" + extra + "\r\n"
	}
	size := fmt.Sprintf("Content-Length: %d", len(k.body))

	assert.Equal(t, raw(t, addr, head("Content-Length: 2000000\r\nExpect: 100-continue"), "", false), "HTTP/1.1 413 Request Entity Too Large")
	assert.Equal(t, raw(t, addr, head(size+"\r\nExpect: 100-continue"), "", false), "HTTP/1.1 100 Continue")
	assert.Equal(t, raw(t, addr, head(fmt.Sprintf("Content-Length: %d", len(k.body)+1)), k.body, true), "HTTP/1.1 400 Bad Request") // less than it said
	assert.Equal(t, j.last(), webhook.ReasonBody)
	assert.Equal(t, raw(t, addr, head("Transfer-Encoding: chunked"), "5\r\n{\"id\"\r\n", true), "HTTP/1.1 400 Bad Request")
	assert.Equal(t, raw(t, addr, head(size+"\r\nStripe-Signature: t=1,v1=00"), k.body, false), "HTTP/1.1 401 Unauthorized")
	assert.Equal(t, len(sink.stored()), 0)
	assert.Equal(t, raw(t, addr, head(size), k.body, false), "HTTP/1.1 200 OK")
	half := len(k.body) / 2
	chunks := fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, k.body[:half], len(k.body)-half, k.body[half:])
	assert.Equal(t, raw(t, addr, head("Transfer-Encoding: chunked"), chunks, false), "HTTP/1.1 200 OK")
	assert.Equal(t, len(sink.stored()), 1)
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	sink := new(fakeSink)
	h, _, k := stripe(sink)
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	send := func(body string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL, bytes.NewReader([]byte(body)))
		assert.NoError(t, err)
		signed := k.delivery(t, k.body, time.Now())
		r.Header = signed.Header
		change(r)
		resp, err := srv.Client().Do(r)
		assert.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode, resp.Proto
	}
	for _, test := range []struct {
		body   string
		change func(*http.Request)
		want   int
	}{
		{k.body, func(*http.Request) {}, 200},
		{k.body, func(r *http.Request) { r.Header.Add("Stripe-Signature", "t=1") }, 401},
		{k.body + " ", func(*http.Request) {}, 401},
		{strings.Repeat("x", 1<<20+1), func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(r.Body) }, 413},
	} {
		status, proto := send(test.body, test.change)
		assert.Equal(t, []any{status, proto}, []any{test.want, "HTTP/2.0"})
	}
	assert.Equal(t, len(sink.stored()), 1)
	srv.Client().CloseIdleConnections()
}
