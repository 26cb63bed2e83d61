package aplomb_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestFaultMatrixOnSockets is what the kernel has a part in: rows 1 to 6p once
// more, over loopback. Its backoffs are nothing, so it neither waits nor measures.
func TestFaultMatrixOnSockets(t *testing.T) {
	t.Parallel()
	fin, short, rstInBody := fault(aplombtest.LostResponse()), fault(aplombtest.TruncatedBody(6)), fault(aplombtest.ResetBody(6))
	for _, tt := range []struct {
		name     string
		steps    []http.HandlerFunc // none: a closed port
		call     caller
		requests int
		dials    int
		is       error // nil: it succeeds
	}{
		{name: "1 connection refused", call: postOrder, dials: 4, is: syscall.ECONNREFUSED},
		{name: "2 RST before headers", steps: []http.HandlerFunc{reset, reset, ok}, call: getOrder, requests: 3, dials: 3},
		{name: "2k RST, POST with a key", steps: []http.HandlerFunc{reset, ok}, call: postKeyed, requests: 2, dials: 2},
		{name: "2p RST, POST without a key", steps: []http.HandlerFunc{reset, ok}, call: postOrder, requests: 1, dials: 1, is: syscall.ECONNRESET},
		{name: "3 FIN before headers", steps: []http.HandlerFunc{fin, ok}, call: getOrder, requests: 2, dials: 2},
		{name: "3p FIN, POST without a key", steps: []http.HandlerFunc{fin, ok}, call: postOrder, requests: 1, dials: 1, is: io.EOF},
		{name: "4 RST in the body", steps: []http.HandlerFunc{rstInBody, ok}, call: getOrder, requests: 2, dials: 2},
		{name: "6 body shorter than its length", steps: []http.HandlerFunc{short, ok}, call: getOrder, requests: 2, dials: 2},
		{name: "6p RST in the body, POST", steps: []http.HandlerFunc{rstInBody, ok}, call: postOrder, requests: 1, dials: 1, is: syscall.ECONNRESET},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newSocketRig(t, tt.steps)
			err := tt.call(m)
			if tt.is == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, tt.is)
			}
			_, dials := m.ledger.count()
			assert.Equal(t, [2]int{m.api.count(), dials}, [2]int{tt.requests, tt.dials}, "requests and dials")
			m.ledger.await(t, func(l *ledger) bool { return l.bodies == 0 })
			m.client.CloseIdleConnections()
			m.ledger.await(t, func(l *ledger) bool { return l.conns == 0 })
		})
	}
}

func newSocketRig(t *testing.T, steps []http.HandlerFunc) *rig {
	t.Helper()
	m := &rig{T: t, api: script(steps...), base: &http.Transport{DialContext: (&net.Dialer{}).DialContext}}
	m.ledger.changed = sync.NewCond(&m.ledger.mu)
	server := httptest.NewServer(m.api)
	t.Cleanup(server.Close)
	m.url = server.URL
	if steps == nil {
		server.Close()
	}
	m.connect()
	aplomb.SetRandom(m.client, func() float64 { return 0 })
	return m
}

// await waits until the account is settled: outside a bubble a connection ends
// when its goroutine gets to it. Only a test that fails waits for long.
func (l *ledger) await(t *testing.T, settled func(*ledger) bool) {
	t.Helper()
	late := false
	defer time.AfterFunc(10*time.Second, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.changed.Broadcast()
	}).Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !settled(l) && !late {
		l.changed.Wait()
	}
	assert.True(t, settled(l), "connections and bodies open:", l.conns, l.bodies)
}
