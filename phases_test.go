package aplomb_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// farAway dials as a net.Dialer does where names and connections take their time.
func farAway(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		trace := httptrace.ContextClientTrace(ctx)
		if trace == nil {
			return dial(ctx, network, addr)
		}
		trace.DNSStart(httptrace.DNSStartInfo{})
		time.Sleep(3 * time.Millisecond)
		trace.DNSDone(httptrace.DNSDoneInfo{})
		trace.ConnectStart("tcp", "1")
		time.Sleep(2 * time.Millisecond)
		trace.ConnectDone("tcp", "1", errors.New("refused"))
		trace.ConnectStart("tcp", "2")
		time.Sleep(5 * time.Millisecond)
		trace.ConnectDone("tcp", "2", nil)
		return dial(ctx, network, addr)
	}}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(40 * time.Millisecond)
			_, _ = w.Write([]byte(`{"id":`))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
			_, _ = w.Write([]byte(`"1"}`))
		}))
		var got []*aplomb.Phases
		asked := 0
		transport := farAway(srv.Transport().DialContext)
		t.Cleanup(transport.CloseIdleConnections)
		c := newClient(t, srv, aplomb.Transport(transport), aplomb.Hooks{
			WantPhases: func(_ context.Context, e aplomb.AttemptEvent) bool {
				assert.Equal(t, e.Operation, "GET /v1/orders/{id}")
				asked++
				return asked < 3
			},
			AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { assert.True(t, e.Phases == nil) },
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
				got = append(got, e.Phases)
				assert.Equal(t, e.URL(), srv.URL+"/v1/orders/1?api_key=[redacted]")
				assert.Equal(t, e.Protocol(), "HTTP/1.1")
				assert.Equal(t, e.Traceparent(), "")
			},
		})
		for range 3 {
			_, err := aplomb.Get[order](t.Context(), c, "/v1/orders/{id}", aplomb.Path("id", "1"), aplomb.Query("api_key", "s3cret-enough"))
			assert.NoError(t, err)
		}
		assert.Equal(t, *got[0], aplomb.Phases{DNS: 3 * time.Millisecond, Connect: 7 * time.Millisecond, FirstByte: 40 * time.Millisecond, Body: 10 * time.Millisecond})
		assert.Equal(t, *got[1], aplomb.Phases{Reused: true, FirstByte: 40 * time.Millisecond, Body: 10 * time.Millisecond})
		assert.True(t, got[2] == nil)
	})
}

// TestPhasesOfAWait: what waits for another request's connection is queued.
func TestPhasesOfAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := aplombtest.NewServer(t, slowly(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
		transport := farAway(srv.Transport().DialContext)
		transport.MaxConnsPerHost = 1
		t.Cleanup(transport.CloseIdleConnections)
		done := make(chan aplomb.Phases, 2)
		c := newClient(t, srv, aplomb.Transport(transport), aplomb.Hooks{
			WantPhases:  func(context.Context, aplomb.AttemptEvent) bool { return true },
			AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { done <- *e.Phases },
		})
		for range 2 {
			go func() { _, _ = aplomb.Get[order](t.Context(), c, "/") }()
		}
		first, second := <-done, <-done
		assert.Equal(t, first.Queued, 0)
		assert.Equal(t, second, aplomb.Phases{Reused: true, Queued: 51 * time.Millisecond, FirstByte: 41 * time.Millisecond})
	})
}
