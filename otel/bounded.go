package otel

import "sync"

// bounded lets through the first names that it is given; others are "other". A
// server that redirects, or a program that puts ids into its operations, makes no
// more series than that.
type bounded struct {
	most  int
	mu    sync.RWMutex
	known map[string]bool
}

const (
	maxOperations = 300
	maxNames      = 100 // of hosts, breakers and quotas
	other         = "other"
)

func (b *bounded) of(name string) string {
	b.mu.RLock()
	known := b.known[name]
	b.mu.RUnlock()
	if known {
		return name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= b.most {
		return other
	}
	if b.known == nil {
		b.known = map[string]bool{}
	}
	b.known[name] = true
	return name
}
