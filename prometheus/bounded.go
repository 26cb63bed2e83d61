package prometheus

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// How many values each label may have, so that neither a server that redirects
// to a thousand hosts nor a client that is made per tenant fills a Prometheus.
// What comes when there are as many is counted under "other".
const (
	maxClients    = 100
	maxOperations = 200  // of a client
	maxBreakers   = 100  // of a client
	maxFolded     = 1000 // of those breakers that have none of their own
	maxBuckets    = 100  // of a client
	maxHosts      = 100
	maxStatuses   = 50
	maxRequests   = 1000 // combinations of method, host, status and error
	maxSources    = 100
	maxFeeds      = 100
	maxResults    = 50 // of what has few anyway
)

const other = "other"

// bounded keeps what was made for each of a limited number of keys, and for rest
// in place of all others. To find what is there takes no lock and no memory: it is
// done for every call.
type bounded[K comparable, V any] struct {
	limit int
	rest  K
	make  func(K) V

	mu    sync.Mutex // of those who add
	known atomic.Pointer[map[K]V]
}

func newBounded[K comparable, V any](limit int, rest K, create func(K) V) *bounded[K, V] {
	b := &bounded[K, V]{limit: limit, rest: rest, make: create}
	b.known.Store(&map[K]V{})
	return b
}

func (b *bounded[K, V]) of(key K) V {
	known := *b.known.Load()
	if v, ok := known[key]; ok {
		return v
	}
	if v, ok := known[b.rest]; ok && len(known) >= b.limit {
		return v
	}
	return b.add(key)
}

func (b *bounded[K, V]) add(key K) V {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := *b.known.Load()
	if len(known) >= b.limit {
		key = b.rest
	}
	if v, ok := known[key]; ok {
		return v
	}
	v := b.make(key)
	grown := maps.Clone(known)
	grown[key] = v
	b.known.Store(&grown)
	return v
}

// maxLabel is the most bytes of a label's value.
const maxLabel = 200

// label makes a value of what a server or a caller has named: Prometheus takes
// UTF-8 only, and a series is no place for a text without end.
func label(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxLabel {
		return s
	}
	end := maxLabel
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
