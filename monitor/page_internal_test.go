package monitor

import (
	"context"
	"net/http"
	"runtime"
	"testing"
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
