package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/memnet"
)

// Example runs a real server and a real client without a port.
func Example() {
	ln := memnet.Listen("api.test:80")
	defer ln.Close()
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.URL.Query().Get("name"))
	}))

	client := &http.Client{Transport: &http.Transport{DialContext: ln.DialContext}}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://api.test/?name=gopher")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Printf("%s: %s\n", res.Status, body)
	// Output: 200 OK: hello, gopher
}

func TestListenerJoinsDialAndAccept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen("api.test:80")
		defer ln.Close()
		client, err := ln.DialContext(t.Context(), "tcp", "ignored:1")
		assert.NoError(t, err)
		defer client.Close()
		server, err := ln.Accept()
		assert.NoError(t, err)
		defer server.Close()
		assert.Equal(t, ln.Addr().String(), "api.test:80")
		assert.Equal(t, server.LocalAddr().String(), "api.test:80")
		assert.Equal(t, server.RemoteAddr(), client.LocalAddr())
		assert.Equal(t, client.LocalAddr().String(), "192.0.2.1:49152")
		assert.Equal(t, client.RemoteAddr().Network(), "tcp")
	})
}

func TestDialAClosedListenerIsRefused(t *testing.T) {
	t.Parallel()
	ln := memnet.Listen("api.test:80")
	assert.NoError(t, ln.Close())
	assert.NoError(t, ln.Close(), "the second Close")
	_, err := ln.DialContext(t.Context(), "tcp", "api.test:80")
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Equal(t, err.Error(), "dial tcp api.test:80: connect: connection refused")
	assert.Equal(t, err.Error(), memnet.Refused("api.test:80").Error())
	opErr, ok := errors.AsType[*net.OpError](err)
	assert.True(t, ok && opErr.Op == "dial", "a *net.OpError of a dial")
	_, err = ln.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}

func TestCloseEndsAcceptAndResetsTheBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen("api.test:80")
		client, err := ln.DialContext(t.Context(), "tcp", "")
		assert.NoError(t, err)
		assert.NoError(t, ln.Close())
		_, err = client.Read(make([]byte, 1))
		assert.ErrorIs(t, err, syscall.ECONNRESET)
		_ = client.Close()

		idle := memnet.Listen("idle.test:80")
		var acceptErr error
		var wg sync.WaitGroup
		wg.Go(func() { _, acceptErr = idle.Accept() })
		synctest.Wait()
		_ = idle.Close()
		wg.Wait()
		assert.ErrorIs(t, acceptErr, net.ErrClosed)
	})
}

func TestDialWaitsForAFullBacklogNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen("api.test:80")
		defer ln.Close()
		for range 128 {
			c, err := ln.DialContext(t.Context(), "tcp", "")
			assert.NoError(t, err)
			defer c.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := ln.DialContext(ctx, "tcp", "")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(start), time.Minute)
		_, err = ln.DialContext(ctx, "tcp", "")
		assert.ErrorIs(t, err, context.DeadlineExceeded, "a ctx that is already done")
	})
}

func TestCloseConnsAndResetConns(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		end  func(*memnet.Listener)
		want error
	}{
		"close": {(*memnet.Listener).CloseConns, io.EOF},
		"reset": {(*memnet.Listener).ResetConns, syscall.ECONNRESET},
	}
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := memnet.Listen("api.test:80")
			defer ln.Close()
			client, err := ln.DialContext(t.Context(), "tcp", "")
			assert.NoError(t, err)
			defer client.Close()
			_, err = ln.Accept()
			assert.NoError(t, err)
			test.end(ln)
			_, err = client.Read(make([]byte, 1))
			assert.ErrorIs(t, err, test.want)
			test.end(ln) // nothing is left to end
		})
	}
}

// TestEarlyAnswer is the case an unbuffered pipe cannot serve: the server
// answers and hangs up while the client is still sending.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen("api.test:80")
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		})}
		var wg sync.WaitGroup
		wg.Go(func() { _ = srv.Serve(ln) })
		transport := &http.Transport{DialContext: ln.DialContext}
		client := &http.Client{Transport: transport, Timeout: time.Minute}

		body := io.LimitReader(zeros{}, 40<<10) // fits the window, as TCP's does
		res, err := client.Post("http://api.test/", "application/octet-stream", body)
		assert.NoError(t, err)
		assert.Equal(t, res.StatusCode, http.StatusRequestEntityTooLarge)
		_ = res.Body.Close()

		transport.CloseIdleConnections()
		_ = srv.Close()
		wg.Wait()
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
