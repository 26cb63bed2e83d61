package monitor

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"weak"
)

// shutdowns tells live pages that their server shuts down, which would wait for them:
// they end by themselves no more than the browser does. It is one for all pages, since
// a server takes what it has to call for good: it is told once.
var shutdowns = notices{of: map[weak.Pointer[http.Server]]chan struct{}{}}

// notices has for each server a channel that is closed when it shuts down. It keeps no
// server from being forgotten.
type notices struct {
	mu sync.Mutex
	of map[weak.Pointer[http.Server]]chan struct{}
}

// begun is closed when the server of a request begins to shut down; it is nil where
// another server than net/http's has the request.
func (n *notices) begun(ctx context.Context) <-chan struct{} {
	server, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	if server == nil {
		return nil
	}
	key := weak.Make(server)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of[key] == nil {
		begun := make(chan struct{})
		n.of[key] = begun // kept when it is closed, for those who come late
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(begun) }))
		runtime.AddCleanup(server, n.forget, key)
	}
	return n.of[key]
}

// forget is called when a server is no more.
func (n *notices) forget(key weak.Pointer[http.Server]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.of, key)
}
