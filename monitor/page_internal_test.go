package monitor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestShutdownsAreBounded: each server is told once what to call, and is forgotten when
// it is no more.
func TestShutdownsAreBounded(t *testing.T) {
	t.Parallel()
	n := &notices{of: map[weak.Pointer[http.Server]]chan struct{}{}}
	assert.True(t, n.begun(t.Context()) == nil) // of another server than net/http's
	known := func() int {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.of)
	}
	server := &http.Server{}
	ctx := context.WithValue(t.Context(), http.ServerContextKey, server)
	begun := n.begun(ctx)
	assert.True(t, n.begun(ctx) == begun)
	assert.Equal(t, known(), 1)
	assert.NoError(t, server.Shutdown(t.Context()))
	<-begun
	<-n.begun(ctx) // who comes late is told so
	assert.Equal(t, known(), 1)
	assert.NoError(t, server.Shutdown(t.Context())) // it may be called again
	runtime.KeepAlive(ctx)
	for range 100 {
		if runtime.GC(); known() == 0 {
			return
		}
	}
	t.Error("the server is not forgotten")
}

// TestViewersShareARender: those of a second who want the same, and no others.
func TestViewersShareARender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Settings{})
		assert.NoError(t, err)
		p := m.Page().(*page)
		event := func(query string, since time.Time) *byte {
			return &p.event(httptest.NewRequest(http.MethodGet, "/?"+query, http.NoBody), since)[0]
		}
		now := time.Now()
		first := event("format=sse", now)
		assert.True(t, event("refresh=off&calls=recent", now) == first)
		assert.True(t, event("calls=trouble", now) != first)
		assert.True(t, event("call=7", now) != first)
		assert.Equal(t, len(p.news), 3)
		time.Sleep(10 * time.Millisecond)
		assert.True(t, event("", now) == first) // one who wakes late
		assert.True(t, event("", time.Now()) != first)
		// What nobody wants any more is not kept, and a clock that was set back stops nothing.
		time.Sleep(refresh)
		latest := event("", time.Now())
		assert.Equal(t, len(p.news), 1)
		e := p.news[wishOf(nil)]
		e.made = e.made.Add(time.Hour)
		p.news[wishOf(nil)] = e
		assert.True(t, event("", time.Now()) != latest)
	})
}
